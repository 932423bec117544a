// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <string>
#include <utility>

#include <errand/task.hpp>

namespace errand {

/// A failure that nobody could be waiting for. `AppConfig::on_failure` gets it, and the signal
/// `server.exception.report` carries it.
class TaskFailure {
 public:
  /// For the library.
  ERRAND_COLD TaskFailure(std::string name, std::exception_ptr exception, Task<> task)
      : name_(std::move(name)), what_(what_of(exception)), exception_(std::move(exception)), task_(std::move(task)) {}

  /// The name of the task; "callback" for one that the loop called outside any task.
  const std::string& name() const noexcept { return name_; }
  /// The message of the exception; of one that is no `std::exception`, a sentence that says so.
  const std::string& what() const noexcept { return what_; }
  /// What the task or the callback threw.
  const std::exception_ptr& exception() const noexcept { return exception_; }
  /// The task that failed; empty for a callback.
  const Task<>& task() const noexcept { return task_; }

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
  Task<> task_;
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
