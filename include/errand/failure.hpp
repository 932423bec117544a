// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <errand/detail/app/failed_tasks.hpp>
#include <errand/detail/base/what.hpp>
#include <errand/task.hpp>

namespace errand {

/// A failure that is reported, because nobody could be waiting for it. `AppConfig::on_failure` gets it, and the signal
/// `server.exception.report` carries it. It may be copied, kept and read on any thread.
class TaskFailure {
 public:
  /// For the library's own use, on the App's thread: `task` is empty for a callback.
  ERRAND_COLD TaskFailure(std::string name, std::exception_ptr exception, Task<> task)
      : name_(std::move(name)), what_(detail::what_of(exception)), exception_(std::move(exception)) {
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
