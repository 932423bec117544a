// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <string>
#include <utility>

#include <errand/config.hpp>
#include <errand/detail/app/collector.hpp>
#include <errand/detail/app/driver.hpp>
#include <errand/detail/app/reports.hpp>
#include <errand/detail/app/workers.hpp>
#include <errand/detail/loop/probe.hpp>
#include <errand/detail/task/task_base.hpp>

namespace errand::detail {

/// Tells the Observer of the configuration what the tasks do, and times the steps for `AppConfig::slow_step`.
class Observation final : public Probe {
 public:
  /// Uses its arguments only later, because the Engine makes the reports and the driver after this.
  Observation(const AppConfig& config, Reports& reports, const Driver& driver) noexcept
      : config_(config), reports_(reports), driver_(driver) {}

  /// Returns the probe for the loop; null if the configuration needs none.
  Probe* probe() noexcept { return probes_steps() || config_.observer ? this : nullptr; }
  /// Returns true if the loop has to call this before and after each step.
  bool probes_steps() const noexcept {
    using enum ObserverPointer::Member;
    return times_steps() || config_.observer.overrides(step_began | step_ended | woken);
  }
  Nanoseconds longest_step() const noexcept { return longest_step_; }

  // The word `inline` in the class keeps the table of these functions out of programs that do not use it.
  inline void added(TaskBase& task) noexcept override;
  inline void step_begins(TaskBase* task, Chain* chain) noexcept override;
  inline void step_ended(TaskBase* task, Chain* chain) noexcept override;
  inline void woken(Chain& chain) noexcept override;
  inline void ended(TaskBase& task) noexcept override;
  inline void slept(Clock::time_point from, Clock::time_point to) noexcept override;

 private:
  /// Returns true if slow steps are to be reported.
  bool times_steps() const noexcept { return config_.slow_step > Nanoseconds::zero(); }
  /// Fills in the event that is told next.
  TaskEvent& about(const TaskBase& task, Clock::time_point time, std::uint64_t cause = 0) noexcept;
  /// Notes in the event at which wait the chain is suspended. A branch that is only a wait has the place of its
  /// combinator.
  void note_wait(Chain& chain) noexcept;
  /// Calls this member of the observer with the event. Meanwhile the App of this loop is the current one of the thread,
  /// also outside of `run` and `poll`: by that a `Trace` knows the App.
  void tell(Loop& loop, void (Observer::*member)(const TaskEvent&));

  const AppConfig& config_;
  Reports& reports_;
  const Driver& driver_;
  TaskEvent event_;             // one for all calls, so that its texts keep their memory
  std::uint64_t acting_ = 0;    // the id of the task that makes the step; 0 if none does
  Clock::time_point began_;     // the time at which the step began
  const char* file_ = nullptr;  // the place from which the step goes on; null if it is not known
  unsigned line_ = 0;
  Nanoseconds longest_step_{};
};

// Implementation

ERRAND_COLD inline TaskEvent& Observation::about(const TaskBase& task, Clock::time_point time,
                                                 std::uint64_t cause) noexcept {
  const std::uint64_t id = task.identity.id();
  if (event_.id != id || task.has_name()) {  // it may have got its name after the last event
    try {
      task.get_name(event_.name);
    } catch (...) {  // no memory
      event_.name.clear();
    }
  }
  event_.id = id;
  event_.time = time;
  event_.cause = cause;
  event_.what.clear();
  event_.file.clear();
  event_.line = 0;
  return event_;
}

ERRAND_COLD inline void Observation::note_wait(Chain& chain) noexcept {
  const PromiseBase* place = nullptr;
  for (const Chain* at = &chain; !(place = place_of(at->leaf)) && (at->flags & Chain::is_branch);) {
    at = &static_cast<const BranchBase*>(at)->above();
  }
  if (place) event_.line = place->line;
  try {
    event_.what = WaitCollector::what(chain);
    if (place) event_.file = file_of_place(*place);
  } catch (...) {  // no memory
  }
}

ERRAND_COLD inline void Observation::tell(Loop& loop, void (Observer::*member)(const TaskEvent&)) {
  ThreadState& thread = this_thread();
  Loop* const outer = std::exchange(thread.loop, &loop);
  const OneWorker alone(driver_.group.get(), Workers::Call::observer);
  (static_cast<Observer*>(config_.observer)->*member)(event_);
  thread.loop = outer;
}

ERRAND_COLD inline void Observation::added(TaskBase& task) noexcept {
  if (!config_.observer) return;
  task.flags |= Chain::tells_when_woken;
  task.is_special = true;  // so that its end is told
  if (!config_.observer.overrides(ObserverPointer::task_added)) return;
  Chain* const current = task.loop->current;
  about(task, Clock::now(), current ? static_cast<TaskBase&>(current->root()).identity.id() : 0);
  tell(*task.loop, &Observer::task_added);
}

ERRAND_COLD inline void Observation::step_begins(TaskBase* task, Chain* chain) noexcept {
  file_ = nullptr;
  acting_ = 0;
  began_ = Clock::now();
  if (!task) return;
  acting_ = task->identity.id();
  if (const PromiseBase* const place = times_steps() ? place_of(chain->leaf) : nullptr) {
    file_ = place->file_name();
    line_ = place->line;
  }
  if (acting_ == 0 || !config_.observer.overrides(ObserverPointer::step_began)) return;
  about(*task, began_);
  tell(*task->loop, &Observer::step_began);
  began_ = Clock::now();  // the time that the observer takes is not that of the step
}

ERRAND_COLD inline void Observation::step_ended(TaskBase* task, Chain* chain) noexcept {
  const Clock::time_point now = Clock::now();
  const Nanoseconds took = now - began_;
  if (took > longest_step_) longest_step_ = took;
  if (acting_ != 0 && config_.observer.overrides(ObserverPointer::step_ended)) {
    about(*task, now);
    if (!task->done()) note_wait(chain ? *chain : *task);
    tell(*task->loop, &Observer::step_ended);
  }
  acting_ = 0;
  if (times_steps() && took > config_.slow_step) reports_.slow_step(task, took, file_, line_);
}

ERRAND_COLD inline void Observation::woken(Chain& chain) noexcept {
  if (!config_.observer.overrides(ObserverPointer::woken)) return;
  about(static_cast<TaskBase&>(chain.root()), Clock::now(), acting_);
  tell(*chain.loop, &Observer::woken);
}

ERRAND_COLD inline void Observation::ended(TaskBase& task) noexcept {
  if (!config_.observer.overrides(ObserverPointer::task_ended)) return;
  about(task, Clock::now()).what = to_string(task.status);  // short enough to need no memory
  tell(*task.loop, &Observer::task_ended);
}

ERRAND_COLD inline void Observation::slept(Clock::time_point from, Clock::time_point to) noexcept {
  if (!config_.observer.overrides(ObserverPointer::slept)) return;
  const OneWorker alone(driver_.group.get(), Workers::Call::observer);
  static_cast<Observer*>(config_.observer)->slept(from, to);
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
