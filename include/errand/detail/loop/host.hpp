// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>

#include <errand/detail/base/durations.hpp>

namespace errand::detail {

class TaskBase;

/// What the loop asks of the App that it works for.
struct Host {
  /// A task, or a callback where `task` is null, has failed, and nobody can be waiting for it.
  virtual void report(TaskBase* task, std::exception_ptr error) noexcept = 0;
  /// A task that is registered under a name has ended.
  virtual void registered_ended(TaskBase& task) noexcept = 0;
  /// Nothing but a signal can wake the tasks of a run that handles signals.
  virtual void report_stall(std::exception_ptr error) noexcept = 0;
  /// A step of this task, or of a callback where it is null, took longer than `AppConfig::slow_step`.
  virtual void slow_step(TaskBase* task, Nanoseconds took, const char* file, unsigned line) noexcept = 0;

 protected:
  ~Host() = default;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
