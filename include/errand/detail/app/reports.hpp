// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <errand/config.hpp>
#include <errand/detail/app/signals.hpp>
#include <errand/detail/app/workers.hpp>
#include <errand/detail/base/owner.hpp>

namespace errand::detail {

/// Reports failures and slow steps, as the configuration says. Only one worker of a run reports at a time.
class Reports {
 public:
  Reports(Loop& loop, const AppConfig& config, const Owner<SignalHub>& signals,
          const std::shared_ptr<Workers>& group) noexcept
      : loop_(loop), config_(config), signals_(signals), group_(group) {}

  /// Reports a failure under the name of `task` or, if that is null, under `name`. If somebody listens to failures, it
  /// is dispatched as a signal too.
  void failure(TaskBase* task, std::exception_ptr error, const char* name = "callback") noexcept;
  /// Reports that a step of `task`, or of a callback if it is null, has kept the loop for `took`. `file` is null if the
  /// place is not known.
  void slow_step(TaskBase* task, Nanoseconds took, const char* file, unsigned line) noexcept;

 private:
  static std::string name_of(const TaskBase* task) { return task ? task->name() : "callback"; }
  static void say(std::initializer_list<std::string_view> parts) noexcept;
  void tell(const TaskFailure& failure) noexcept;

  Loop& loop_;
  const AppConfig& config_;
  const Owner<SignalHub>& signals_;
  const std::shared_ptr<Workers>& group_;
};

// Implementation

ERRAND_COLD inline void Reports::failure(TaskBase* task, std::exception_ptr error, const char* name) noexcept {
  try {
    const TaskFailure failure(task ? task->name() : name, std::move(error), Task<>(TaskHandle(task)));
    tell(failure);
    const bool is_report = task && task->is_report();
    if (signals_ && !loop_.closing && !is_report) signals_->report(failure);
    failure.let_go();
  } catch (...) {
    say({"a failure could not be reported"});
  }
}

ERRAND_COLD inline void Reports::tell(const TaskFailure& failure) noexcept {
  const OneWorker alone(group_.get(), Workers::Call::report);
  if (!config_.on_failure) return say({"'", failure.name(), "' failed: ", failure.what()});
  try {
    config_.on_failure(failure);
  } catch (...) {
    say({"on_failure threw while it was told of '", failure.name(), "': ", failure.what()});
  }
}

/// Writes one line on `std::cerr`, whatever the parts contain, and even if there is no memory. If it cannot be written,
/// nothing happens.
ERRAND_COLD inline void Reports::say(std::initializer_list<std::string_view> parts) noexcept {
  try {
    std::cerr << "errand: ";
    for (const std::string_view part : parts) {
      write_printable(part, [](std::string_view piece) { std::cerr << piece; });
    }
    std::cerr << '\n';
  } catch (...) {
  }
}

ERRAND_COLD inline void Reports::slow_step(TaskBase* task, Nanoseconds took, const char* file, unsigned line) noexcept {
  try {
    const SlowStep step(name_of(task), took, file ? text({file, ":", number(line)}) : std::string());
    const OneWorker alone(group_.get(), Workers::Call::report);
    if (config_.on_slow_step) {
      config_.on_slow_step(step);
    } else {
      const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
      say({"a step of '", step.name(), "' took ", number(static_cast<std::uint64_t>(milliseconds)), " ms",
           file ? " from " : "", step.place()});
    }
  } catch (...) {
    say({"a slow step could not be reported"});
  }
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
