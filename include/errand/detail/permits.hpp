// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <utility>

#include <errand/coro.hpp>

namespace errand::detail {

/// Permits that are taken and given back: what a Lock and a Semaphore have in common. First come, first served: a
/// permit that is given back is handed to the first waiter, and nobody can take it from under it.
class Permits {
 public:
  Permits(Kind of, std::size_t free) noexcept : kind(of), free_(free) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  std::size_t free() const noexcept { return free_; }
  bool try_take() noexcept {
    if (free_ == 0) return false;
    --free_;
    return true;
  }
  void give_back() noexcept;

  const Kind kind;  // of those who wait for one
  WaitList waiters;

 private:
  std::size_t free_;
};

/// One permit, given back when this is destroyed; the base of what an acquire gives.
class Grant {
 public:
  Grant(Grant&& other) noexcept : permits_(std::exchange(other.permits_, nullptr)) {}
  Grant& operator=(Grant&& other) noexcept {
    Grant old(std::move(*this));
    permits_ = std::exchange(other.permits_, nullptr);
    return *this;
  }
  ~Grant() { release(); }

  /// Gives it back before the end of the scope. Once: later calls do nothing.
  void release() noexcept {
    if (Permits* permits = std::exchange(permits_, nullptr)) permits->give_back();
  }

 protected:
  explicit Grant(Permits& permits) noexcept : permits_(&permits) {}

 private:
  Permits* permits_;
};

class AcquireBase : public Waiter {
 public:
  AcquireBase(Permits& permits, Chain& chain) noexcept : Waiter(permits.kind, chain), permits_(permits) {}
  /// What was handed over and not picked up, because the task was aborted, goes on to the next.
  ~AcquireBase() {
    if (granted_ && ending != Ending::broken) permits_.give_back();
  }

  bool await_ready() {
    chain_->throw_failed();
    return granted_ = permits_.try_take();
  }
  void await_suspend(std::coroutine_handle<>) {
    suspend(permits_.waiters.list());
  }

 protected:
  Permits& pick_up() {
    resumed();
    granted_ = false;
    return permits_;
  }

 private:
  friend Permits;

  Permits& permits_;
  bool granted_ = false;
};

/// The wait for a permit; gives a `G`, a class derived from `Grant`.
template <class G>
class Acquire : public AcquireBase {
 public:
  using AcquireBase::AcquireBase;
  G await_resume() { return G(pick_up()); }
};

/// Out of line: inlined into a coroutine that resets a `std::optional<Lock::Guard>`, it makes Clang 16 and 19 destroy
/// that twice (tests/programs/optional_reset.cpp).
ERRAND_NOINLINE inline void Permits::give_back() noexcept {
  if (waiters.empty()) {
    ++free_;
    return;
  }
  AcquireBase& next = waiters.first<AcquireBase>();
  next.granted_ = true;
  waiters.hand_over(next);
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
