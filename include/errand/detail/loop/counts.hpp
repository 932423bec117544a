// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>

#include <errand/clock.hpp>
#include <errand/detail/base/durations.hpp>

namespace errand::detail {

/// The numbers that a loop counts for `App::stats`.
struct Counts {
  std::uint64_t ended = 0;   // all tasks that have ended, however
  std::uint64_t hidden = 0;  // hidden tasks among them, which the next two do not count
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t turns = 0;
  std::uint64_t more_steps = 0;  // the steps after the first one of a turn
  std::uint64_t callbacks = 0;
  Clock::time_point entered;  // the last time at which the thread has entered `run` or `poll`
  Nanoseconds inside{};       // the time inside them, without that since `entered`
  Nanoseconds asleep{};
  Clock::time_point fell_asleep;  // the time at which the sleep began that is under way; zero if none is

  /// Returns the time asleep, with that of the sleep that is under way.
  Nanoseconds all_asleep() const noexcept {
    const bool is_asleep = fell_asleep != Clock::time_point();
    return asleep + (is_asleep ? Clock::now() - fell_asleep : Nanoseconds());
  }
};

/// Counts a sleep of the loop, also if a Reactor throws in it. Sets `to` to the end of the sleep.
class Asleep {
 public:
  Asleep(Counts& counts, Clock::time_point from, Clock::time_point& to) noexcept : counts_(counts), to_(to) {
    counts_.fell_asleep = from;
  }
  ~Asleep() {
    to_ = Clock::now();
    counts_.asleep += to_ - counts_.fell_asleep;
    counts_.fell_asleep = {};
  }
  Asleep(const Asleep&) = delete;

 private:
  Counts& counts_;
  Clock::time_point& to_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
