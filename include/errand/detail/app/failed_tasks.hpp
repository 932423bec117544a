// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <memory>
#include <mutex>
#include <utility>

#include <errand/detail/base/list.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/task.hpp>

namespace errand::detail {

/// The tasks of those failures of one App that somebody keeps. A TaskFailure may be destroyed on any thread, but a
/// handle to a task only on the App's thread. So another thread leaves the handle here, and the App drops it. At its
/// end the App drops all handles.
class FailedTasks : public std::enable_shared_from_this<FailedTasks> {
 public:
  /// A task that has failed. All copies of its TaskFailure share this entry.
  struct Entry : Link {
    Entry(std::shared_ptr<FailedTasks> its_list, Task<> its_task) noexcept
        : list(std::move(its_list)), task(std::move(its_task)) {}
    const std::shared_ptr<FailedTasks> list;
    const ThreadState* const thread = &this_thread();  // the thread on which the task failed
    Task<> task;                                       // empty after `let_go` and from the App's end on
  };

  ERRAND_COLD std::shared_ptr<Entry> add(Task<> task) {
    drop_left();
    auto* const entry = new Entry(shared_from_this(), std::move(task));
    {
      std::lock_guard lock(mutex_);
      kept_.push_back(*entry);
    }
    return std::shared_ptr<Entry>(entry, &last_copy_gone);
  }
  /// Returns the task if this thread may have it: the thread that is inside the App or, if none is, the thread on which
  /// the task failed. Returns null on other threads, and if the task was dropped.
  ERRAND_COLD const Task<>* find(const Entry& entry) noexcept {
    std::lock_guard lock(mutex_);
    if (!entry.task) return nullptr;
    const ThreadState* const inside = thread_inside(entry);
    return (inside ? inside : entry.thread) == &this_thread() ? &entry.task : nullptr;
  }
  /// Drops the task. Called on the App's thread when nobody else keeps the failure.
  ERRAND_COLD void let_go(Entry& entry) noexcept {
    Task<> gone;
    std::lock_guard lock(mutex_);
    std::swap(gone, entry.task);
  }
  /// Called at the App's end: drops all tasks.
  ERRAND_COLD void close() noexcept {
    drop_left();
    for (;;) {
      Task<> gone;  // destroyed after the unlocking, because a destructor of the user's may run
      std::lock_guard lock(mutex_);
      if (kept_.empty()) return;
      std::swap(gone, static_cast<Entry&>(kept_.pop_front()).task);
    }
  }

 private:
  static const ThreadState* thread_inside(const Entry& entry) noexcept {
    return entry.task.handle().state()->loop->thread_inside();
  }
  /// Called when the last copy of a failure has gone. If this thread is not inside the App, the entry waits in
  /// `to_drop_` until the App drops it.
  ERRAND_COLD static void last_copy_gone(Entry* entry) noexcept {
    const std::shared_ptr<FailedTasks> list = entry->list;
    {
      std::lock_guard lock(list->mutex_);
      if (entry->linked()) entry->unlink();
      if (entry->task && thread_inside(*entry) != &this_thread()) {
        list->to_drop_.push_back(*entry);
        return;
      }
    }
    delete entry;
  }
  ERRAND_COLD void drop_left() noexcept {
    for (;;) {
      Owner<Entry> gone;
      std::lock_guard lock(mutex_);
      if (to_drop_.empty()) return;
      gone = Owner<Entry>(static_cast<Entry*>(&to_drop_.pop_front()));
    }
  }

  std::mutex mutex_;
  List kept_;
  List to_drop_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
