// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>

#include <errand/detail/base/durations.hpp>

namespace errand {

/// What times are taken from, where no other clock is given.
using Clock = std::chrono::steady_clock;

namespace detail {

class Loop;

/// What a ManualClock knows of an App that lives by it.
struct ClockUser {
  /// When the App has to be woken next; `Clock::time_point::max()` if nothing in it waits for a time.
  virtual Clock::time_point first_deadline() const noexcept = 0;

  ClockUser* next_user = nullptr;  // in the list of the clock

 protected:
  ~ClockUser() = default;
};

}  // namespace detail

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
/// awaitable that is not the library's; nor before the Reactor of the App, if there is one, was asked for the input
/// that is there. A *held* clock jumps only on `advance`. A clock must outlive the Apps that live by it.
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
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;

  Clock::time_point now() override { return now_; }

  /// Moves time on, through every deadline on the way: at once to the first of them, and further when everything has
  /// run that this woke, until all of `by` has passed. So who sleeps a minute again and again wakes 60 times in an
  /// hour. If there is no deadline on the way, the time is there at once. An `advance` before the last one is over adds
  /// to it.
  ///
  /// The App goes on with it inside `run`, `poll` and `run_ready`. It waits for thread calls, which may be what was
  /// woken; but not for shared futures and foreign awaitables, since those may never come. Tasks and callbacks may call
  /// it. Not thread-safe.
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
  /// Moves on to this deadline, but no further than `advance` has asked for. Time does not go back to one that has
  /// passed.
  void go_on(Clock::time_point deadline) noexcept {
    if (deadline > now_) now_ = deadline < target_ ? deadline : target_;
  }
  void move_on(std::chrono::nanoseconds delay) noexcept;

  Clock::time_point now_{};
  Clock::time_point target_{};  // where the last `advance` ends; not after `now_`: it has ended
  Mode mode_;
  detail::ClockUser* users_ = nullptr;  // the first of them
};

// Implementation

namespace detail {

/// The deadline that never comes.
inline constexpr Clock::time_point never = Clock::time_point::max();

/// Saturates. The largest delay means never, also if the clock is below zero.
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

inline void ManualClock::move_on(std::chrono::nanoseconds delay) noexcept {
  if (is_advancing()) {  // what was woken by the way so far has not run yet
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

}  // namespace errand

#include <errand/detail/epilogue.hpp>
