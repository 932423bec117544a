// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>

#include <errand/coro.hpp>

namespace errand {

/// A flag that tasks can wait for. Level-triggered: while it is set, nobody waits.
///
/// Belongs to one App's thread: every member throws `WrongThread` if a task waits whose App another thread is inside
/// of. Destroying it while someone waits makes their awaits throw `InvalidState`.
///
///     errand::Event ready;
///     errand::TaskScope tasks;   // below the event, so that its tasks end before that
///     tasks.add([&]() -> errand::Coro<> { co_await ready.wait(); serve(); });
///     ready.set();
class Event {
 public:
  Event() noexcept = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Whether `wait` would return at once.
  bool is_set() const {
    waiters_.check_thread();
    return set_;
  }
  /// Wakes all that are waiting, in the order in which they began to; none of them runs before this returns.
  void set();
  /// From now on `wait` waits again. Who was woken goes on all the same.
  void clear() {
    waiters_.check_thread();
    set_ = false;
  }

  class Wait;
  /// `co_await event.wait()` returns once the event is set. Throws `Cancelled` where the task is asked to end.
  detail::WaitOn<Wait, Event> wait() {
    waiters_.check_thread();
    return *this;
  }

 private:
  bool set_ = false;
  detail::WaitList waiters_;
};

// Implementation

class Event::Wait : public detail::Waiter {
 public:
  Wait(Event& event, detail::Chain& chain) noexcept : Waiter(detail::Kind::event, chain), event_(event) {}

  bool await_ready() const noexcept { return event_.set_; }
  void await_suspend(std::coroutine_handle<>) { suspend(event_.waiters_.list()); }
  void await_resume() { resumed(); }

 private:
  Event& event_;
};

inline void Event::set() {
  waiters_.check_thread();
  set_ = true;
  waiters_.wake_all();
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
