// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/compiler.hpp>

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
      return std::move(value);
    }
  }
};

/// The result of a coroutine, in the frame of the one that awaits it.
template <class T>
struct AwaitedResult : Storage<T> {
  bool has_failed = false;
};

template <class T>
concept Result =
    std::is_void_v<T> || std::is_lvalue_reference_v<T> ||
    (std::is_object_v<T> && !std::is_array_v<T> && std::is_move_constructible_v<T> && std::is_destructible_v<T>);

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
