// SPDX-License-Identifier: MIT
#pragma once

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
  explicit ScopedTask(Task<T> task) noexcept : task_(std::move(task)) {}
  ScopedTask(ScopedTask&& other) noexcept : task_(std::exchange(other.task_, {})) {}
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

  const Task<T>& get() const noexcept { return task_; }
  const Task<T>* operator->() const noexcept { return &task_; }
  Task<T>* operator->() noexcept { return &task_; }
  /// Lets the task run on: gives the handle, and is empty afterwards.
  Task<T> detach() noexcept { return std::exchange(task_, {}); }

 private:
  Task<T> task_;
};

}  // namespace errand
