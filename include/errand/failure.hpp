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

/// The tasks of one App's failures that somebody keeps. A TaskFailure may go on any thread, but a handle to a task only
/// on the App's: another thread leaves it here, for the App to drop. The App's end drops them all.
class FailedTasks : public std::enable_shared_from_this<FailedTasks> {
 public:
  /// A task of which there is a failure. The copies of that share it.
  struct Entry : Link {
    Entry(std::shared_ptr<FailedTasks> its_list, Task<> its_task) noexcept
        : list(std::move(its_list)), task(std::move(its_task)) {}
    const std::shared_ptr<FailedTasks> list;
    const ThreadState* const thread = &this_thread();  // on which it failed
    Task<> task;                                       // empty from the App's end on
  };

  ERRAND_COLD std::shared_ptr<Entry> add(Task<> task) {
    drop_left();
    auto* const entry = new Entry(shared_from_this(), std::move(task));
    {
      std::lock_guard lock(mutex_);
      kept_.push_back(*entry);
    }
    return std::shared_ptr<Entry>(entry, &leave);
  }
  /// The task, while the App is there: for the thread that is inside it or, if none is, the thread on which it failed.
  /// Null for others.
  ERRAND_COLD const Task<>* find(const Entry& entry) noexcept {
    std::lock_guard lock(mutex_);
    if (!entry.task) return nullptr;
    const ThreadState* const inside = thread_inside(entry);
    return (inside ? inside : entry.thread) == &this_thread() ? &entry.task : nullptr;
  }
  /// On the App's thread: nobody else keeps this one.
  ERRAND_COLD void let_go(Entry& entry) noexcept {
    Task<> gone;
    std::lock_guard lock(mutex_);
    std::swap(gone, entry.task);
  }
  /// At the App's end.
  ERRAND_COLD void close() noexcept {
    drop_left();
    for (;;) {
      Task<> gone;  // destroyed without the mutex: a destructor of the user's may run then
      std::lock_guard lock(mutex_);
      if (kept_.empty()) return;
      std::swap(gone, static_cast<Entry&>(kept_.pop_front()).task);
    }
  }

 private:
  static const ThreadState* thread_inside(const Entry& entry) noexcept {
    return entry.task.handle().state()->loop->thread_inside();
  }
  /// The last copy of the failure has gone.
  ERRAND_COLD static void leave(Entry* entry) noexcept {
    const std::shared_ptr<FailedTasks> list = entry->list;
    {
      std::lock_guard lock(list->mutex_);
      if (entry->linked()) entry->unlink();
      if (entry->task && thread_inside(*entry) != &this_thread()) {
        list->left_.push_back(*entry);
        return;
      }
    }
    delete entry;
  }
  ERRAND_COLD void drop_left() noexcept {
    for (;;) {
      Owner<Entry> gone;
      std::lock_guard lock(mutex_);
      if (left_.empty()) return;
      gone = Owner<Entry>(static_cast<Entry*>(&left_.pop_front()));
    }
  }

  std::mutex mutex_;
  List kept_;
  List left_;
};

}  // namespace detail

/// A failure that nobody could be waiting for. `AppConfig::on_failure` gets it, and the signal
/// `server.exception.report` carries it. It may be copied, kept and read on any thread.
class TaskFailure {
 public:
  /// For the library, on the App's thread.
  ERRAND_COLD TaskFailure(std::string name, std::exception_ptr exception, Task<> task)
      : name_(std::move(name)), what_(what_of(exception)), exception_(std::move(exception)) {
    if (!task) return;
    detail::Loop& loop = *task.handle().state()->loop;
    id_ = task.handle().state()->identity.id();
    if (!loop.failed_tasks) loop.failed_tasks = std::make_shared<detail::FailedTasks>();
    task_ = loop.failed_tasks->add(std::move(task));
  }

  /// The name of the task; "callback" for one that the loop called outside any task.
  const std::string& name() const noexcept { return name_; }
  /// The message of the exception; of one that is no `std::exception`, a sentence that says so.
  const std::string& what() const noexcept { return what_; }
  /// What the task or the callback threw.
  const std::exception_ptr& exception() const noexcept { return exception_; }
  /// That of the task; 0 for a callback.
  std::uint64_t id() const noexcept { return id_; }
  /// The task that failed. Empty for a callback, on another thread than the App's, and once the App has ended.
  const Task<>& task() const noexcept {
    static const Task<> none;
    const Task<>* const found = task_ ? task_->list->find(*task_) : nullptr;
    return found ? *found : none;
  }

  /// For the library, on the App's thread: the report is over. What nobody has copied need not keep the task.
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
  /// For the library.
  ERRAND_COLD SlowStep(std::string name, std::chrono::nanoseconds duration, std::string place)
      : name_(std::move(name)), duration_(duration), place_(std::move(place)) {}

  /// The name of the task; "callback" for one that the loop called outside any task.
  const std::string& name() const noexcept { return name_; }
  /// How long it kept the loop, by `std::chrono::steady_clock`.
  std::chrono::nanoseconds duration() const noexcept { return duration_; }
  /// The file and the line of the await from which the step went on; empty for a task's first step.
  const std::string& place() const noexcept { return place_; }

 private:
  std::string name_;
  std::chrono::nanoseconds duration_;
  std::string place_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
