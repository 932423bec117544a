// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <memory>
#include <utility>

#include <errand/detail/coro/suspension.hpp>
#include <errand/detail/loop/call.hpp>

namespace errand::detail {

/// A wake-up that comes from outside the App's thread. It belongs to two sides: the waiting task, which may go away at
/// any time, and whoever posts it, on whatever thread and however late. The last one destroys it.
class RemoteWake : public Call {
 public:
  /// On the App's thread, before anyone else knows of it: where it is to be posted.
  void bind(Loop& loop) noexcept { inbox_ = loop.inbox; }
  /// On the App's thread: the task waits for it from now on. It may have been posted already.
  void attach(OutsideWait& waiter) noexcept {
    waiter_ = &waiter;
    ++waiter.chain()->loop->outside;
  }
  /// On the App's thread: the task does not wait any more, or never did.
  void detach() noexcept {
    forget();
    release();
  }
  /// The same, but it stays the task's.
  void forget() noexcept {
    if (OutsideWait* waiter = std::exchange(waiter_, nullptr)) --waiter->chain()->loop->outside;
  }
  /// From any thread, once: wakes the task, if it still waits.
  void post() noexcept {
    const std::shared_ptr<Inbox> inbox = inbox_;  // this may be gone as soon as it is posted
    if (!inbox || !inbox->post_back(*this)) drop();
  }
  /// Instead of `post`, where nobody has to be woken.
  void release() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

  void run() noexcept override {
    if (OutsideWait* waiter = std::exchange(waiter_, nullptr)) {
      Chain& chain = *waiter->chain();
      --chain.loop->outside;
      // A request may have ended the wait meanwhile.
      const bool waits = chain.state == Chain::State::waiting && chain.waiting == waiter;
      if (waiter->kind == Kind::foreign && chain.is_asked()) {
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
  /// The chain that waits; null if none does.
  Chain* chain() const noexcept { return waiter_ ? waiter_->chain() : nullptr; }

 private:
  std::shared_ptr<Inbox> inbox_;
  OutsideWait* waiter_ = nullptr;  // for the App's thread alone
  std::atomic<int> owners_ = 2;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
