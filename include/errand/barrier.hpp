// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>

#include <errand/coro.hpp>

namespace errand {

/// Lets a fixed number of tasks of one App wait for each other. When all have come, they go on, and the next round can
/// begin. A task that is cancelled while it waits no longer counts.
///
/// If the barrier is destroyed while tasks wait, their awaits throw `InvalidState`. Every member throws `WrongThread`
/// if a task is waiting and another thread is inside the App of that task.
///
///     errand::Barrier barrier(3);
///     std::size_t index = co_await barrier.wait();   // 0, 1 or 2
class Barrier {
 public:
  /// Makes a barrier for this many tasks. Throws `InvalidState` if `parties` is 0.
  explicit Barrier(std::size_t parties) : parties_(parties) {
    if (parties == 0) throw InvalidState("a Barrier is for one task at least");
  }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  class Wait;
  /// Waits until all tasks have come: `co_await barrier.wait()`. Gives 0 to the task that came first, 1 to the next
  /// one, and so on. The last task to come does not suspend. Throws `Cancelled` if the task is asked to end meanwhile.
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

class Barrier::Wait final : public detail::CountedWaiter {
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
