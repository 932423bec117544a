// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace errand {

/// How a task has ended; `pending` if it has not ended yet.
enum class TaskStatus : std::uint8_t { pending, succeeded, failed, cancelled };

/// Returns the name of a status: "pending", "succeeded", "failed" or "cancelled".
constexpr std::string_view to_string(TaskStatus status) noexcept {
  switch (status) {
    case TaskStatus::pending: return "pending";
    case TaskStatus::succeeded: return "succeeded";
    case TaskStatus::failed: return "failed";
    case TaskStatus::cancelled: return "cancelled";
  }
  return "unknown";
}

/// Writes the name of a status: `std::cout << task.status()`. A template, so that this header does not have to include
/// `<ostream>`.
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, TaskStatus status) {
  return out << errand::to_string(status);
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
