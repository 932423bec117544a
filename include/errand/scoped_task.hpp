// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <utility>

#include <errand/task.hpp>

namespace errand {

/// A task that is cancelled when this leaves its scope. It is only asked to end: its clean-up is not awaited. Can be
/// moved.
///
///     errand::ScopedTask heartbeat{app.add_task(beat())};
template <class T>
class ScopedTask {
 public:
  ScopedTask() noexcept = default;
  /// Cancels this task at the end of the scope.
  explicit ScopedTask(Task<T> task) noexcept : task_(std::move(task)) {}
  /// The other one is empty afterwards.
  ScopedTask(ScopedTask&& other) noexcept : task_(std::exchange(other.task_, {})) {}
  /// Cancels the task that was here.
  ScopedTask& operator=(ScopedTask&& other) noexcept {
    ScopedTask old(std::move(*this));
    task_ = std::exchange(other.task_, {});
    return *this;
  }
  ~ScopedTask() {
    if (!task_) return;
    try {
      task_.cancel();
    } catch (const WrongThread&) {  // a destructor has no better place to say so
    }
  }

  /// The task, an empty handle where there is none.
  const Task<T>& get() const noexcept { return task_; }
  /// For its members.
  const Task<T>* operator->() const noexcept { return &task_; }
  /// The same.
  Task<T>* operator->() noexcept { return &task_; }
  /// Lets the task run on: gives the handle, and is empty afterwards.
  Task<T> detach() noexcept { return std::exchange(task_, {}); }

 private:
  Task<T> task_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
