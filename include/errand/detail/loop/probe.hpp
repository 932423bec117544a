// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/clock.hpp>

namespace errand::detail {

class Chain;
class TaskBase;

/// Is told what the tasks of a loop do. A loop has one if its App has an Observer or a `slow_step`; `Observation` is
/// the only class of it. What it calls must not throw.
struct Probe {
  /// Called when a task has been added and has its name, before its first step.
  virtual void added(TaskBase& task) noexcept = 0;
  /// Called before a step of a chain of `task`. Both are null if the step is a call.
  virtual void step_begins(TaskBase* task, Chain* chain) noexcept = 0;
  /// Called after the step. `chain` is null if the chain that has made the step has ended.
  virtual void step_ended(TaskBase* task, Chain* chain) noexcept = 0;
  /// Called when a wait of this chain has ended. Only for tasks of which `added` has set `Chain::tells_when_woken`.
  virtual void woken(Chain& chain) noexcept = 0;
  /// Called when such a task has ended.
  virtual void ended(TaskBase& task) noexcept = 0;
  /// Called when the loop has slept.
  virtual void slept(Clock::time_point from, Clock::time_point to) noexcept = 0;

 protected:
  ~Probe() = default;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
