// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/loop/deadline.hpp>
#include <errand/detail/task/task_state.hpp>

namespace errand::detail {

/// A time-out, of one wait after the other. There is none until it is set, which may be in the middle of a wait.
class Limit {
 public:
  Limit() noexcept = default;
  ERRAND_COLD Limit(Loop& loop, Clock::time_point until) { set(loop, until); }

  /// Anew. Throws `std::bad_alloc`; there is none then.
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

/// A wait under a time-out. Gives whether it came to its end.
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
    if (limit_.has_ended_wait_ && this->chain_->is_asked()) {  // a request of the same turn is first
      this->interrupt();
    }
    const bool in_time = !limit_.has_ended_wait_;
    Wait::await_resume();
    return in_time;
  }

 private:
  Limit& limit_;
};

/// Waits until no task is pending whose id is at most `upto`, but for one.
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

/// Asks all tasks but one to end that have not been asked. False where there is none. Once they have `Drained`, it is
/// the turn of those that were added meanwhile. The request to a thread call may run a `std::stop_callback`, which may
/// abort the task: then this begins again.
ERRAND_COLD inline bool ask_all(Loop& loop, const TaskBase* except) {
  bool any = false;
  for (Link* link = loop.pending.begin(); link != loop.pending.end();) {
    TaskBase& task = task_of(*link);
    if (&task != except) {
      any = true;
      if (task.requests == 0) task.cancel({});
      // One that was added before `run` and whose place did not come ends on the next turn like any other.
      if (task.state == Chain::State::created && !task.Node::linked()) loop.make_ready(static_cast<Chain&>(task));
    }
    link = task.done() ? loop.pending.begin() : link->next;
  }
  return any;
}

/// How many times the end of a phase asks the tasks that were added meanwhile. The time-out alone would not do: what
/// adds a task whenever one is destroyed never lets a ManualClock move on.
inline constexpr unsigned most_rounds = 1'000;

/// Waits until no thread call is under way or, if nothing is waited for any more, none that uses what is to be
/// destroyed. May end earlier: look again.
class ThreadsEnded : public Waiter {
 public:
  explicit ThreadsEnded(Loop& loop) noexcept : Waiter(Kind::thread), loop_(loop) {}

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

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
