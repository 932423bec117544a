// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>

#include <errand/detail/base/durations.hpp>

namespace errand {

/// The type of clock in which all times are given. An App reads this clock unless `AppConfig::clock` names another one.
using Clock = std::chrono::steady_clock;

namespace detail {

class Loop;

/// An App, as its ManualClock knows it: the clock keeps a list of the Apps that use it.
struct ClockUser {
  /// Returns when the App has to be woken next; `Clock::time_point::max()` if nothing in it waits for a time.
  virtual Clock::time_point first_deadline() const noexcept = 0;

  ClockUser* next_user = nullptr;  // in the clock's list

 protected:
  ~ClockUser() = default;
};

}  // namespace detail

/// A source of time for an App, to be given as `AppConfig::clock`. It must outlive the App. An App without one uses
/// `std::chrono::steady_clock`.
struct ClockSource {
  /// Returns the time, which must never go back. Called on the App's thread. If it throws, the exception comes out of
  /// the call or the await that needs the time. If the loop itself needs the time, `run` destroys its tasks where they
  /// stand and throws the exception. A `poll` throws it too, but the next `poll` goes on with the tasks.
  virtual Clock::time_point now() = 0;
  virtual ~ClockSource() = default;
};

/// A clock for tests: time stands still while anything is ready to run, and jumps to the next deadline when nothing is.
/// Hours of sleeping take microseconds, and a test has the same result each time. The clock starts at 0.
///
/// The clock does not jump while the App waits for something from outside: a thread call, a `Future<T>::shared()`, or
/// an awaitable that is not the library's. If the App has a Reactor, the clock jumps only after the Reactor was asked
/// for input. A *held* clock moves only when `advance` is called. A clock must outlive the Apps that use it.
///
///     errand::ManualClock clock;
///     errand::App app("test", {.clock = &clock});
///     app.run([]() -> errand::Coro<> { co_await errand::sleep(24h); }());   // returns at once
class ManualClock : public ClockSource {
 public:
  /// How time moves: `jumping` to the next deadline by itself, or `held` until `advance` is called.
  enum Mode { jumping, held };

  /// Starts at 0, which is `Clock::time_point()`.
  explicit ManualClock(Mode mode = jumping) noexcept : mode_(mode) {}
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;

  Clock::time_point now() override { return now_; }

  /// Moves time on by `by`, and stops at every deadline on the way. The first deadline is reached at once. Time moves
  /// to the next one when everything has run that was woken at the last one. So a task that sleeps a minute again and
  /// again wakes 60 times in an hour. If there is no deadline on the way, all of `by` has passed when the call returns.
  /// A call that comes before the last `advance` is over adds to it. If `by` is zero or negative, nothing happens. A
  /// task that has not begun has no deadline yet: if a test adds one, it calls `run_ready` before `advance`.
  ///
  /// Inside `run`, `poll` and `run_ready`, the App goes on from one deadline to the next. Before each, it waits for
  /// thread calls, because a task that was woken may have started them. It does not wait for shared futures or for
  /// awaitables that are not the library's, because these may never be ready. Tasks and callbacks may call `advance`.
  /// Not thread-safe.
  template <class Rep, class Period>
  void advance(std::chrono::duration<Rep, Period> by);

 private:
  friend class detail::Loop;

  void enter(detail::ClockUser& user) noexcept {
    user.next_user = users_;
    users_ = &user;
  }
  void leave(const detail::ClockUser& user) noexcept {
    detail::ClockUser** place = &users_;
    while (*place != &user) place = &(*place)->next_user;
    *place = user.next_user;
  }
  bool is_advancing() const noexcept { return now_ < target_; }
  /// Moves on to this deadline, but no further than `advance` has asked for. If the deadline has passed, time stays as
  /// it is.
  void go_on(Clock::time_point deadline) noexcept {
    if (deadline > now_) now_ = deadline < target_ ? deadline : target_;
  }
  void move_on(std::chrono::nanoseconds delay) noexcept;

  Clock::time_point now_{};
  Clock::time_point target_{};  // the end of the last `advance`, which is over if `now_` has reached it
  Mode mode_;
  detail::ClockUser* users_ = nullptr;  // the first App of the list
};

// Implementation

namespace detail {

/// The deadline that never comes.
inline constexpr Clock::time_point never = Clock::time_point::max();

/// Returns `from + delay`, or the first or the last point in time if the sum does not fit. The largest delay gives
/// `never`, even if `from` is before the epoch of the clock, so that the sum would fit.
constexpr Clock::time_point add(Clock::time_point from, Nanoseconds delay) noexcept {
  constexpr Clock::time_point first = Clock::time_point::min();
  if (delay > Nanoseconds::zero()) return delay == Nanoseconds::max() || from > never - delay ? never : from + delay;
  return delay == Nanoseconds::min() || from < first - delay ? first : from + delay;
}

}  // namespace detail

template <class Rep, class Period>
void ManualClock::advance(std::chrono::duration<Rep, Period> by) {
  const auto delay = detail::to_nanoseconds(by);
  if (delay > detail::Nanoseconds::zero()) move_on(delay);
}

#if ERRAND_DEFINES

ERRAND_ONCE void ManualClock::move_on(std::chrono::nanoseconds delay) noexcept {
  if (is_advancing()) {  // the tasks that were woken on the way so far may not have run yet
    target_ = detail::add(target_, delay);
    return;
  }
  target_ = detail::add(now_, delay);
  Clock::time_point first = detail::never;
  for (const detail::ClockUser* user = users_; user; user = user->next_user) {
    const Clock::time_point deadline = user->first_deadline();
    if (deadline < first) first = deadline;
  }
  go_on(first);
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
