// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <errand/detail/base/storage.hpp>
#include <errand/errors.hpp>

namespace errand::detail {

/// The value, the error or the cancellation of a future. It is set once.
template <class T>
class FutureState {
  static_assert(keeps_alignment<T>,
                "the alignment of a future's value may not be above the default one: set a std::unique_ptr");

 public:
  FutureState() noexcept = default;
  FutureState(const FutureState&) = delete;
  FutureState& operator=(const FutureState&) = delete;
  ~FutureState() {
    if (has_value_) {
      storage_.destroy_value();
    } else if (has_error_) {
      storage_.destroy_error();
    }
  }

  bool done() const noexcept { return has_value_ || has_error_ || cancelled_; }
  template <class... Args>
  void set_value(Args&&... args) {
    if constexpr (std::is_reference_v<T>) {
      storage_.set_value(std::addressof(static_cast<T>(args))...);
    } else {
      storage_.set_value(detail::returned<T, Args>(std::forward<Args>(args))...);
    }
    has_value_ = true;
  }
  void set_error(std::exception_ptr error) noexcept {
    storage_.set_error(std::move(error));
    has_error_ = true;
  }
  void cancel(std::string reason) noexcept {
    reason_ = std::move(reason);
    cancelled_ = true;
  }

  bool cancelled() const noexcept { return cancelled_; }
  bool has_failed() const noexcept { return has_error_ || cancelled_; }
  /// Throws `InvalidState`. Called if somebody wants the result of a future that is not done.
  [[noreturn]] ERRAND_COLD static void throw_not_done() {
    throw InvalidState("the future is not done: it has no result yet");
  }
  /// Throws the error that was set, or `TaskCancelled` if the future was cancelled.
  [[noreturn]] ERRAND_COLD void throw_failure() const {
    if (has_error_) std::rethrow_exception(storage_.error);
    throw TaskCancelled("future", reason_);
  }
  /// Returns the exception that `throw_failure` throws; null if there is a value.
  ERRAND_COLD std::exception_ptr exception() const {
    if (cancelled_) return std::make_exception_ptr(TaskCancelled("future", reason_));
    return has_error_ ? storage_.error : nullptr;
  }
  /// Throws as `throw_failure` does, unless there is a value.
  void check() const {
    if (has_failed()) throw_failure();
  }
  /// Returns a reference to the value, which must be there: the `T` itself if that is a reference, else a `const T&`.
  decltype(auto) value() const noexcept {
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*storage_.value);
    } else if constexpr (!std::is_void_v<T>) {
      return static_cast<const T&>(storage_.value);
    }
  }
  /// Moves the value out, which must be there. If `T` is a reference or `void`, there is nothing to move.
  T take() {
    if constexpr (std::is_object_v<T>) {
      return T(std::move(storage_.value));
    } else {
      return value();
    }
  }

 private:
  Storage<T> storage_;
  std::string reason_;
  bool has_value_ = false;
  bool has_error_ = false;
  bool cancelled_ = false;
};

/// The arguments that can set a `Future<T>`: none if `T` is `void`, else one value that a `Coro<T>` could `co_return`.
template <class T, class... Args>
concept SetsFuture = (std::is_void_v<T> && sizeof...(Args) == 0) ||
                     (!std::is_void_v<T> && sizeof...(Args) == 1 && (Returnable<Args, T> && ...));

/// Marks a future as being set while its value is made. That runs code of the user's, which may call a setter again.
class WhileSet {
 public:
  explicit WhileSet(bool& is_being_set) noexcept : is_being_set_(is_being_set) { is_being_set_ = true; }
  ~WhileSet() { is_being_set_ = false; }
  WhileSet(const WhileSet&) = delete;
  WhileSet& operator=(const WhileSet&) = delete;

 private:
  bool& is_being_set_;
};

/// Returns a pointer to this exception. Given a `std::exception_ptr`, returns that, and throws `InvalidState` if it is
/// null.
template <class E>
std::exception_ptr to_exception(E&& error) {
  if constexpr (std::is_convertible_v<E, std::exception_ptr>) {
    std::exception_ptr pointer = std::forward<E>(error);
    if (!pointer) throw InvalidState("a null std::exception_ptr is no exception that a future could have");
    return pointer;
  } else {
    return std::make_exception_ptr(std::forward<E>(error));
  }
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
