// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <optional>

#include <errand/clock.hpp>

namespace errand {

/// Sleeps for the loop, and does the host's I/O meanwhile: implement it to let an App live on poll(2), on Asio, or on
/// any other source of events, and give it to the App as `AppConfig::reactor`. It must outlive the App.
///
/// On the App's thread, from inside `wait`, it may use everything of the App but `run`; a `poll` does nothing. What it
/// finds ready it hands on by setting an `Event` or a `Future`, by `add_task` or `call_soon`. None of these runs a task
/// inside `wait`; they run in the next turn.
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
/// An App with a Reactor never throws `Deadlock`, since the Reactor may wake its tasks, and has one worker. While
/// `App::poll` is used instead of `run`, the host sleeps by itself: `wait` is not called then, `wake` is.
struct Reactor {
  /// Called by `run`, on its thread, after every turn: do what I/O there is, and return
  ///
  /// - at `until`, a time of the App's clock. One that is not in the future means that tasks are ready to run: look at
  ///   the I/O without sleeping. Empty: there is no limit. (To return late makes the App's timers late, no more.)
  /// - as soon as something was handed on, since only the return lets it run;
  /// - after a `wake` that came since the last return. One that came earlier may be forgotten: the App has seen it.
  ///
  /// Returning early for no reason is allowed: it costs a turn, in which nothing runs that should not.
  ///
  /// What it throws ends `run`, which destroys the tasks where they stand, without the stop listeners, and rethrows it.
  ///
  /// The limit is of the App's own clock, so that a Reactor for an App with an `AppConfig::clock` has to ask that one
  /// how long it is to wait. With a `ManualClock` there is no limit; but before the clock moves on by itself, `until`
  /// is now: if there is input, the clock does not move on until that was seen to.
  virtual void wait(std::optional<Clock::time_point> until) = 0;

  /// Ends the `wait` that is under way, or else the next one. Called from any thread, by several at once, and from
  /// inside `wait`: by `stop`, by SIGINT, by the last `KeepAlive`, after a poll inside a poll, and when a call from
  /// another thread (`post`, `submit`, the end of a `to_thread`, a shared `Future`) comes into an empty inbox, which is
  /// once for any number of them.
  ///
  /// It holds a lock of the App meanwhile: it must neither call the App back nor wait for its thread.
  virtual void wake() noexcept = 0;

  virtual ~Reactor() = default;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
