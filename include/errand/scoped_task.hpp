// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string>
#include <utility>

#include <errand/cancel_task.hpp>

namespace errand {

/// A task that ends with a scope: what it uses may stand above this. For several tasks, or those of an object, use a
/// `TaskScope`.
///
/// The end of the scope aborts the task, which destroys it where it stands: its destructors run, its clean-up code does
/// not. A thread call of the task that has begun is asked to stop, and the destructor blocks until it has returned. If
/// the task itself runs the destructor, it cannot be destroyed there: it is asked to end, as by `Task::cancel`.
///
/// Can be moved; empty by default. Belongs to the App's thread: where the task is pending and another thread is inside
/// its App, the destructor ends the program with a message.
///
///     errand::ScopedTask heartbeat{app.add_task(beat())};
template <class T = void>
class ScopedTask {
 public:
  ScopedTask() noexcept = default;
  /// Aborts this task at the end of the scope. (`ScopedTask<>` takes one of any result.)
  explicit ScopedTask(Task<T> task) noexcept : task_(std::move(task)) {}
  /// The other one is empty afterwards.
  ScopedTask(ScopedTask&& other) noexcept : task_(std::exchange(other.task_, {})) {}
  /// Aborts the task that was here.
  ScopedTask& operator=(ScopedTask&& other) noexcept {
    ScopedTask old(std::move(other));
    std::swap(task_, old.task_);
    return *this;
  }
  ~ScopedTask() {
    if (task_) task_.handle().get().abort_with_scope();
  }

  /// The task, an empty handle where there is none.
  const Task<T>& get() const noexcept { return task_; }
  /// For its members.
  const Task<T>* operator->() const noexcept { return &task_; }
  /// The same.
  Task<T>* operator->() noexcept { return &task_; }

  /// `co_await scoped.close("enough")` asks the task to end, unless it has been asked, and waits for its end, its
  /// clean-up included. It begins with the `co_await`. Gives and throws what `App::cancel_task` does; `InvalidState`
  /// where this is empty.
  Coro<bool> close(std::string reason = {}) { return close_task(task_.handle(), std::move(reason)); }
  /// Lets the task run on: gives the handle, and is empty afterwards.
  Task<T> detach() noexcept { return std::exchange(task_, {}); }

 private:
  static Coro<bool> close_task(detail::TaskHandle task, std::string reason) {
    co_return co_await CancelTask::ask(task.get(), reason);
  }

  Task<T> task_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
