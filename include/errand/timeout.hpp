// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <coroutine>
#include <utility>

#include <errand/detail/loop/loop_ref.hpp>
#include <errand/time.hpp>

namespace errand {

/// A time-out that can be moved: for a connection that is closed when it was idle for too long.
///
/// It counts from its construction on, and again from each `reset`. `wait_for(work, timeout)` and `move_on_after(work,
/// timeout)` wait until its time is over; a `reset` during the wait moves the end of that wait. It cannot be copied or
/// moved. Its members throw `InvalidState` if the App has ended, and `WrongThread` on another thread.
///
///     errand::Timeout idle(30s);
///     while (true) {
///       handle(co_await errand::wait_for(connection.receive(), idle));   // TimeoutError after 30 s of silence
///       idle.reset();
///     }
class Timeout {
 public:
  /// Begins to count, by the clock of `App::current()`. Throws `InvalidState` if no App runs on this thread. The
  /// largest duration never ends. If the duration is zero or negative, the time is over at once.
  template <class Rep, class Period>
  explicit Timeout(std::chrono::duration<Rep, Period> duration);
  /// If somebody waits with this Timeout, and the time is not over, the work is asked to end, and the wait throws
  /// `InvalidState`. If the time is over, the work has been asked already, and goes on with its clean-up.
  ~Timeout();
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

  /// Begins to count anew, with the same duration. If the time of a wait is over and its work has been asked to end,
  /// that wait is not saved any more.
  void reset() { restart(duration_); }
  /// Begins to count anew, with this duration.
  template <class Rep, class Period>
  void reset(std::chrono::duration<Rep, Period> duration) {
    restart(detail::to_nanoseconds(duration));
  }
  /// Returns true if the time is over.
  bool expired() const;

  /// For the library's own use: the wait of `wait_for` and `move_on_after`.
  class Wait;

 private:
  static detail::Loop& running_loop();
  void restart(detail::Nanoseconds duration);

  const detail::LoopRef loop_;
  detail::Nanoseconds duration_;
  Clock::time_point end_;
  Wait* wait_ = nullptr;  // the wait that is under way; null if there is none
};

/// Awaits like `wait_for` with a duration, but until the time of `timeout` is over. That time may move meanwhile. If it
/// is over at the await, a Coro runs until it would have to wait.
///
/// Throws `InvalidState` if another wait with this Timeout is under way, or if it belongs to another App. If the
/// Timeout is destroyed meanwhile, the work is asked to end, and `InvalidState` takes the place of `TimeoutError`.
template <class A>
  requires detail::Branchable<A>
Coro<detail::BranchResult<A>> wait_for(A&& awaitable, Timeout& timeout);

/// Awaits like `wait_for` with this Timeout, but gives an empty `std::optional`, or false if the result is `void`, in
/// place of `TimeoutError`.
template <class A>
  requires detail::Branchable<A>
Coro<detail::Perhaps<detail::BranchResult<A>>> move_on_after(A&& awaitable, Timeout& timeout);

// Implementation

class Timeout::Wait final : public detail::TimeLimit {
 public:
  Wait(detail::BranchBase& branch, detail::AtTimeOut at_time_out, Timeout& timeout) noexcept
      : TimeLimit(branch, at_time_out), timeout_(&timeout) {}
  ~Wait() { finish(); }

  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    detail::Loop& loop = *awaiting.promise().chain->loop;
    if (&timeout_->loop_.get() != &loop) throw InvalidState("this Timeout belongs to another App");
    const Clock::time_point now = loop.now();
    if (timeout_->wait_) throw InvalidState("another wait with this Timeout is under way");
    if (timeout_->end_ > now) {
      deadlines_[0].arm(loop, timeout_->end_);
    } else {
      end_at_first_wait();
    }
    Branches::await_suspend(awaiting);
    timeout_->wait_ = this;
  }

  /// Called by a reset. Throws `std::bad_alloc`; then nothing has changed.
  void move_to(detail::Loop& loop, Clock::time_point when) {
    if (is_ending()) return;
    deadlines_[is_second_ ? 0 : 1].arm(loop, when);
    deadlines_[is_second_ ? 1 : 0].disarm();
    is_second_ = !is_second_;
  }
  /// Called when the Timeout is destroyed.
  void timeout_destroyed() noexcept {
    finish();
    timeout_ = nullptr;
    end(Over::broken);
  }

 private:
  void branch_ended(detail::BranchBase& branch) noexcept override {
    use_thrown(branch);
    finish();
  }
  /// Takes this wait from its Timeout.
  void finish() noexcept {
    for (detail::Deadline& each : deadlines_) each.disarm();
    if (timeout_ && timeout_->wait_ == this) timeout_->wait_ = nullptr;
  }
  static void due(void* self) noexcept { static_cast<Wait*>(self)->end(); }

  Timeout* timeout_;                                           // null if it has been destroyed
  bool is_second_ = false;                                     // which of the deadlines counts
  detail::Deadline deadlines_[2]{{&due, this}, {&due, this}};  // two, because one is armed before the other is disarmed
};

template <class Rep, class Period>
Timeout::Timeout(std::chrono::duration<Rep, Period> duration)
    : loop_(running_loop()), duration_(detail::to_nanoseconds(duration)), end_(loop_.get().deadline(duration_)) {}

template <class A>
  requires detail::Branchable<A>
Coro<detail::BranchResult<A>> wait_for(A&& awaitable, Timeout& timeout) {
  return detail::run_wait_for<Timeout::Wait, Timeout&>(detail::take_argument(std::forward<A>(awaitable)), timeout);
}

template <class A>
  requires detail::Branchable<A>
Coro<detail::Perhaps<detail::BranchResult<A>>> move_on_after(A&& awaitable, Timeout& timeout) {
  return detail::run_move_on_after<Timeout::Wait, Timeout&>(detail::take_argument(std::forward<A>(awaitable)), timeout);
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE detail::Loop& Timeout::running_loop() {
  if (detail::Loop* const loop = detail::this_thread().loop) return *loop;
  throw InvalidState("a Timeout counts by the clock of an App, and no App runs on this thread");
}

ERRAND_ONCE Timeout::~Timeout() {
  loop_.get().check_thread_in_destructor("a Timeout is destroyed on another thread than that of its App");
  if (wait_) wait_->timeout_destroyed();
}

ERRAND_ONCE void Timeout::restart(detail::Nanoseconds duration) {
  detail::Loop& loop = loop_.get();
  loop.check();
  const Clock::time_point end = loop.deadline(duration);
  if (wait_) wait_->move_to(loop, end);
  duration_ = duration;
  end_ = end;
}

ERRAND_ONCE bool Timeout::expired() const {
  loop_.get().check();
  return loop_.get().now() >= end_;
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
