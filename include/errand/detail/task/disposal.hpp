// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/task/task_base.hpp>

namespace errand::detail {

/// A task is being freed, and its result or its error runs code of the user's, which may give up the last handle to
/// another task, and so on. From some depth on the inner ones are freed behind the outer ones, so that the stack
/// is_still_needed flat.
class Disposal {
 public:
  explicit Disposal(TaskBase& task) noexcept;
  ~Disposal();
  Disposal(const Disposal&) = delete;
  Disposal& operator=(const Disposal&) = delete;

  /// It is too deep now: the task will be freed later, and must not be touched until then.
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

/// A task that is freed stands in no list. The first may be freed last.
ERRAND_COLD inline void Disposal::put_off(ThreadState& thread, TaskBase& task) noexcept {
  TaskLink& link = task;
  if (link.linked()) link.unlink();
  link.prev = thread.to_free ? &static_cast<TaskLink&>(*thread.to_free) : nullptr;
  thread.to_free = &task;
}

ERRAND_COLD inline void Disposal::free_all(ThreadState& thread) noexcept {
  thread.is_freeing = true;
  while (TaskBase* const task = thread.to_free) {
    Link* const next = static_cast<TaskLink&>(*task).prev;
    thread.to_free = next ? &task_of(*next) : nullptr;
    task->dispose();
  }
  thread.is_freeing = false;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
