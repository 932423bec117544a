// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>

#include <errand/coro.hpp>
#include <errand/detail/task_state.hpp>

namespace errand::detail {

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
/// meanwhile, until none is left.
ERRAND_COLD inline Coro<> drain(Loop& loop, TaskBase* except) {
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
    if (!any) co_return;
    co_await Drained(loop, except);
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
