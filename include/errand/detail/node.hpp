// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <errand/detail/list.hpp>

namespace errand::detail {

/// What a node is. What stands in the ready queue is a `chain` or a `call`; an `observer` is told of a task's end on
/// the spot; all from `sleep` on are suspensions, named after what they wait for.
enum class Kind : std::uint8_t {
  chain,
  call,
  observer,
  sleep,
  sleep_until,
  task,
  event,
  lock,
  semaphore,
  condition,
  barrier,
  queue,
  future,
  signal,
  thread,
  foreign,
  branches,
};

inline const char* name_of(Kind kind) noexcept {
  constexpr const char* names[] = {"",       "",       "",          "sleep",     "sleep",   "task",
                                   "event",  "lock",   "semaphore", "condition", "barrier", "queue",
                                   "future", "signal", "thread",    "foreign",   "branches"};
  return names[static_cast<unsigned>(kind)];
}

/// Something that can stand in the ready queue or in a wait list.
struct Node : Link {
  Kind kind;

  explicit Node(Kind of) noexcept : kind(of) {}
};

/// A node that can also be in the timer queue.
struct TimerNode : Node {
  static constexpr std::uint32_t unarmed = 0xffffffff;
  bool is_broken = false;         // of a suspension: what it waited for, or was handed something by, is gone
  std::uint32_t timer = unarmed;  // its index in the heap

  explicit TimerNode(Kind of) noexcept : Node(of) {}
  bool armed() const noexcept { return timer != unarmed; }
};

}  // namespace errand::detail
