// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdint>
#include <ratio>
#include <type_traits>

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

using Nanoseconds = std::chrono::nanoseconds;

/// The deadline that never comes.
inline constexpr Clock::time_point never = Clock::time_point::max();

/// Any duration in nanoseconds, rounded up; what does not fit becomes the largest, or the smallest.
template <class Rep, class Period>
constexpr Nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> duration) noexcept {
  if constexpr (std::is_same_v<std::chrono::duration<Rep, Period>, Nanoseconds>) {
    return duration;
  } else if constexpr (std::is_floating_point_v<Rep>) {
    constexpr long double most = 9223372036854775807.0L;
    const long double count = std::chrono::duration<long double, std::nano>(duration).count();
    if (count >= most) return Nanoseconds::max();
    if (!(count > -most)) return Nanoseconds::min();
    const Nanoseconds whole(static_cast<std::int64_t>(count));
    return static_cast<long double>(whole.count()) < count ? whole + Nanoseconds(1) : whole;
  } else if constexpr (std::ratio_greater_equal_v<Period, std::nano>) {
    using Same = std::chrono::duration<std::int64_t, Period>;
    constexpr std::int64_t most = std::chrono::duration_cast<Same>(Nanoseconds::max()).count();
    if constexpr (std::is_unsigned_v<Rep>) {
      if (duration.count() > static_cast<std::uint64_t>(most)) return Nanoseconds::max();
    } else {
      if (duration.count() > most) return Nanoseconds::max();
      if (duration.count() < -most) return Nanoseconds::min();
    }
    return std::chrono::ceil<Nanoseconds>(std::chrono::duration<std::int64_t, Period>(duration));
  } else {
    return std::chrono::ceil<Nanoseconds>(duration);
  }
}

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
