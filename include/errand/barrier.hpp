// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>

#include <errand/coro.hpp>

namespace errand {

/// Lets a number of tasks of one App wait for each other, again and again. A waiter that is cancelled no longer counts.
///
/// Destroying it while someone waits makes their awaits throw `InvalidState`. Every member throws `WrongThread` if a
/// task waits whose App another thread is inside of.
///
///     errand::Barrier barrier(3);
///     std::size_t index = co_await barrier.wait();   // 0, 1 or 2
class Barrier {
 public:
  /// For so many tasks. Throws `InvalidState` for none.
  explicit Barrier(std::size_t parties) : parties_(parties) {
    if (parties == 0) throw InvalidState("a Barrier is for one task at least");
  }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  class Wait;
  /// `co_await barrier.wait()` returns when all have come: 0 to the one that came first, and so on. The last one does
  /// not suspend. Throws `Cancelled` where the task is asked to end.
  detail::WaitOn<Wait, Barrier> wait() {
    waiters_.check_thread();
    return *this;
  }

 private:
  void open() noexcept;

  const std::size_t parties_;
  std::size_t waiting_ = 0;
  detail::WaitList waiters_;
};

// Implementation

class Barrier::Wait : public detail::CountedWaiter {
 public:
  Wait(Barrier& barrier, detail::Chain& chain) noexcept
      : CountedWaiter(detail::Kind::barrier, chain, barrier.waiting_), barrier_(barrier) {}

  bool await_ready() {
    chain_->check_earlier_awaits();
    if (barrier_.waiting_ + 1 < barrier_.parties_) return false;
    barrier_.open();
    index_ = barrier_.parties_ - 1;
    return true;
  }
  bool await_suspend(std::coroutine_handle<>) { return suspend(barrier_.waiters_.list()); }
  std::size_t await_resume() {
    resumed();
    return index_;
  }

 private:
  friend Barrier;

  Barrier& barrier_;
  std::size_t index_ = 0;
};

inline void Barrier::open() noexcept {
  for (std::size_t index = 0; !waiters_.empty(); ++index) {
    Wait& first = waiters_.first<Wait>();
    first.index_ = index;
    first.wake();
  }
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
