// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <errand/detail/base/list.hpp>
#include <errand/task.hpp>

namespace errand {

namespace detail {

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

}  // namespace detail

/// A failure that is reported, because nobody could be waiting for it. `AppConfig::on_failure` gets it, and the signal
/// `server.exception.report` carries it. It may be copied, kept and read on any thread.
class TaskFailure {
 public:
  /// For the library's own use, on the App's thread: `task` is empty for a callback.
  ERRAND_COLD TaskFailure(std::string name, std::exception_ptr exception, Task<> task)
      : name_(std::move(name)), what_(what_of(exception)), exception_(std::move(exception)) {
    if (!task) return;
    detail::Loop& loop = *task.handle().state()->loop;
    id_ = task.handle().state()->identity.id();
    if (!loop.failed_tasks) loop.failed_tasks = std::make_shared<detail::FailedTasks>();
    task_ = loop.failed_tasks->add(std::move(task));
  }

  /// Returns the name of the task; "callback" for a function that the loop called outside any task; the name of the App
  /// for a `Deadlock`.
  const std::string& name() const noexcept { return name_; }
  /// Returns the message of the exception. If it is no `std::exception`, returns a sentence that says so.
  const std::string& what() const noexcept { return what_; }
  /// Returns the exception: what the task or the callback threw, or a `TimeoutError` if the task was destroyed because
  /// it had not ended in the graceful timeout.
  const std::exception_ptr& exception() const noexcept { return exception_; }
  /// Returns the id of the task; 0 for a callback.
  std::uint64_t id() const noexcept { return id_; }
  /// Returns the task that failed. The handle is empty for a callback, on another thread than the App's, and once the
  /// App has ended.
  const Task<>& task() const noexcept {
    static const Task<> none;
    const Task<>* const found = task_ ? task_->list->find(*task_) : nullptr;
    return found ? *found : none;
  }

  /// For the library's own use, on the App's thread, when the report is over: drops the task if nobody has copied this
  /// failure.
  void let_go() const noexcept {
    if (task_ && task_.use_count() == 1) task_->list->let_go(*task_);
  }

 private:
  ERRAND_COLD static std::string what_of(const std::exception_ptr& exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      return error.what();
    } catch (const Cancelled& cancelled) {
      return detail::text({"cancelled: ", cancelled.reason()});
    } catch (...) {
      return "an exception that is no std::exception";
    }
  }

  std::string name_;
  std::string what_;
  std::exception_ptr exception_;
  std::uint64_t id_ = 0;
  std::shared_ptr<detail::FailedTasks::Entry> task_;
};

/// A step that kept the loop longer than `AppConfig::slow_step`.
class SlowStep {
 public:
  /// For the library's own use: the App makes it.
  ERRAND_COLD SlowStep(std::string name, std::chrono::nanoseconds duration, std::string place)
      : name_(std::move(name)), duration_(duration), place_(std::move(place)) {}

  /// Returns the name of the task; "callback" for a function that the loop called outside any task.
  const std::string& name() const noexcept { return name_; }
  /// Returns how long the step kept the loop, by `std::chrono::steady_clock`.
  std::chrono::nanoseconds duration() const noexcept { return duration_; }
  /// Returns the file and the line of the await from which the step went on; an empty text for a task's first step.
  const std::string& place() const noexcept { return place_; }

 private:
  std::string name_;
  std::chrono::nanoseconds duration_;
  std::string place_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
