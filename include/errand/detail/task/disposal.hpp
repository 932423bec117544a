// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/task/task_base.hpp>

namespace errand::detail {

/// Stands on the stack while a task is freed whose result or error runs code of the user's. That code may give up the
/// last handle to another task, whose result may do so too, and so on. From some depth on an inner task is freed only
/// after the outer one, so that the stack stays flat.
class Disposal {
 public:
  explicit Disposal(TaskBase& task) noexcept;
  ~Disposal();
  Disposal(const Disposal&) = delete;
  Disposal& operator=(const Disposal&) = delete;

  /// Returns true if too many tasks are being freed inside each other. The task will be freed later then, and the
  /// caller must not touch it any more.
  bool is_put_off() const noexcept { return is_put_off_; }

 private:
  static constexpr unsigned deepest = 32;

  ERRAND_COLD static void put_off(ThreadState& thread, TaskBase& task) noexcept;
  ERRAND_COLD static void free_all(ThreadState& thread) noexcept;

  bool is_put_off_;
};

// Implementation

inline Disposal::Disposal(TaskBase& task) noexcept {
  ThreadState& thread = this_thread();
  is_put_off_ = thread.disposals == deepest;
  if (is_put_off_) [[unlikely]] {
    put_off(thread, task);
  } else {
    ++thread.disposals;
  }
}

inline Disposal::~Disposal() {
  if (is_put_off_) return;
  ThreadState& thread = this_thread();
  --thread.disposals;
  if (thread.to_free && !thread.is_freeing && thread.disposals == deepest - 1) [[unlikely]]
    free_all(thread);
}

#if ERRAND_DEFINES

/// A task that is being freed stands in no list from here on, so its link can hold the next task to free. The order
/// does not matter: the task that was put off last is freed first.
ERRAND_COLD ERRAND_ONCE void Disposal::put_off(ThreadState& thread, TaskBase& task) noexcept {
  TaskLink& link = task;
  if (link.linked()) link.unlink();
  link.prev = thread.to_free ? &static_cast<TaskLink&>(*thread.to_free) : nullptr;
  thread.to_free = &task;
}

ERRAND_COLD ERRAND_ONCE void Disposal::free_all(ThreadState& thread) noexcept {
  thread.is_freeing = true;
  while (TaskBase* const task = thread.to_free) {
    Link* const next = static_cast<TaskLink&>(*task).prev;
    thread.to_free = next ? &task_of(*next) : nullptr;
    task->dispose();
  }
  thread.is_freeing = false;
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
