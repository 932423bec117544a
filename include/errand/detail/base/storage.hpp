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

/// What a result of type `T` is kept as: a reference as a pointer, `void` as nothing.
template <class T>
struct Stored {
  using type = T;
};
template <class T>
struct Stored<T&> {
  using type = T*;
};
template <>
struct Stored<void> {
  struct type {};
};

/// Whether a frame, or a block of the pool, keeps the alignment of a `T`: neither knows any above the default one.
template <class T>
inline constexpr bool keeps_alignment = alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
template <class T>
inline constexpr bool keeps_alignment<T&> = true;
template <>
inline constexpr bool keeps_alignment<void> = true;

/// Refuses a callable whose captures have an alignment above the default one.
template <class F>
constexpr void check_alignment() noexcept {
  static_assert(keeps_alignment<F>,
                "the alignment of a callable, which is that of its captures, may not be above the default one: keep "
                "such data in a std::unique_ptr");
}

/// Whether a value of this type may stand for a `T`, as a `return` in a function would have it: a `T` itself, or what
/// becomes one without an explicit conversion.
template <class U, class T>
concept ReturnableAs =
    (std::is_same_v<std::remove_cvref_t<U>, T> && std::is_constructible_v<T, U>) || std::is_convertible_v<U, T>;

/// What it stands for: the value itself, or what it is converted to.
template <class T, class U>
std::conditional_t<std::is_same_v<std::remove_cvref_t<U>, T>, U&&, T> returned(U&& value) {
  return std::forward<U>(value);
}

/// Whether it is an object that converts itself to a `T&`, as `std::ref` gives one.
template <class U, class T>
concept GivesReference = requires(U&& value) { static_cast<U&&>(value).operator T&(); };

/// Whether it may stand for a `T&` that outlives the expression: a temporary, and what only a temporary would make a
/// `T&`, may not.
template <class U, class T>
concept ReturnableAsReference =
    (std::is_lvalue_reference_v<U> && std::is_convertible_v<std::remove_reference_t<U>*, T*>) || GivesReference<U, T> ||
    GivesReference<U, std::remove_const_t<T>>;

/// The one of the two that is about a result `T`.
template <class U, class T>
concept Returnable = (std::is_lvalue_reference_v<T> && ReturnableAsReference<U, std::remove_reference_t<T>>) ||
                     (!std::is_lvalue_reference_v<T> && ReturnableAs<U, T>);

/// Room for a value or an error. Which of them is there, if any, its owner knows.
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
  /// Takes the error out, and throws it.
  [[noreturn]] ERRAND_NOINLINE void throw_error() {
    std::exception_ptr thrown = std::move(error);
    destroy_error();
    std::rethrow_exception(std::move(thrown));
  }

  /// The value, to be read where it stands, or moved out.
  decltype(auto) get() noexcept {
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*value);
    } else if constexpr (!std::is_void_v<T>) {
      return (value);
    }
  }
  /// The value, which is destroyed here.
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

/// The result of a coroutine, in the frame of the one that awaits it, which need not take it.
template <class T>
struct AwaitedResult : Storage<T> {
  enum class Has : std::uint8_t { nothing, value, error };
  Has has = Has::nothing;  // what its owner has to destroy: a value that needs no destructor is not noted
};

template <class T>
concept Result =
    std::is_void_v<T> || std::is_lvalue_reference_v<T> ||
    (std::is_object_v<T> && !std::is_array_v<T> && std::is_move_constructible_v<T> && std::is_destructible_v<T>);

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
