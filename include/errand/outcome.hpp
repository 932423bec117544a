// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <errand/detail/base/storage.hpp>
#include <errand/detail/base/what.hpp>

namespace errand {

/// How a Coro or a task has ended: with a value, with an error, or cancelled. `gather_settled` returns one for each of
/// its arguments. A reference is kept as a `std::reference_wrapper`, and `void` as a `std::monostate`.
template <class T>
class Outcome {
 public:
  /// The type of the value: `T`, or the type that stands for a reference or `void`.
  using value_type = std::conditional_t<
      std::is_void_v<T>, std::monostate,
      std::conditional_t<std::is_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>>;

  /// Returns true if the Coro or the task ended with a value.
  bool has_value() const noexcept { return result_.index() == 0; }
  /// Returns true if the Coro or the task ended with an error. False if it was cancelled.
  bool failed() const noexcept { return !has_value() && !cancelled_; }
  /// Returns true if the Coro or the task was cancelled.
  bool cancelled() const noexcept { return cancelled_; }
  /// Returns the value. If there is none, throws the error; throws `Cancelled` or `TaskCancelled` if it was cancelled.
  const value_type& value() const& {
    if (!has_value()) std::rethrow_exception(std::get<1>(result_));
    return std::get<0>(result_);
  }
  /// Returns the value, which may be changed. Throws the error if there is none.
  value_type& value() & {
    if (!has_value()) std::rethrow_exception(std::get<1>(result_));
    return std::get<0>(result_);
  }
  /// Returns the value, to be moved from. Throws the error if there is none.
  value_type&& value() && { return std::move(value()); }
  /// Returns the exception that `value` throws; null if there is a value.
  std::exception_ptr exception() const noexcept { return has_value() ? nullptr : std::get<1>(result_); }
  /// Returns the text of the exception, as a `TaskFailure` has it; an empty text if there is a value.
  std::string what() const { return detail::what_of(exception()); }

  /// For the library's own use: an outcome with a value.
  template <class... Args>
  explicit Outcome(std::in_place_t, Args&&... args) : result_(std::in_place_index<0>, std::forward<Args>(args)...) {}
  /// For the library's own use: an outcome with an error, or cancelled.
  Outcome(std::exception_ptr error, bool cancelled) noexcept
      : result_(std::in_place_index<1>, std::move(error)), cancelled_(cancelled) {}

 private:
  std::variant<value_type, std::exception_ptr> result_;
  bool cancelled_ = false;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
