// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/task_state.hpp>

namespace errand::detail {

/// A wait that is given up at a deadline. Gives whether it came to its end.
template <class Wait>
class Limited final : public Wait {
 public:
  template <class... Args>
  explicit Limited(Clock::time_point until, Args&&... args) : Wait(std::forward<Args>(args)...), until_(until) {}

  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiting) {
    deadline_.arm(*awaiting.promise().chain->loop, until_);
    return Wait::await_suspend(awaiting);
  }
  bool await_resume() {
    deadline_.disarm();
    if (given_up_ && !this->chain_->may_suspend()) given_up_ = false;  // a request in the same turn comes first
    Wait::await_resume();
    return !given_up_;
  }

 private:
  static void give_up(void* self) noexcept {
    Limited& wait = *static_cast<Limited*>(self);
    if (!wait.linked()) return;
    wait.given_up_ = true;
    wait.wake();
  }

  const Clock::time_point until_;
  bool given_up_ = false;
  Deadline deadline_{&give_up, this};
};

/// Waits until no task is pending whose id is at most `upto`, but for one.
class Drained : public Drain {
 public:
  Drained(Loop& loop, TaskBase* except) noexcept : Drain(except, loop.last_id), loop_(loop) {}

  bool await_ready() const noexcept { return is_over(loop_.pending); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    suspend(awaiting.promise(), loop_.drains);
  }
  void await_resume() { resumed(); }

 private:
  Loop& loop_;
};

/// Asks all tasks but one to end that have not been asked, and waits for their end; then those that were added
/// meanwhile, until none is left. False where some are when the time is over.
ERRAND_COLD inline Coro<bool> drain(Loop& loop, TaskBase* except, Clock::time_point until) {
  for (;;) {
    bool any = false;
    for (Link* link = loop.pending.begin(); link != loop.pending.end(); link = link->next) {
      TaskBase& task = task_of(*link);
      if (&task == except) continue;
      any = true;
      if (task.requests == 0) task.cancel({});
      // One that was added before `run` and whose place did not come ends on the next turn like any other.
      if (task.state == Chain::State::created && !task.Node::linked()) loop.make_ready(static_cast<Chain&>(task));
    }
    if (!any) co_return true;
    const bool drained = co_await Limited<Drained>(until, loop, except);
    if (!drained) co_return false;
  }
}

/// Waits until no thread call is under way.
class ThreadsEnded : public Waiter {
 public:
  explicit ThreadsEnded(Loop& loop) noexcept : Waiter(Kind::thread), loop_(loop) {}

  bool await_ready() const noexcept { return loop_.thread_calls == 0; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    suspend(awaiting.promise(), loop_.thread_waiters);
  }
  void await_resume() { resumed(); }

 private:
  Loop& loop_;
};

}  // namespace errand::detail
