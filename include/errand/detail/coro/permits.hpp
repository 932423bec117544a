// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <limits>
#include <utility>

#include <errand/coro.hpp>

namespace errand::detail {

/// Permits that are taken and given back: what a Lock and a Semaphore have in common. First come, first served: a
/// permit that is given back is handed to the first waiter, and nobody can take it from under it.
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
  /// One that was taken.
  void give_back() noexcept;
  /// The same from outside the library: throws `WrongThread`, and nothing is given back then.
  void give_back_here();
  /// The same from a destructor.
  void give_back_at_end() noexcept;
  /// So many new ones. Throws `InvalidState` if there would be more than `all_` can count; none is added then.
  void add(std::size_t n);

  const Kind kind;  // of those who wait for one
  WaitList waiters;

 private:
  void hand_to_first() noexcept;

  std::size_t free_;
  std::size_t all_;  // free or taken
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
  ~Grant() {
    if (permits_) permits_->give_back_at_end();
  }

  /// Gives it back before the end of the scope. Once: later calls do nothing.
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

class AcquireBase : public Waiter {
 public:
  AcquireBase(Permits& permits, Chain& chain) noexcept : Waiter(permits.kind, chain), permits_(permits) {}
  /// What was handed over and not picked up, because the task was aborted, goes on to the next.
  ~AcquireBase() {
    if (granted_ && ending != Ending::broken) permits_.give_back();
  }

  bool await_ready() {
    chain_->check_earlier_awaits();
    return granted_ = permits_.try_take();
  }
  void await_suspend(std::coroutine_handle<>) { suspend(permits_.waiters.list()); }

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
  } else {
    hand_to_first();
  }
}

inline void Permits::hand_to_first() noexcept {
  AcquireBase& next = waiters.first<AcquireBase>();
  next.granted_ = true;
  waiters.hand_over(next);
}

ERRAND_NOINLINE inline void Permits::give_back_here() {
  waiters.check_thread();
  give_back();
}

ERRAND_NOINLINE inline void Permits::give_back_at_end() noexcept {
  waiters.check_thread_in_destructor();
  give_back();
}

ERRAND_COLD inline void Permits::add(std::size_t n) {
  waiters.check_thread();
  if (n > std::numeric_limits<std::size_t>::max() - all_) {
    throw InvalidState("a Semaphore cannot count so many permits");
  }
  all_ += n;
  for (; n > 0 && !waiters.empty(); --n) hand_to_first();
  free_ += n;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
