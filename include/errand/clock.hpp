// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>

#include <errand/detail/durations.hpp>

namespace errand {

/// What times are taken from, where no other clock is given.
using Clock = std::chrono::steady_clock;

namespace detail {
class Loop;
}

/// Where an App takes its time from, `std::chrono::steady_clock` unless `AppConfig::clock` names another.
struct ClockSource {
  /// Never goes back. Called on the App's thread. What it throws comes out of the call or the await that needs the
  /// time; where the loop needs it, `run` ends where it stands and throws that, and so does the `poll` that is under
  /// way, after which the next one goes on.
  virtual Clock::time_point now() = 0;
  virtual ~ClockSource() = default;
};

/// A clock for tests: time stands still while anything is ready to run, and jumps to the next deadline when nothing is.
/// Hours of sleeping take microseconds and come out the same every time. It starts at 0.
///
/// It does not jump while something from outside is under way: a thread call, an awaited `Future<T>::shared()`, an
/// awaitable that is not the library's. A *held* clock jumps only on `advance`.
///
///     errand::ManualClock clock;
///     errand::App app("test", {.clock = &clock});
///     app.run([]() -> errand::Coro<> { co_await errand::sleep(24h); }());   // returns at once
class ManualClock : public ClockSource {
 public:
  /// How time moves: by itself to the next deadline, or on `advance` alone.
  enum Mode { jumping, held };

  /// At `Clock::time_point()`, which is 0.
  explicit ManualClock(Mode mode = jumping) noexcept : mode_(mode) {}

  Clock::time_point now() override { return now_; }

  /// Moves time on; what became due runs in the App's next turn. Tasks and callbacks may call it. Not thread-safe.
  template <class Rep, class Period>
  void advance(std::chrono::duration<Rep, Period> by);

 private:
  friend class detail::Loop;

  Clock::time_point now_{};
  Mode mode_;
};

// Implementation

namespace detail {

/// The deadline that never comes.
inline constexpr Clock::time_point never = Clock::time_point::max();

constexpr Clock::time_point add(Clock::time_point from, Nanoseconds delay) noexcept {
  if (delay > Nanoseconds::zero() && from > never - delay) return never;
  return from + delay;
}

}  // namespace detail

template <class Rep, class Period>
void ManualClock::advance(std::chrono::duration<Rep, Period> by) {
  const auto delay = detail::to_nanoseconds(by);
  if (delay > detail::Nanoseconds::zero()) now_ = detail::add(now_, delay);
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
