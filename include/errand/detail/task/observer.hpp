// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/coro/branches.hpp>

namespace errand::detail {

class TaskBase;

/// Is told on the spot that a task has ended, in its place among the task's awaiters.
struct Observer : Waiter {
  Observer() noexcept : Waiter(Kind::observer) {}
  virtual void task_ended(TaskBase& task) noexcept = 0;
  /// It is to be destroyed where it stands, and says already that it is cancelled; `task_ended` follows. For the first
  /// of the task's observers.
  virtual void task_cancelled() noexcept {}
  /// Of the observer that makes the task a member of a group: that, and the member after it.
  virtual Branches* group() const noexcept { return nullptr; }
  virtual Chain* next_member() const noexcept { return nullptr; }
  /// Of the observer that makes the task one of a `TaskScope`: that.
  virtual const void* scope() const noexcept { return nullptr; }

 protected:
  ~Observer() = default;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
