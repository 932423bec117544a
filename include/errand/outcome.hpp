// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>

#include <errand/detail/base/storage.hpp>
#include <errand/errors.hpp>

namespace errand {

/// How something ended: with a value, with an error, or cancelled. What `gather_settled` gives for each of its
/// arguments. A reference is kept as a `std::reference_wrapper`, `void` as a `std::monostate`.
template <class T>
class Outcome {
 public:
  /// `T`, or what stands for it in a container.
  using value_type = std::conditional_t<
      std::is_void_v<T>, std::monostate,
      std::conditional_t<std::is_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>>;

  /// Whether it ended with a value.
  bool has_value() const noexcept { return result_.index() == 0; }
  /// Whether it was cancelled.
  bool cancelled() const noexcept { return cancelled_; }
  /// The value. Throws what it failed with, `Cancelled` or `TaskCancelled` where it was cancelled.
  const value_type& value() const& {
    if (!has_value()) std::rethrow_exception(std::get<1>(result_));
    return std::get<0>(result_);
  }
  /// The same, to be changed.
  value_type& value() & {
    if (!has_value()) std::rethrow_exception(std::get<1>(result_));
    return std::get<0>(result_);
  }
  /// The same, to be moved from.
  value_type&& value() && { return std::move(value()); }
  /// What it failed with, or was cancelled by; null where it has a value.
  std::exception_ptr exception() const noexcept { return has_value() ? nullptr : std::get<1>(result_); }

  /// For the library.
  template <class... Args>
  explicit Outcome(std::in_place_t, Args&&... args) : result_(std::in_place_index<0>, std::forward<Args>(args)...) {}
  /// For the library.
  Outcome(std::exception_ptr error, bool cancelled) noexcept
      : result_(std::in_place_index<1>, std::move(error)), cancelled_(cancelled) {}

 private:
  std::variant<value_type, std::exception_ptr> result_;
  bool cancelled_ = false;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
