// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <limits>
#include <utility>

#include <errand/coro.hpp>

namespace errand::detail {

/// The common part of a Lock and a Semaphore: permits that are taken and given back. First come, first served: a permit
/// that is given back is handed to the first waiter, and no other task can take it before that waiter resumes.
class Permits {
 public:
  Permits(Kind of, std::size_t free) noexcept : kind(of), free_(free), all_(free) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  std::size_t free() const noexcept { return free_; }
  bool try_take() noexcept {
    if (free_ == 0) return false;
    --free_;
    return true;
  }
  /// Gives back a permit that was taken: to the first waiter, if there is one.
  void give_back() noexcept;
  /// Gives back a permit for a call from the user's code. Throws `WrongThread`, and gives back nothing, if another
  /// thread is inside the App whose tasks wait.
  void give_back_here();
  /// Gives back a permit for a destructor, which cannot throw: ends the program if another thread is inside that App.
  void give_back_at_end() noexcept;
  /// Adds `n` new permits. Throws `InvalidState` if there would be more than `all_` can count, and `WrongThread`. Then
  /// no permit is added.
  void add(std::size_t n);

  const Kind kind;  // of the waiters
  WaitList waiters;

 private:
  std::size_t free_;
  std::size_t all_;  // the free permits and the permits that are taken
};

/// Holds one permit, and gives it back when it is destroyed. The base of the guards that an acquire returns.
class Grant {
 public:
  Grant(Grant&& other) noexcept : permits_(std::exchange(other.permits_, nullptr)) {}
  Grant& operator=(Grant&& other) noexcept {
    Grant old(std::move(*this));
    permits_ = std::exchange(other.permits_, nullptr);
    return *this;
  }
  ~Grant() {
    if (permits_) permits_->give_back_at_end();
  }

  /// Gives the permit back before the end of the scope. Later calls do nothing. Throws `WrongThread`, and keeps the
  /// permit, if another thread is inside the App whose tasks wait for one.
  void release() {
    if (!permits_) return;
    permits_->give_back_here();
    permits_ = nullptr;
  }

 protected:
  explicit Grant(Permits& permits) noexcept : permits_(&permits) {}

 private:
  Permits* permits_;
};

/// The wait for a permit, for any type of guard.
class AcquireBase : public HandedWaiter {
 public:
  AcquireBase(Permits& permits, Chain& chain) noexcept : HandedWaiter(permits.kind, chain), permits_(permits) {}
  /// Gives back a permit that was handed over and not picked up, because the task was aborted.
  ~AcquireBase() {
    if (must_give_back()) permits_.give_back();
  }

  bool await_ready() {
    chain_->check_earlier_awaits();
    return was_handed_ = permits_.try_take();
  }
  void await_suspend(std::coroutine_handle<>) { suspend(permits_.waiters.list()); }
  /// Called by a race after `await_ready` has taken a permit, because the race may go on only later: if the Lock or the
  /// Semaphore is destroyed meanwhile, the race throws `InvalidState`.
  void keep() noexcept { permits_.waiters.keep(*this); }

 protected:
  /// Called by `await_resume`: the permit belongs to the guard from now on.
  Permits& pick_up() {
    HandedWaiter::pick_up();
    return permits_;
  }

 private:
  Permits& permits_;
};

/// The wait for a permit. Returns a guard of type `G`, a class derived from `Grant`.
template <class G>
class Acquire : public AcquireBase {
 public:
  using AcquireBase::AcquireBase;
  G await_resume() { return G(pick_up()); }
};

#if ERRAND_DEFINES

/// Never inlined: if it is inlined into a coroutine that resets a `std::optional<Lock::Guard>`, Clang 16 and 19 destroy
/// the guard twice (tests/programs/optional_reset.cpp).
ERRAND_NOINLINE ERRAND_ONCE void Permits::give_back() noexcept {
  if (waiters.empty()) {
    ++free_;
  } else {
    waiters.hand_to_first();
  }
}

ERRAND_NOINLINE ERRAND_ONCE void Permits::give_back_here() {
  waiters.check_thread();
  give_back();
}

ERRAND_NOINLINE ERRAND_ONCE void Permits::give_back_at_end() noexcept {
  waiters.check_thread_in_destructor();
  give_back();
}

ERRAND_COLD ERRAND_ONCE void Permits::add(std::size_t n) {
  waiters.check_thread();
  if (n > std::numeric_limits<std::size_t>::max() - all_) {
    throw InvalidState("a Semaphore cannot count so many permits");
  }
  all_ += n;
  for (; n > 0 && !waiters.empty(); --n) waiters.hand_to_first();
  free_ += n;
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
