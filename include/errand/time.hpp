// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <coroutine>
#include <utility>

#include <errand/clock.hpp>
#include <errand/detail/branch.hpp>

namespace errand {

class Sleep;
class SleepUntil;
class Yield;

/// The time by the clock of `App::current()`, from which `sleep_until` and `call_at` count. Throws `InvalidState` if no
/// App runs on this thread, and what a clock of the configuration throws.
Clock::time_point now();

/// Suspends the running task for a while: `co_await errand::sleep(0.5s)`. Any `std::chrono::duration`, counted from the
/// clock at the await; the largest never ends, and one that is not above zero is a `yield`. Allocates nothing but, now
/// and then, room in the App's table of timers.
///
/// Throws `Cancelled` where the task is asked to end meanwhile.
template <class Rep, class Period>
Sleep sleep(std::chrono::duration<Rep, Period> duration) noexcept;

/// The same until a time of the App's clock.
SleepUntil sleep_until(Clock::time_point when) noexcept;

/// Lets everything that is ready run first. It ends when its task resumes: a request to end that comes before is thrown
/// out of it.
Yield yield() noexcept;

/// Awaits it, but no longer than `timeout`; gives its result. Any duration: the largest means no time-out, and with one
/// that is not above zero a Coro runs to its first suspension.
///
/// A Coro, or another awaitable of the library, runs inside the awaiting task. When the time is over it is cancelled
/// and its clean-up awaited, and then `TimeoutError` is thrown; a result that it returns all the same is returned, and
/// an error that it throws comes out. Cancelling the caller cancels it, and makes no `TimeoutError`. Of a `Task` only
/// the wait ends: the task goes on.
///
///     Reply reply = co_await errand::wait_for(ask(server), 2s);
template <class A, class Rep, class Period>
  requires detail::Branchable<A>
Coro<detail::BranchResult<A>> wait_for(A&& awaitable, std::chrono::duration<Rep, Period> timeout);

// Implementation

ERRAND_COLD inline Clock::time_point now() {
  if (detail::Loop* const loop = detail::this_thread().loop) return loop->now();
  throw InvalidState("no App runs on this thread");
}

class [[nodiscard("a sleep does nothing until it is awaited")]] Sleep {
 public:
  explicit Sleep(detail::Nanoseconds delay) noexcept : delay_(delay) {}

  class Wait;
  Wait awaited_by(detail::PromiseBase& promise) const;

 private:
  detail::Nanoseconds delay_;
};

class [[nodiscard("a sleep does nothing until it is awaited")]] SleepUntil {
 public:
  explicit SleepUntil(Clock::time_point when) noexcept : when_(when) {}
  Sleep::Wait awaited_by(detail::PromiseBase& promise) const;

 private:
  Clock::time_point when_;
};

/// It is made at the await, and waits from then on: nothing runs in between.
class Sleep::Wait : public detail::TimedWait {
 public:
  Wait(detail::Chain& chain, detail::Nanoseconds delay) : TimedWait(detail::Kind::sleep, chain) {
    if (delay > detail::Nanoseconds::zero()) [[likely]] {
      suspend_for(delay);
    } else {
      chain.yield();
    }
  }
  Wait(detail::Chain& chain, Clock::time_point when) : TimedWait(detail::Kind::sleep, chain) {
    if (when > chain.loop->now()) {
      suspend_until(when);
    } else {
      chain.yield();
    }
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  void await_resume() const { chain_->check_resumed(); }
};

inline Sleep::Wait Sleep::awaited_by(detail::PromiseBase& promise) const { return Wait(*promise.chain, delay_); }
inline Sleep::Wait SleepUntil::awaited_by(detail::PromiseBase& promise) const {
  return Sleep::Wait(*promise.chain, when_);
}

class [[nodiscard("a yield does nothing until it is awaited")]] Yield {
 public:
  class Wait;
  Wait awaited_by(detail::PromiseBase& promise) const noexcept;
};

class Yield::Wait : public detail::OwnAwaitable {
 public:
  explicit Wait(detail::Chain& chain) noexcept : chain_(chain) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept { chain_.yield(); }
  void await_resume() const { chain_.check_resumed(); }

 private:
  detail::Chain& chain_;
};

inline Yield::Wait Yield::awaited_by(detail::PromiseBase& promise) const noexcept { return Wait(*promise.chain); }

template <class Rep, class Period>
Sleep sleep(std::chrono::duration<Rep, Period> duration) noexcept {
  return Sleep(detail::to_nanoseconds(duration));
}
inline SleepUntil sleep_until(Clock::time_point when) noexcept { return SleepUntil(when); }
inline Yield yield() noexcept { return {}; }

namespace detail {

/// One branch, asked to end when a deadline comes. The deadline joins the ready queue like any callback, and asks when
/// its turn comes.
class TimeLimit final : public Branches {
 public:
  TimeLimit(BranchBase& branch, Nanoseconds timeout) noexcept : branch_(branch), timeout_(timeout) { add(branch); }
  /// Reports an error that has not come out: it was destroyed just before.
  ~TimeLimit() {
    if (!goes_on() && branch_.status == TaskStatus::failed) report_branch(branch_);
  }

  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    Loop& loop = *awaiting.promise().chain->loop;
    if (timeout_ > Nanoseconds::zero()) deadline_.arm(loop, loop.deadline(timeout_));
    Branches::await_suspend(awaiting);
    if (timeout_ <= Nanoseconds::zero()) {
      over_ = true;
      branch_.state = Chain::State::ready;  // it runs to its first suspension
      branch_.flags |= Chain::asked_by_owner;
    }
  }

  /// Whether it was the time that ended it, and no request from outside.
  bool timed_out() const noexcept { return over_ && !has_thrown(); }

 private:
  const char* name() const noexcept override { return "wait_for"; }
  void branch_ended(BranchBase&) noexcept override { deadline_.disarm(); }
  static void ask(void* self) noexcept {
    TimeLimit& limit = *static_cast<TimeLimit*>(self);
    limit.over_ = true;
    limit.branch_.request(Chain::asked_by_owner);
  }

  BranchBase& branch_;
  Nanoseconds timeout_;
  bool over_ = false;
  Deadline deadline_{&ask, this};
};

template <class T>
Coro<T> wait_for(Coro<T> coro, Nanoseconds timeout) {
  Branch<T> branch(std::move(coro));
  TimeLimit limit(branch, timeout);
  co_await limit;
  if (limit.timed_out() && branch.status == TaskStatus::cancelled) throw TimeoutError();
  co_return branch.take();
}

}  // namespace detail

template <class A, class Rep, class Period>
  requires detail::Branchable<A>
Coro<detail::BranchResult<A>> wait_for(A&& awaitable, std::chrono::duration<Rep, Period> timeout) {
  return detail::wait_for(detail::as_coro(std::forward<A>(awaitable)), detail::to_nanoseconds(timeout));
}

}  // namespace errand
