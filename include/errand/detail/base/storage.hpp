// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

/// The type in which a result of type `T` is stored: for a reference a pointer, for `void` an empty class. It is never
/// const, because `std::construct_at` makes no const object.
template <class T>
struct Stored {
  using type = std::remove_const_t<T>;
};
template <class T>
struct Stored<T&> {
  using type = T*;
};
template <>
struct Stored<void> {
  struct type {};
};

/// True if a frame, or a block of the pool, is aligned well enough for a `T`. They have the default alignment only.
template <class T>
inline constexpr bool keeps_alignment = alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
template <class T>
inline constexpr bool keeps_alignment<T&> = true;
template <>
inline constexpr bool keeps_alignment<void> = true;

/// Refuses, at compile time, a callable whose captures have an alignment above the default one.
template <class F>
constexpr void check_alignment() noexcept {
  static_assert(keeps_alignment<F>,
                "the alignment of a callable, which is that of its captures, may not be above the default one: keep "
                "such data in a std::unique_ptr");
}

/// True if a value of type `U` can be returned as a `T`, as by the `return` of a function: it is a `T`, or converts to
/// one implicitly.
template <class U, class T>
concept ReturnableAs =
    (std::is_same_v<std::remove_cvref_t<U>, T> && std::is_constructible_v<T, U>) || std::is_convertible_v<U, T>;

/// Returns the value itself if it is a `T`, else the `T` to which it converts.
template <class T, class U>
std::conditional_t<std::is_same_v<std::remove_cvref_t<U>, T>, U&&, T> returned(U&& value) {
  return std::forward<U>(value);
}

/// True if a `U` is an object that converts itself to a `T&`, such as the result of `std::ref`.
template <class U, class T>
concept GivesReference = requires(U&& value) { static_cast<U&&>(value).operator T&(); };

/// True if a `U` can be returned as a `T&` that outlives the expression. A temporary cannot, nor can a value that would
/// first have to be converted to a temporary.
template <class U, class T>
concept ReturnableAsReference =
    (std::is_lvalue_reference_v<U> && std::is_convertible_v<std::remove_reference_t<U>*, T*>) || GivesReference<U, T> ||
    GivesReference<U, std::remove_const_t<T>>;

/// True if a `U` can be returned as a result of type `T`, which may be a reference.
template <class U, class T>
concept Returnable = (std::is_lvalue_reference_v<T> && ReturnableAsReference<U, std::remove_reference_t<T>>) ||
                     (!std::is_lvalue_reference_v<T> && ReturnableAs<U, T>);

/// Room for a value or an error. The owner of the room knows which of them is there, if any.
template <class T>
struct Storage {
  using Value = typename Stored<T>::type;

  union {
    Value value;
    std::exception_ptr error;
  };

  Storage() noexcept {}
  ~Storage() {}
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  template <class... Args>
  void set_value(Args&&... args) {
    std::construct_at(std::addressof(value), std::forward<Args>(args)...);
  }
  void set_error(std::exception_ptr thrown) noexcept { std::construct_at(std::addressof(error), std::move(thrown)); }
  void destroy_value() noexcept { std::destroy_at(std::addressof(value)); }
  void destroy_error() noexcept { std::destroy_at(std::addressof(error)); }
  /// Throws the error, which leaves this room.
  [[noreturn]] ERRAND_INLINE void throw_error() {
    std::exception_ptr thrown = std::move(error);
    destroy_error();
    std::rethrow_exception(std::move(thrown));
  }

  /// Returns the value by reference, to be read or moved out. It stays in this room.
  decltype(auto) get() noexcept {
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*value);
    } else if constexpr (!std::is_void_v<T>) {
      return (value);
    }
  }
  /// Returns the value, which leaves this room.
  T take() noexcept(!std::is_object_v<T> || std::is_nothrow_move_constructible_v<T>) {
    struct Gone {
      Storage& storage;
      ~Gone() { storage.destroy_value(); }
    } const gone{*this};
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*value);
    } else if constexpr (!std::is_void_v<T>) {
      return T(std::move(value));
    }
  }
};

/// The result of a coroutine. It stands in the frame of the coroutine that awaits it, which may never take it.
template <class T>
struct AwaitedResult : Storage<T> {
  enum class Has : std::uint8_t { nothing, value, error };
  /// Tells the owner what to destroy. A value whose destructor does nothing is not noted.
  Has has = Has::nothing;
};

/// The types that a task or a coroutine may have as its result.
template <class T>
concept Result =
    std::is_void_v<T> || std::is_lvalue_reference_v<T> ||
    (std::is_object_v<T> && !std::is_array_v<T> && std::is_move_constructible_v<T> && std::is_destructible_v<T>);

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
