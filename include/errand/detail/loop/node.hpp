// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>

#include <errand/detail/base/list.hpp>

namespace errand::detail {

/// How the loop runs a node that is ready.
enum class Step : std::uint8_t {
  chain,  // the node is a chain: goes on with its coroutine
  first,  // the node is a chain that has made no step: there may be something to do before the first one
  call,   // the node is a call: calls it
  none,   // no node in the ready queue has this value
};

/// Something that can stand in the ready queue.
struct Node : LinkOf<Node> {
  Step step;

  explicit Node(Step what) noexcept : step(what) {}
  /// Makes the step. For `Step::chain`, the loop may resume the coroutine itself instead.
  virtual void run() noexcept = 0;

 protected:
  ~Node() = default;
};

struct EndNode final : Node {
  EndNode() noexcept : Node(Step::none) {}
  void run() noexcept override {}
};
using NodeQueue = ListOf<Node, EndNode>;

/// Something that can stand in the timer queue: a call, or a suspension.
struct TimerNode {
  static constexpr std::uint32_t unarmed = 0x7fffffff;
  std::uint32_t timer = unarmed;  // its place in the heap or, with `TimerLane::mark`, in the lane
  const bool is_call;

  explicit TimerNode(bool call) noexcept : is_call(call) {}
  bool armed() const noexcept { return timer != unarmed; }
};

/// The things for which a suspension can wait. A `follower` does not wait, but is told at once that a task has ended.
enum class Kind : std::uint8_t {
  follower,
  sleep,
  task,         // failure and cancellation of the task are thrown
  task_cancel,  // failure of the task is thrown, cancellation is not
  task_end,     // neither is thrown
  tasks,
  event,
  lock,
  semaphore,
  condition,
  barrier,
  queue,
  queue_next,  // the end of a closed queue is not thrown
  subscription,
  watch,
  future,
  signal,
  thread,
  scope,
  foreign,
  descriptor,
  child,
  operation,  // of Asio
  // The combinators, which wait for their branches:
  gather,
  gather_settled,
  settled,
  race,
  wait_for,
  move_on_after,
  retry,
  supervise,
  task_group,
};

/// Returns the name of a kind for tables and messages.
const char* name_of(Kind kind) noexcept;

#if ERRAND_DEFINES

ERRAND_ONCE const char* name_of(Kind kind) noexcept {
  constexpr const char* names[] = {"",           "sleep",    "task",      "task",          "task",
                                   "tasks",      "event",    "lock",      "semaphore",     "condition",
                                   "barrier",    "queue",    "queue",     "subscription",  "watch",
                                   "future",     "signal",   "thread",    "scope",         "foreign",
                                   "descriptor", "child",    "operation", "gather",        "gather_settled",
                                   "settled",    "race",     "wait_for",  "move_on_after", "retry",
                                   "supervise",  "TaskGroup"};
  static_assert(sizeof names / sizeof *names == static_cast<std::size_t>(Kind::task_group) + 1);
  return names[static_cast<unsigned>(kind)];
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
