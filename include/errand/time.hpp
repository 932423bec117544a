// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include <errand/clock.hpp>
#include <errand/detail/loop/deadline.hpp>
#include <errand/detail/task/wait_branch.hpp>

namespace errand {

class Sleep;
class SleepUntil;
class Yield;

/// Returns the time by the clock of `App::current()`, the clock by which `sleep_until` and `call_at` count. Throws
/// `InvalidState` if no App runs on this thread, and what a clock of the configuration throws.
Clock::time_point now();

/// Suspends the running task for a while: `co_await errand::sleep(0.5s)`. Throws `Cancelled` if the task is asked to
/// end meanwhile.
///
/// Takes any `std::chrono::duration`, which counts from the time of the await. A sleep of the largest duration never
/// ends, and a sleep that is zero or negative is a `yield`. Allocates nothing but, now and then, room in the App's
/// table of timers.
template <class Rep, class Period>
Sleep sleep(std::chrono::duration<Rep, Period> duration) noexcept;

/// Suspends the running task until a time of the App's clock, which may have any precision. A time that has passed is a
/// `yield`. Throws `Cancelled` if the task is asked to end meanwhile.
template <class Duration>
SleepUntil sleep_until(std::chrono::time_point<Clock, Duration> when) noexcept;

/// Suspends the running task until a time of the system clock, which may have any precision. That clock may be set: it
/// is looked at again at least once a minute, so that the task goes on at the right time, or a minute late at most. If
/// the App has a clock of its own, `AppConfig::clock`, the system clock is looked at only once, at the await. A time
/// that has passed is a `yield`, and the largest time never comes. Throws `Cancelled` if the task is asked to end
/// before that.
///
///     co_await errand::sleep_until(std::chrono::sys_days(2030y / 1 / 1));
template <class Duration>
Coro<> sleep_until(std::chrono::time_point<std::chrono::system_clock, Duration> when);

/// Lets everything that is ready run first: `co_await errand::yield()`. Throws `Cancelled` if the task is asked to end
/// before it resumes.
Yield yield() noexcept;

/// Awaits a Coro, a Task or another awaitable of the library, but no longer than `timeout`, and gives its result.
/// Throws `TimeoutError` if the time is over first. A callable without arguments that returns a Coro may stand for that
/// Coro, and is kept until it has ended.
///
/// A Coro, or an awaitable that is no Task, runs inside the awaiting task. When the time is over, the Coro or the
/// awaitable is cancelled, and its clean-up is awaited before `TimeoutError` is thrown. If it returns a result all the
/// same, the result is given; if it throws an error, the error comes out. If the caller is asked to end, the Coro is
/// cancelled, and there is no `TimeoutError`. If the awaitable is a `Task`, only the wait ends, and the task goes on.
///
/// `timeout` is any duration. The largest one means no time-out. If it is zero or negative, a Coro runs until it would
/// have to wait. A Task or another awaitable then gives its result only if that is there already. Otherwise
/// `TimeoutError` is thrown.
///
///     Reply reply = co_await errand::wait_for(ask(server), 2s);
template <class A, class Rep, class Period>
  requires detail::Branchable<A>
Coro<detail::BranchResult<A>> wait_for(A&& awaitable, std::chrono::duration<Rep, Period> timeout);

namespace detail {
/// The result of work that may be given up: `std::optional` of a `T`, or `bool` if `T` is `void`. A reference is kept
/// as a `std::reference_wrapper`.
template <class T>
using Perhaps = std::conditional_t<std::is_void_v<T>, bool, std::optional<typename Outcome<T>::value_type>>;
}  // namespace detail

/// Awaits like `wait_for`, but gives an empty `std::optional` in place of `TimeoutError` if the time is over first. If
/// the result is `void`, gives true, or false if the time is over first.
///
///     if (auto reply = co_await errand::move_on_after(ask(server), 2s)) show(*reply);
template <class A, class Rep, class Period>
  requires detail::Branchable<A>
Coro<detail::Perhaps<detail::BranchResult<A>>> move_on_after(A&& awaitable, std::chrono::duration<Rep, Period> timeout);

// Implementation

class [[nodiscard("a sleep does nothing until it is awaited")]] Sleep {
 public:
  explicit Sleep(detail::Nanoseconds delay) noexcept : delay_(delay) {}

  class Wait;
  Wait awaited_by(detail::Chain& chain) const noexcept;

 private:
  detail::Nanoseconds delay_;
};

class [[nodiscard("a sleep does nothing until it is awaited")]] SleepUntil {
 public:
  explicit SleepUntil(Clock::time_point when) noexcept : when_(when) {}

  class Wait;
  Wait awaited_by(detail::Chain& chain) const noexcept;

 private:
  Clock::time_point when_;
};

class Sleep::Wait : public detail::TimedWait {
 public:
  Wait(detail::Nanoseconds delay, detail::Chain& chain) noexcept
      : TimedWait(detail::Kind::sleep, chain), delay_(delay) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) {
    if (delay_ > detail::Nanoseconds::zero()) [[likely]] {
      suspend_for(delay_);
    } else {
      yield();
    }
  }
  void await_resume() { resumed(); }

 private:
  const detail::Nanoseconds delay_;
};

class SleepUntil::Wait : public detail::TimedWait {
 public:
  Wait(Clock::time_point when, detail::Chain& chain) noexcept : TimedWait(detail::Kind::sleep, chain), when_(when) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) {
    if (when_ > chain_->loop->now()) {
      suspend_until(when_);
    } else {
      yield();
    }
  }
  void await_resume() { resumed(); }

 private:
  const Clock::time_point when_;
};

inline Sleep::Wait Sleep::awaited_by(detail::Chain& chain) const noexcept { return Wait(delay_, chain); }
inline SleepUntil::Wait SleepUntil::awaited_by(detail::Chain& chain) const noexcept { return Wait(when_, chain); }

class [[nodiscard("a yield does nothing until it is awaited")]] Yield {
 public:
  class Wait;
  Wait awaited_by(detail::Chain& chain) const noexcept;
};

/// The wait of a `yield`. It is no `Suspension`, because a yield must cost little and needs nothing but the chain.
class Yield::Wait : public detail::OwnAwaitable {
 public:
  explicit Wait(detail::Chain& chain) noexcept : chain_(chain) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const { chain_.yield(); }
  void await_resume() const { chain_.check_yielded(); }

 private:
  detail::Chain& chain_;
};

inline Yield::Wait Yield::awaited_by(detail::Chain& chain) const noexcept { return Wait(chain); }

template <class Rep, class Period>
Sleep sleep(std::chrono::duration<Rep, Period> duration) noexcept {
  return Sleep(detail::to_nanoseconds(duration));
}
template <class Duration>
SleepUntil sleep_until(std::chrono::time_point<Clock, Duration> when) noexcept {
  return SleepUntil(detail::to_nanoseconds(when));
}
inline Yield yield() noexcept { return {}; }

namespace detail {

/// Returns how long it is until a time of this clock; the largest duration if that is too long, or for the largest
/// time.
template <class WallClock>
Nanoseconds time_until(std::chrono::time_point<WallClock, Nanoseconds> when) {
  const Nanoseconds now = detail::to_nanoseconds(WallClock::now()).time_since_epoch();
  const Nanoseconds then = when.time_since_epoch();
  if (then <= now) return Nanoseconds::zero();
  const bool is_too_long = now < Nanoseconds::zero() && then > Nanoseconds::max() + now;
  return is_too_long || then == Nanoseconds::max() ? Nanoseconds::max() : then - now;
}

/// Sleeps until a time of a clock that may be set, and so looks at it again after `longest`. A template over the clock,
/// so that tests have a clock that they can set.
template <class WallClock>
Coro<> sleep_until_of(std::chrono::time_point<WallClock, Nanoseconds> when, Nanoseconds longest) {
  const Chain& chain = co_await ThisChain();
  const bool looks_once = chain.loop->has_own_clock();
  for (bool goes_on = true; goes_on;) {
    const Nanoseconds left = detail::time_until(when);
    const bool is_last = looks_once || left == Nanoseconds::max();
    co_await errand::sleep(is_last || left < longest ? left : longest);
    goes_on = !is_last && detail::time_until(when) > Nanoseconds::zero();
  }
}

/// If the time is over, `wait_for` throws `TimeoutError`, and `move_on_after` gives nothing.
enum class AtTimeOut : std::uint8_t { throws, moves_on };

/// The wait of `wait_for` and `move_on_after` for their one branch, which is asked to end when the time is over.
class TimeLimit : public Branches {
 public:
  /// Called when the branch has ended. Returns true if the end of the time ended the branch, and no request from
  /// outside did. Throws `InvalidState` if the destruction of the `Timeout` ended it.
  bool timed_out() const {
    if (!was_ended()) return false;
    if (over_ == Over::broken) throw InvalidState("the Timeout that was waited for has been destroyed");
    return true;
  }

 protected:
  enum class Over : std::uint8_t { no, time, broken };  // broken: the `Timeout` was destroyed

  TimeLimit(BranchBase& branch, AtTimeOut at_time_out) noexcept
      : Branches(at_time_out == AtTimeOut::throws ? Kind::wait_for : Kind::move_on_after), branch_(branch) {
    add(branch);
  }
  /// Reports an error of the branch if this wait is destroyed before the error could come out.
  ~TimeLimit() {
    if (!goes_on() && branch_.status == TaskStatus::failed) report_branch(branch_);
  }

  /// Asks the branch to end. Does nothing if it was asked already, because a second request would interrupt its
  /// clean-up.
  void end(Over why = Over::time) noexcept {
    if (is_ending()) return;
    over_ = why;
    branch_.request(Chain::asked_by_combinator);
  }
  /// Called before the wait begins, if the time is over already: the branch runs to its first suspension.
  void end_at_first_wait() noexcept {
    over_ = Over::time;
    branch_.flags |= Chain::asked_by_combinator;
  }
  bool is_ending() const noexcept { return over_ != Over::no; }

 private:
  bool was_ended() const noexcept {
    return over_ != Over::no && branch_.status == TaskStatus::cancelled && !branch_.was_thrown;
  }
  TaskStatus end_status() const noexcept override {
    if (!was_ended()) return branch_.status;
    const bool moves_on = over_ == Over::time && kind == Kind::move_on_after;
    return moves_on ? TaskStatus::succeeded : TaskStatus::failed;
  }

  BranchBase& branch_;
  Over over_ = Over::no;
};

/// A time limit that does not move. Its deadline joins the ready queue like any callback, and asks the branch to end
/// when its turn comes.
class FixedLimit final : public TimeLimit {
 public:
  FixedLimit(BranchBase& branch, AtTimeOut at_time_out, Nanoseconds timeout) noexcept
      : TimeLimit(branch, at_time_out), timeout_(timeout) {}

  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    Loop& loop = *awaiting.promise().chain->loop;
    if (timeout_ > Nanoseconds::zero()) {
      deadline_.arm(loop, loop.deadline(timeout_));
    } else {
      end_at_first_wait();
    }
    Branches::await_suspend(awaiting);
  }

 private:
  void branch_ended(BranchBase& branch) noexcept override {
    use_thrown(branch);
    deadline_.disarm();
  }

  const Nanoseconds timeout_;
  Deadline deadline_{[](void* self) noexcept { static_cast<FixedLimit*>(self)->end(); }, this};
};

/// Awaits work under a limit, a class derived from `TimeLimit` that is made with `time`.
template <class Limit, class Time, class W>
Coro<ResultOf<W>> run_wait_for(W work, Time time) {
  BranchOf<W> branch(work);
  Limit limit(branch, AtTimeOut::throws, time);
  co_await limit;
  if (limit.timed_out()) throw TimeoutError();
  co_return branch.take();
}

template <class Limit, class Time, class W>
Coro<Perhaps<ResultOf<W>>> run_move_on_after(W work, Time time) {
  BranchOf<W> branch(work);
  Limit limit(branch, AtTimeOut::moves_on, time);
  co_await limit;
  if (limit.timed_out()) co_return Perhaps<ResultOf<W>>();
  if constexpr (std::is_void_v<ResultOf<W>>) {
    branch.take();
    co_return true;
  } else {
    co_return Perhaps<ResultOf<W>>(std::in_place, detail::take_element(branch));
  }
}

}  // namespace detail

template <class Duration>
Coro<> sleep_until(std::chrono::time_point<std::chrono::system_clock, Duration> when) {
  return detail::sleep_until_of(detail::to_nanoseconds(when), std::chrono::minutes(1));
}

template <class A, class Rep, class Period>
  requires detail::Branchable<A>
Coro<detail::BranchResult<A>> wait_for(A&& awaitable, std::chrono::duration<Rep, Period> timeout) {
  return detail::run_wait_for<detail::FixedLimit, detail::Nanoseconds>(
      detail::take_argument(std::forward<A>(awaitable)), detail::to_nanoseconds(timeout));
}

template <class A, class Rep, class Period>
  requires detail::Branchable<A>
Coro<detail::Perhaps<detail::BranchResult<A>>> move_on_after(A&& awaitable,
                                                             std::chrono::duration<Rep, Period> timeout) {
  return detail::run_move_on_after<detail::FixedLimit, detail::Nanoseconds>(
      detail::take_argument(std::forward<A>(awaitable)), detail::to_nanoseconds(timeout));
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE Clock::time_point now() {
  if (detail::Loop* const loop = detail::this_thread().loop) return loop->now();
  throw InvalidState("no App runs on this thread");
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
