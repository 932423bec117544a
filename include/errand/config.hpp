// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <functional>

#include <errand/failure.hpp>
#include <errand/observer.hpp>
#include <errand/reactor.hpp>

namespace errand {

/// The configuration of an App. If `on_failure` or `on_slow_step` throws, the exception is swallowed, with a line on
/// `std::cerr`.
struct AppConfig {
  ClockSource* clock = nullptr;  ///< null for `std::chrono::steady_clock`; must outlive the App
  Reactor* reactor = nullptr;    ///< null if the loop is to sleep on a condition variable; must outlive the App
  /// How long the listeners of each phase of the stop may take, and then again the tasks that are left. A start
  /// listener has the same time after `stop` has asked it to end. Listeners and tasks that have not ended by then are
  /// reported and destroyed. Tasks that these reports have started get the same time once more.
  std::chrono::nanoseconds graceful_timeout = std::chrono::seconds(15);
  std::chrono::nanoseconds slow_step = {};  ///< if above zero, every step that takes longer is reported
  bool purge_when_done = false;             ///< if true, a named task is forgotten as soon as it is done
  unsigned max_threads = 32;                ///< how many threads `to_thread` may use; 0 counts as 1
  /// Called for each failure that is reported; if empty, one line goes to `std::cerr`.
  std::function<void(const TaskFailure&)> on_failure = {};
  /// Called for each step that is reported because of `slow_step`; if empty, one line goes to `std::cerr`.
  std::function<void(const SlowStep&)> on_slow_step = {};
  ObserverPointer observer = nullptr;  ///< is told what the tasks do, see `Observer`; must outlive the App
};

/// The options of `App::run`.
struct RunOptions {
  /// How many threads, each with an App of its own; the calling thread is the first.
  unsigned workers = 1;
  /// If true, SIGINT and SIGTERM stop the App, and on Windows SIGBREAK too. A second one ends all waiting from then on;
  /// a third one ends the process.
  bool handle_signals = false;
  /// If true, the App runs until `stop`, even while there is no work.
  bool keep_alive = false;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
