// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string>
#include <utility>

#include <errand/cancel_task.hpp>

namespace errand {

/// Holds a task, and ends it at the end of a scope. Declare it below the objects that the task uses: it ends before
/// they are destroyed. For several tasks, or the tasks of an object, use a `TaskScope`.
///
/// The destructor aborts the task, as `Task::abort` does: destructors in the task run, its clean-up code does not. If
/// the task is inside a thread call that has begun, the call is asked to stop, and the destructor blocks until it has
/// returned. If the task itself runs the destructor, it is asked to end, as by `Task::cancel`, because it cannot be
/// destroyed there.
///
/// A ScopedTask can be moved, and is empty by default. It belongs to the App's thread: if the task is pending and
/// another thread is inside its App, the destructor ends the program with a message.
///
///     errand::ScopedTask heartbeat{app.add_task(beat())};
template <class T = void>
class ScopedTask {
 public:
  ScopedTask() noexcept = default;
  /// Takes the task that is to end with the scope. A `ScopedTask<>` takes a task of any result.
  explicit ScopedTask(Task<T> task) noexcept : task_(std::move(task)) {}
  /// Takes the task from `other`, which is empty afterwards.
  ScopedTask(ScopedTask&& other) noexcept : task_(std::exchange(other.task_, {})) {}
  /// Takes the task from `other`, which is empty afterwards. Aborts the task that this one has held.
  ScopedTask& operator=(ScopedTask&& other) noexcept {
    ScopedTask old(std::move(other));
    std::swap(task_, old.task_);
    return *this;
  }
  ~ScopedTask() {
    if (task_) task_.handle().get().abort_with_scope();
  }

  /// Returns the handle of the task, which is empty if there is no task.
  const Task<T>& get() const noexcept { return task_; }
  /// Accesses the members of the handle: `heartbeat->done()`.
  const Task<T>* operator->() const noexcept { return &task_; }
  /// Accesses the members of the handle, also those that change the task: `heartbeat->cancel()`.
  Task<T>* operator->() noexcept { return &task_; }

  /// Asks the task to end, unless it has been asked already, and waits until it has ended, its clean-up included:
  /// `co_await scoped.close("enough")`. Unlike `App::cancel_task` it asks at the `co_await`, not at the call. It gives
  /// and throws what `App::cancel_task` gives and throws, and throws `InvalidState` if this is empty.
  Coro<bool> close(std::string reason = {}) { return close_task(task_.handle(), std::move(reason)); }
  /// Lets the task run on: returns its handle, and is empty afterwards.
  Task<T> detach() noexcept { return std::exchange(task_, {}); }

 private:
  static Coro<bool> close_task(detail::TaskHandle task, std::string reason) {
    co_return co_await CancelTask::ask(task.get(), reason);
  }

  Task<T> task_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
