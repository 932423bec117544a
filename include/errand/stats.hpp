// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdint>

namespace errand {

/// Counts of an App since it was made, as `App::stats` returns them. It is plain data. The App's own work, such as its
/// listeners, is not counted among the tasks. Each worker has an App of its own, and so has its own counts. While `run`
/// has something to do without a sleep, steps and turns are counted a little later: after 1,024 turns at most.
struct Stats {
  std::uint64_t added = 0;            ///< tasks that were added, of which each is one of the next four
  std::uint64_t succeeded = 0;        ///< tasks that have returned
  std::uint64_t failed = 0;           ///< tasks that have ended with an exception other than `Cancelled`
  std::uint64_t cancelled = 0;        ///< tasks that have ended by `Cancelled` or `abort`, or that never began
  std::uint64_t pending = 0;          ///< tasks that have not ended, also aborted ones that a thread call still uses
  std::uint64_t steps = 0;            ///< steps of tasks, and calls of callbacks and the like
  std::uint64_t turns = 0;            ///< turns of the loop in which there was something to run
  std::uint64_t callbacks = 0;        ///< callbacks that were called, also of `Task::add_done_callback`, but no posts
  std::uint64_t posts = 0;            ///< calls that `post` and `submit` have put into the queue
  std::uint64_t timers = 0;           ///< timers that are armed now: those of waits and of callbacks
  std::chrono::nanoseconds busy{};    ///< real time inside `run` and `poll`, without that in `asleep`
  std::chrono::nanoseconds asleep{};  ///< real time in which `run` has slept, or its Reactor has waited
  /// The longest step, in real time. Steps are timed only if there is an `AppConfig::slow_step`, or an Observer that is
  /// told of steps; otherwise this is zero.
  std::chrono::nanoseconds longest_step{};
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
