// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/coro/branches.hpp>

namespace errand::detail {

class TaskBase;

/// Is told when a task ends. It stands among the awaiters of the task. When its place comes, it is called at once,
/// while the other awaiters are only put into the ready queue.
struct Follower : Waiter {
  Follower() noexcept : Waiter(Kind::follower) {}
  /// Called when the task has ended and its frames are gone. The follower has left the list, and may destroy itself.
  virtual void task_ended(TaskBase& task) noexcept = 0;
  /// Called when the task is aborted, before its frames are destroyed; `task_ended` follows. Only the first of the
  /// awaiters is told.
  virtual void task_cancelled() noexcept {}
  /// Returns the group, if this follower makes the task a member of one.
  virtual Branches* group() const noexcept { return nullptr; }
  /// Returns the member after this one in the group, or null.
  virtual Chain* next_member() const noexcept { return nullptr; }
  /// Returns the `TaskScope`, if this follower makes the task one of its tasks.
  virtual const void* scope() const noexcept { return nullptr; }

 protected:
  ~Follower() = default;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
