// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/loop/deadline.hpp>
#include <errand/detail/task/task_state.hpp>

namespace errand::detail {

/// A time-out for waits that come one after the other, each a `Limited`. Until it is set, the waits have no limit. It
/// may be set or lifted in the middle of a wait.
class Limit {
 public:
  Limit() noexcept = default;
  ERRAND_COLD Limit(Loop& loop, Clock::time_point until) { set(loop, until); }

  /// Sets the limit, in place of an earlier one. Throws `std::bad_alloc`; there is no limit then.
  ERRAND_COLD void set(Loop& loop, Clock::time_point until) {
    lift();
    deadline_.arm(loop, until);
  }
  ERRAND_COLD void lift() noexcept {
    deadline_.disarm();
    is_over_ = has_ended_wait_ = false;
  }

 private:
  template <class>
  friend class Limited;

  /// Called when the time is over: ends the wait that is under way, if there is one.
  static void come(void* self) noexcept {
    Limit& limit = *static_cast<Limit*>(self);
    limit.is_over_ = true;
    if (limit.waiter_ && limit.waiter_->linked()) {
      limit.has_ended_wait_ = true;
      limit.waiter_->wake();
    }
  }

  Waiter* waiter_ = nullptr;
  bool is_over_ = false;
  bool has_ended_wait_ = false;
  Deadline deadline_{&come, this};
};

/// A wait under a time-out. `co_await` gives true if the wait came to its end, false if the limit ended it.
template <class Wait>
class Limited final : public Wait {
 public:
  template <class... Args>
  ERRAND_COLD explicit Limited(Limit& limit, Args&&... args) : Wait(std::forward<Args>(args)...), limit_(limit) {}
  Limited(const Limited&) = delete;
  ERRAND_COLD ~Limited() { limit_.waiter_ = nullptr; }

  template <class P>
  ERRAND_COLD void await_suspend(std::coroutine_handle<P> awaiting) {
    this->chain_ = awaiting.promise().chain;
    limit_.waiter_ = this;
    limit_.has_ended_wait_ = limit_.is_over_;
    if (!limit_.is_over_) Wait::await_suspend(awaiting);
  }
  ERRAND_COLD bool await_resume() {
    if (limit_.has_ended_wait_ && this->chain_->is_asked()) {  // a request in the turn of the time-out wins
      this->interrupt();
    }
    const bool in_time = !limit_.has_ended_wait_;
    Wait::await_resume();
    return in_time;
  }

 private:
  Limit& limit_;
};

/// Waits until every task that was added before this wait was made has ended, except the task `except`.
class Drained : public Drain {
 public:
  Drained(Loop& loop, TaskBase* except) noexcept : Drain(except, loop.ids.last()), loop_(loop) {}

  bool await_ready() const noexcept { return is_over(loop_.pending); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    chain_ = awaiting.promise().chain;
    loop_.notice(Loop::drains_wait);
    suspend(loop_.drains);
  }
  void await_resume() { resumed(); }

 private:
  Loop& loop_;
};

/// How many times the end of a phase asks the tasks that were added meanwhile. The time-out alone is not enough: if
/// each task adds another one when it is destroyed, a ManualClock never moves on.
inline constexpr unsigned most_rounds = 1'000;

/// A wait for the end of thread calls. The wait may end early: the caller asks `are_over` again, and waits again if
/// needed.
class ThreadsEnded : public Waiter {
 public:
  explicit ThreadsEnded(Loop& loop) noexcept : Waiter(Kind::thread), loop_(loop) {}

  /// Returns true if no thread call is under way. If the run has expired, it is enough that no call uses a task that is
  /// to be destroyed.
  static bool are_over(const Loop& loop, bool is_expired) noexcept {
    return loop.thread_calls == 0 || (is_expired && !loop.put_off.any());
  }

  bool await_ready() const noexcept { return false; }
  template <class P>
  ERRAND_COLD void await_suspend(std::coroutine_handle<P> awaiting) {
    chain_ = awaiting.promise().chain;
    suspend(loop_.thread_waiters);
  }
  ERRAND_COLD void await_resume() { resumed(); }

 private:
  Loop& loop_;
};

/// Asks every pending task except `except` to end, unless the task has been asked already. Returns false if there is no
/// other task. After a `Drained` the caller calls this again, because tasks may have been added meanwhile.
///
/// The request to a thread call may run a `std::stop_callback` of the user's, which may abort the task and so take it
/// out of the list. The walk then begins at the first task again.
bool ask_all(Loop& loop, const TaskBase* except);

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE bool ask_all(Loop& loop, const TaskBase* except) {
  bool any = false;
  for (Link* link = loop.pending.begin(); link != loop.pending.end();) {
    TaskBase& task = task_of(*link);
    if (&task != except) {
      any = true;
      if (task.requests == 0) task.cancel({});
      // A task that was added before `run` is not queued until its place among the listeners comes. If that has not
      // come, the task is queued here, and ends on the next turn like any other.
      if (task.state == Chain::State::created && !task.Node::linked()) {
        task.announce();
        loop.make_ready(static_cast<Chain&>(task));
      }
    }
    link = task.done() ? loop.pending.begin() : link->next;
  }
  return any;
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
