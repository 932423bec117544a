// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>

#include <errand/detail/base/list.hpp>

namespace errand::detail {

/// What the loop does with what is ready.
enum class Step : std::uint8_t {
  chain,  // it goes on with a coroutine
  first,  // the same, but there is something to do before its first step
  call,
  none,  // no node that can be ready has this
};

/// Something that can stand in the ready queue.
struct Node : LinkOf<Node> {
  Step step;

  explicit Node(Step what) noexcept : step(what) {}
  /// Makes its step, where that is not to go on with a coroutine.
  virtual void run() noexcept = 0;

 protected:
  ~Node() = default;
};

struct EndNode final : Node {
  EndNode() noexcept : Node(Step::none) {}
  void run() noexcept override {}
};
using Queue = ListOf<Node, EndNode>;

/// Something that can be in the timer queue: a call, or a suspension.
struct TimerNode {
  static constexpr std::uint32_t unarmed = 0xffffffff;
  std::uint32_t timer = unarmed;  // its index in the heap
  const bool is_call;

  explicit TimerNode(bool call) noexcept : is_call(call) {}
  bool armed() const noexcept { return timer != unarmed; }
};

/// What a suspension waits for. An `observer` is none: it is told of a task's end on the spot.
enum class Kind : std::uint8_t {
  observer,
  sleep,
  task,         // whose failure is thrown
  task_cancel,  // the same, but not that it was cancelled
  task_end,     // nothing is thrown
  tasks,
  event,
  lock,
  semaphore,
  condition,
  barrier,
  queue,
  future,
  signal,
  thread,
  scope,
  foreign,
  branches,
};

inline const char* name_of(Kind kind) noexcept {
  constexpr const char* names[] = {"",       "sleep",  "task",      "task",      "task",    "tasks",
                                   "event",  "lock",   "semaphore", "condition", "barrier", "queue",
                                   "future", "signal", "thread",    "scope",     "foreign", "branches"};
  return names[static_cast<unsigned>(kind)];
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
