// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>

namespace errand {

/// Lets tasks of one App wait until another task has changed something. There is no lock, because nothing else runs
/// between two awaits of a task. Notifications are not remembered: `notify_one` does nothing if no task waits.
///
/// If the condition is destroyed while tasks wait, their awaits throw `InvalidState`. Every member throws `WrongThread`
/// if a task is waiting and another thread is inside the App of that task.
///
///     co_await condition.wait([&] { return !jobs.empty(); });
class Condition {
 public:
  Condition() noexcept = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  class Wait;
  /// Waits until this task is notified: `co_await condition.wait()`. Throws `Cancelled` if the task is asked to end
  /// before that.
  detail::WaitOn<Wait, Condition> wait() {
    waiters_.check_thread();
    return *this;
  }
  /// Waits until `predicate()` is true: asks it at once, and again after each notification. Throws what the predicate
  /// throws, and `Cancelled` if the task is asked to end meanwhile.
  template <class Predicate>
  Coro<> wait(Predicate&& predicate);

  /// Wakes the task that has waited longest, if any task waits.
  void notify_one() {
    waiters_.check_thread();
    choose_one();
  }
  /// Wakes all tasks that wait, in the order in which they began to wait.
  void notify_all() {
    waiters_.check_thread();
    waiters_.hand_over_all();
  }

 private:
  void choose_one() noexcept;
  template <class Predicate>
  Coro<> wait_until(Predicate predicate);

  detail::WaitList waiters_;
};

// Implementation

class Condition::Wait final : public detail::HandedWaiter {
 public:
  Wait(Condition& condition, detail::Chain& chain) noexcept
      : HandedWaiter(detail::Kind::condition, chain), condition_(condition) {}
  /// If the task was aborted after `notify_one` had chosen it, the notification goes to the next task that waits.
  ~Wait() {
    if (must_give_back()) condition_.choose_one();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) { suspend(condition_.waiters_.list()); }
  void await_resume() { pick_up(); }

 private:
  Condition& condition_;
};

inline void Condition::choose_one() noexcept {
  if (!waiters_.empty()) waiters_.hand_to_first();
}

template <class Predicate>
Coro<> Condition::wait(Predicate&& predicate) {
  detail::check_awaited_callable<Predicate>();
  waiters_.check_thread();
  return wait_until(std::decay_t<Predicate>(std::forward<Predicate>(predicate)));
}

template <class Predicate>
Coro<> Condition::wait_until(Predicate predicate) {
  while (!predicate()) co_await wait();
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
