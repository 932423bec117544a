// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <memory>
#include <utility>

#include <errand/detail/coro/suspension.hpp>
#include <errand/detail/loop/call.hpp>

namespace errand::detail {

/// A wake-up that comes from outside the App's thread. It has two owners: the waiting task, which may be destroyed at
/// any time, and the code that posts the wake-up, on any thread and at any later time. The last owner to release it
/// destroys it.
class RemoteWake : public Call {
 public:
  /// Sets the loop to which it is posted. Called on the App's thread, before another thread knows this object.
  void bind(Loop& loop) noexcept { inbox_ = loop.inbox; }
  /// Called on the App's thread: `waiter` waits for it from now on. It may have been posted already.
  void attach(OutsideWait& waiter) noexcept {
    waiter_ = &waiter;
    ++waiter.chain()->loop->outside;
  }
  /// Called on the App's thread when the task does not wait any more, or never did: gives up the task's ownership.
  void detach() noexcept {
    forget();
    release();
  }
  /// Called on the App's thread when the task does not wait any more. The task remains an owner.
  void forget() noexcept {
    if (OutsideWait* waiter = std::exchange(waiter_, nullptr)) --waiter->chain()->loop->outside;
  }
  /// Called once, on any thread: wakes the task, if it still waits. Gives up the ownership of the caller.
  void post() noexcept {
    const std::shared_ptr<Inbox> inbox = inbox_;  // a copy, because this may be destroyed as soon as it is posted
    if (!inbox || !inbox->post_back(*this)) drop();
  }
  /// Like `post`, but may also be called inside the App, on its thread: then the task is woken at once.
  void come_back() noexcept {
    const Loop* const inside = this_thread().loop;
    if (inside && inside->inbox == inbox_) {
      run();
    } else {
      post();
    }
  }
  /// Makes the caller one more owner, for a while.
  void retain() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  /// Gives up one ownership. Called instead of `post` if nobody has to be woken.
  void release() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

  void run() noexcept override {
    if (OutsideWait* waiter = std::exchange(waiter_, nullptr)) {
      Chain& chain = *waiter->chain();
      --chain.loop->outside;
      // False if a request has ended the wait meanwhile, or the chain was halted.
      const bool waits = chain.state == Chain::State::waiting && chain.waiting == waiter;
      if (chain.is_asked() && waiter->gives_way()) {
        waiter->interrupt();
      } else if (waits && waiter->has_failed()) {
        waiter->end_with(Ending::failed);
      }
      if (waits) chain.woken();
    }
    release();
  }
  void drop() noexcept override { release(); }

 protected:
  ~RemoteWake() = default;
  virtual void destroy() noexcept = 0;
  /// Returns the chain that waits; null if none does.
  Chain* chain() const noexcept { return waiter_ ? waiter_->chain() : nullptr; }

 private:
  std::shared_ptr<Inbox> inbox_;
  OutsideWait* waiter_ = nullptr;  // used on the App's thread only
  std::atomic<int> owners_ = 2;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
