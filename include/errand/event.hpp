// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>

#include <errand/coro.hpp>

namespace errand {

/// A flag that tasks can wait for. It is level-triggered: while it is set, `wait` returns at once.
///
/// The event belongs to the thread of one App: every member throws `WrongThread` if a task is waiting and another
/// thread is inside the App of that task. If the event is destroyed while tasks wait, their awaits throw
/// `InvalidState`.
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

  /// Returns true if the event is set, so that `wait` would return at once.
  bool is_set() const {
    waiters_.check_thread();
    return set_;
  }
  /// Sets the event, and wakes all tasks that wait, in the order in which they began to wait. None of them runs before
  /// `set` returns.
  void set();
  /// Resets the event: from now on `wait` waits again. Tasks that were woken before go on all the same.
  void clear() {
    waiters_.check_thread();
    set_ = false;
  }

  class Wait;
  /// Waits until the event is set: `co_await event.wait()`. Throws `Cancelled` if the task is asked to end before that.
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
