// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>

namespace errand {

/// Lets tasks of one App wait until another one has changed something. There is no lock, since between two awaits
/// nothing else runs; and nothing is remembered: `notify_one` with nobody waiting does nothing.
///
/// Destroying it while someone waits makes their awaits throw `InvalidState`. Every member throws `WrongThread` if a
/// task waits whose App another thread is inside of.
///
///     co_await condition.wait([&] { return !jobs.empty(); });
class Condition {
 public:
  Condition() noexcept = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  class Wait;
  /// `co_await condition.wait()` returns after the next notification that is this task's. Throws `Cancelled` where the
  /// task is asked to end.
  detail::WaitOn<Wait, Condition> wait() {
    waiters_.check_thread();
    return *this;
  }
  /// Waits until `predicate()` is true; does not wait where it is. Throws what that throws, and `Cancelled` likewise.
  template <class Predicate>
  Coro<> wait(Predicate&& predicate);

  /// Wakes the one that has waited longest, if any.
  void notify_one() {
    waiters_.check_thread();
    choose_one();
  }
  /// Wakes all, in the order in which they began to wait.
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

class Condition::Wait : public detail::Waiter {
 public:
  Wait(Condition& condition, detail::Chain& chain) noexcept
      : Waiter(detail::Kind::condition, chain), condition_(condition) {}
  /// A notification of which the task did not learn, because it was aborted, is the next one's.
  ~Wait() {
    if (was_chosen_ && ending != detail::Ending::broken) condition_.choose_one();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) { suspend(condition_.waiters_.list()); }
  void await_resume() {
    was_chosen_ = false;
    resumed();
  }

 private:
  friend Condition;

  Condition& condition_;
  bool was_chosen_ = false;  // by choose_one
};

inline void Condition::choose_one() noexcept {
  if (waiters_.empty()) return;
  Wait& first = waiters_.first<Wait>();
  first.was_chosen_ = true;
  waiters_.hand_over(first);
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
