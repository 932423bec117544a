// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>

namespace errand::detail {

class TaskBase;

/// The App, as its loop knows it: the loop tells it of these events. `Engine` is the only one.
struct Host {
  /// Called if a task has failed and nobody can be waiting for it. If `task` is null, the error is that of a callback,
  /// or of the run.
  virtual void report(TaskBase* task, std::exception_ptr error) noexcept = 0;
  /// Called if a task has ended that is registered under a name.
  virtual void registered_ended(TaskBase& task) noexcept = 0;
  /// Called if a run handles signals, and nothing but a signal can wake its tasks.
  virtual void report_stall(std::exception_ptr error) noexcept = 0;

 protected:
  ~Host() = default;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
