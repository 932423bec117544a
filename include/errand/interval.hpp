// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <coroutine>

#include <errand/coro.hpp>

namespace errand {

/// What an `Interval` does when ticks were missed, because the task was busy for longer than a period.
enum class MissedTick {
  burst,  ///< makes up for them, one right after the other
  delay,  ///< goes on a period after the late one
  skip,   ///< leaves them out, and goes on at the next multiple of the period
};

/// Ticks at a regular pace; see `every`. It must stay where it is while a tick is awaited.
class Interval {
 public:
  /// As `every`. Throws `InvalidState` for a period that is not above zero.
  Interval(std::chrono::nanoseconds period, MissedTick missed);

  class Tick;
  /// `co_await interval.tick()` returns at the next tick; gives the time at which it was due. The first comes at once.
  /// Throws `Cancelled` where the task is asked to end; no tick is lost then.
  detail::WaitOn<Tick, Interval> tick() noexcept { return *this; }

 private:
  Clock::time_point next(Clock::time_point now) noexcept;

  std::chrono::nanoseconds period_;
  MissedTick missed_;
  bool started_ = false;
  bool is_late_ = false;  // the tick that is waited for was due before
  Clock::time_point due_{};

  /// The tick that began last, until it is taken. It is none of a copy's.
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

/// An `Interval` of this period, any `std::chrono::duration`. Throws `InvalidState` where it is not above zero.
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
    // The last tick of the same task has ended. GCC calls its `await_resume` only after this one.
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
      yield();  // a late task must not keep the others from running
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
  /// The tick has come, and the one after it is planned.
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

inline Interval::Interval(std::chrono::nanoseconds period, MissedTick missed) : period_(period), missed_(missed) {
  if (period <= std::chrono::nanoseconds::zero()) throw InvalidState("the period of an Interval must be above zero");
}

/// The tick that is due has come: plans the one after it.
inline Clock::time_point Interval::next(Clock::time_point now) noexcept {
  const Clock::time_point due = due_;
  due_ = detail::add(due, period_);
  if (missed_ == MissedTick::delay && (is_late_ || due_ < now)) due_ = detail::add(now, period_);
  if (missed_ == MissedTick::skip && due_ < now) due_ = detail::add(due + period_ * ((now - due) / period_), period_);
  return due;
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
