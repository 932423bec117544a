// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>

#include <errand/clock.hpp>
#include <errand/detail/base/durations.hpp>

namespace errand::detail {

/// What a loop counts for `App::stats`.
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
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
