// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string>

#include <errand/detail/base/owner.hpp>
#include <errand/observer.hpp>

namespace errand {

namespace detail {
class TraceEvents;
}

/// An Observer that writes what the tasks do into a file. Open the file at https://ui.perfetto.dev, which keeps it on
/// your machine, or in chrome://tracing.
///
///     errand::Trace trace("run.json");
///     errand::App app("MyApp", {.observer = &trace});
///
/// There is a row for each task. A step of the task is a slice with the name of the wait that the step has led to, such
/// as "queue at feed.cpp:25", or with "succeeded", "failed" or "cancelled" if the task has ended. An arrow goes from
/// the step that has woken or added a task to the next step of that task. A task that a timer, a callback or another
/// thread has woken has no arrow. The row "loop" shows when the loop has slept. Each App has a process of its own, and
/// so has each worker. The tasks are threads of this process, and their ids are the ids of the threads. The time is
/// that of the steady clock, from the construction of the trace.
///
/// The trace must outlive the App. Several Apps may have the same one, also on several threads.
///
/// The file has the Trace Event format: an array in JSON, one event in each line. Events are kept in memory until there
/// are 64 KB of them, or until an event comes 100 ms after the last time that the file was written. If the program
/// dies, the events in memory are lost, and the array has no end; viewers open the file nevertheless.
///
/// If the file cannot be written any more, because the disk is full, or if there is no memory, the tasks do not notice:
/// the trace ends, and `close` throws the error. If the trace is destroyed without `close`, the error goes to stderr.
class Trace final : public Observer {
 public:
  /// Makes the file, or empties the one that is there. Throws `std::system_error`, which names the file, if it cannot
  /// be opened.
  explicit Trace(const std::string& path);
  /// Closes the file. Does not throw.
  ERRAND_ONCE ~Trace() override;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// Writes the events that are kept in memory into the file. May be called on any thread. Throws `std::system_error`,
  /// which names the file, if an event could not be written, now or before.
  ///
  /// A step is written when it is over: if a task calls this, its own step is not in the file yet.
  void flush();
  /// Writes the end of the file, and closes it. Later events are dropped. May be called on any thread, more than once.
  /// Throws `std::system_error`, which names the file, if an event could not be written.
  void close();

 private:
  ERRAND_ONCE void task_added(const TaskEvent& event) override;
  ERRAND_ONCE void step_began(const TaskEvent& event) override;
  ERRAND_ONCE void step_ended(const TaskEvent& event) override;
  ERRAND_ONCE void woken(const TaskEvent& event) override;
  ERRAND_ONCE void task_ended(const TaskEvent& event) override;
  ERRAND_ONCE void slept(Clock::time_point from, Clock::time_point to) override;

  const detail::Owner<detail::TraceEvents> events_;
};

}  // namespace errand

// Implementation

#if ERRAND_DEFINES
#include <errand/detail/app/trace_events.hpp>
#endif

#include <errand/detail/epilogue.hpp>
