// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <coroutine>

#include <errand/coro.hpp>

namespace errand {

/// How an `Interval` goes on if ticks were missed, because the task was busy for longer than a period.
enum class MissedTick {
  burst,  ///< makes up for the missed ticks, one right after the other
  delay,  ///< the next tick comes a full period after the late one
  skip,   ///< leaves the missed ticks out, and goes on at the next multiple of the period
};

/// Ticks at a regular pace. Use `every` to make one. It must not be moved or destroyed while a tick is awaited.
class Interval {
 public:
  /// Makes an interval, as `every` does. Throws `InvalidState` if the period is zero or negative.
  Interval(std::chrono::nanoseconds period, MissedTick missed);

  class Tick;
  /// Waits until the next tick, and gives the time at which it was due: `co_await interval.tick()`. The first tick
  /// comes at once. Throws `Cancelled` if the task is asked to end meanwhile; no tick is lost then.
  detail::WaitOn<Tick, Interval> tick() noexcept { return *this; }

 private:
  /// Called when the tick that is due has come: returns the time at which it was due, and plans the next tick.
  Clock::time_point next(Clock::time_point now) noexcept;

  std::chrono::nanoseconds period_;
  MissedTick missed_;
  bool started_ = false;
  bool is_late_ = false;  // the tick that is awaited was due before its await began
  Clock::time_point due_{};

  /// The await that began last, until its tick has come. A copy of the interval starts without an await.
  struct Last {
    Last() noexcept = default;
    Last(const Last&) noexcept {}
    Last& operator=(const Last& other) noexcept {
      if (this != &other) tick = nullptr;
      return *this;
    }
    Tick* tick = nullptr;
  } last_;
};

/// Returns an `Interval` of this period, which may be any `std::chrono::duration`. Throws `InvalidState` if the period
/// is zero or negative.
///
///     auto interval = errand::every(1s);
///     for (;;) {
///       co_await interval.tick();
///       report();
///     }
template <class Rep, class Period>
Interval every(std::chrono::duration<Rep, Period> period, MissedTick missed = MissedTick::skip) {
  return Interval(detail::to_nanoseconds(period), missed);
}

// Implementation

class Interval::Tick : public detail::TimedWait {
 public:
  Tick(Interval& interval, detail::Chain& chain) noexcept
      : TimedWait(detail::Kind::sleep, chain), interval_(interval) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) {
    chain_->check_earlier_awaits();
    const Clock::time_point now = chain_->loop->now();
    // If the await before this one stands in the same expression, its tick has come, because the task has gone on. But
    // GCC calls its `await_resume` only after this await has ended, and so that tick is taken here.
    if (Tick* const last = interval_.last_.tick; last && last->chain_ == chain_) last->come(now);
    if (!interval_.started_) {
      interval_.started_ = true;
      interval_.due_ = now;
      come(now);
      return;
    }
    interval_.is_late_ = interval_.due_ < now;
    interval_.last_.tick = this;
    is_last_ = true;
    if (interval_.due_ <= now) {
      yield();  // so that a late task lets the others run
    } else {
      suspend_until(interval_.due_);
    }
  }
  Clock::time_point await_resume() {
    resumed();
    if (!has_come_) come(chain_->loop->now());
    return due_;
  }
  ~Tick() {
    if (is_last_ && interval_.last_.tick == this) interval_.last_.tick = nullptr;
  }

 private:
  /// Takes the tick, which has come, and plans the next one. Does neither if a request has ended the wait.
  void come(Clock::time_point now) noexcept {
    settle();
    if (interval_.last_.tick == this) interval_.last_.tick = nullptr;
    is_last_ = false;
    if (ending != detail::Ending::reached) return;
    due_ = interval_.next(now);
    has_come_ = true;
  }

  Interval& interval_;
  Clock::time_point due_{};
  bool is_last_ = false;
  bool has_come_ = false;
};

#if ERRAND_DEFINES

ERRAND_ONCE Interval::Interval(std::chrono::nanoseconds period, MissedTick missed) : period_(period), missed_(missed) {
  if (period <= std::chrono::nanoseconds::zero()) throw InvalidState("the period of an Interval must be above zero");
}

ERRAND_ONCE Clock::time_point Interval::next(Clock::time_point now) noexcept {
  const Clock::time_point due = due_;
  due_ = detail::add(due, period_);
  if (missed_ == MissedTick::delay && (is_late_ || due_ < now)) due_ = detail::add(now, period_);
  if (missed_ == MissedTick::skip && due_ < now) due_ = detail::add(due + period_ * ((now - due) / period_), period_);
  return due;
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
