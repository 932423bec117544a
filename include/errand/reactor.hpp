// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <optional>

#include <errand/clock.hpp>

namespace errand {

/// Sleeps for the loop, and does the host's I/O meanwhile. Implement it if an App is to live on poll(2), on Asio, or on
/// any other source of events, and give it to the App as `AppConfig::reactor`. It must outlive the App.
///
/// Inside `wait`, which is called on the App's thread, it may use every member of the App but `run`; a `poll` does
/// nothing there. When it finds input, it tells the tasks: it sets an `Event` or a `Future`, or calls `add_task` or
/// `call_soon`. None of these runs a task inside `wait`; the tasks run in the next turn.
///
///     class Files : public errand::Reactor {
///      public:
///       void wait(std::optional<errand::Clock::time_point> until) override {
///         for (Ready& ready : look_at_files_and_pipe(until)) ready.event.set();
///       }
///       void wake() noexcept override { write_to_pipe(); }
///     };
///     Files files;
///     errand::App app("server", {.reactor = &files});
///
/// An App with a Reactor never throws `Deadlock`, because the Reactor may wake its tasks, and it has one worker only.
/// If the host uses `App::poll` instead of `run`, it sleeps by itself: then `wait` is not called, but `wake` is.
struct Reactor {
  /// Sleeps until there is input, and does the I/O. Called by `run`, on its thread, after every turn. It must return
  ///
  /// - at `until`, a time of the App's clock. If that is not in the future, tasks are ready to run: look for input, but
  ///   do not sleep. (If a look takes longer than a turn, do not look each time, but now and then.) If `until` is
  ///   empty, there is no limit. (If it returns late, the App's timers are late, no more.)
  /// - as soon as it has told a task of input, because the task runs only after the return;
  /// - if `wake` was called since the last return. A call that came earlier may be forgotten: the App has seen it.
  ///
  /// It may return early for no reason. This costs a turn, in which nothing runs that should not.
  ///
  /// If it throws, `run` destroys the tasks where they stand, without calling the stop listeners, and rethrows the
  /// exception.
  ///
  /// If the App has an `AppConfig::clock`, `until` is a time of this clock, and the Reactor has to ask this clock how
  /// long to sleep. With a `ManualClock` there is no limit. But before such a clock jumps, `wait` is called with the
  /// present time, and if there is input, the clock jumps only when the tasks have dealt with it.
  virtual void wait(std::optional<Clock::time_point> until) = 0;

  /// Ends the `wait` that is under way, or else the next one. Called on any thread, on several at once, and from inside
  /// `wait`. The App calls it
  ///
  /// - for `stop`, for SIGINT and SIGTERM, and when the last `KeepAlive` has gone;
  /// - after the App was polled inside its own `run` or `poll`, when the outer one is over;
  /// - when another thread has something for the loop (`post`, `submit`, the end of a `to_thread`, a shared `Future`)
  ///   and nothing else waits to be fetched. So it is called once for any number of such calls.
  ///
  /// The calling thread holds a lock of the App: this function must neither call the App nor wait for its thread.
  virtual void wake() noexcept = 0;

  virtual ~Reactor() = default;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
