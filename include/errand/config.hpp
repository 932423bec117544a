// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <functional>

#include <errand/failure.hpp>
#include <errand/reactor.hpp>

namespace errand {

/// How an App is made. What `on_failure` and `on_slow_step` throw is swallowed, with a line on `std::cerr`.
struct AppConfig {
  ClockSource* clock = nullptr;  ///< null: `std::chrono::steady_clock`; must outlive the App
  Reactor* reactor = nullptr;    ///< null: a condition variable; must outlive the App
  /// How long each phase of the stop may take, and a start listener that `stop` has asked to end. What still stands
  /// then is reported and destroyed.
  std::chrono::nanoseconds graceful_timeout = std::chrono::seconds(15);
  std::chrono::nanoseconds slow_step = {};  ///< above zero: every step that keeps the loop longer is reported
  bool purge_when_done = false;             ///< forget a named task as soon as it is done
  unsigned max_threads = 32;                ///< of `to_thread`; 0 counts as 1
  std::function<void(const TaskFailure&)> on_failure = {};  ///< empty: one line on `std::cerr`
  std::function<void(const SlowStep&)> on_slow_step = {};   ///< empty: one line on `std::cerr`
};

/// How an App runs.
struct RunOptions {
  unsigned workers = 1;         ///< threads with an App of their own each; the calling
                                ///< thread is the first
  bool handle_signals = false;  ///< SIGINT and SIGTERM stop the App; a second
                                ///< one ends all waiting from then on, a third
                                ///< one the process
  bool keep_alive = false;      ///< run until `stop`, also while there is no work
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
