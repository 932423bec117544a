// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <limits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/base/pool.hpp>

namespace errand::detail {

class Permits;

/// What a Lock or a Semaphore shares with those who hold its permits, because they may outlive it: a task may own its
/// permit, and end later than the task that has the Semaphore. Made by the first acquire, and destroyed with the last
/// of those who share it. A grant can be moved on any thread, because that changes nothing here.
struct Origin : Pooled {
  explicit Origin(Permits& its_permits) noexcept : permits(&its_permits) {}

  Permits* permits;  // null if the Lock or the Semaphore is gone
  std::size_t grants = 0;
};

/// The common part of a Lock and a Semaphore: permits that are taken and given back. First come, first served: permits
/// that are given back are for the first waiter. As soon as there are as many as it wants, they are handed to it, and
/// no other task can take them before that waiter resumes. Until then those behind it get none, even if they want
/// fewer.
class Permits {
 public:
  Permits(Kind of, std::size_t free) noexcept : kind(of), free_(free), all_(free) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;
  ~Permits() {
    if (origin_) leave_origin();
  }

  /// Makes what is shared with those who hold permits. Called before permits are taken or waited for, so that nothing
  /// can fail when they have been handed over. Throws `std::bad_alloc`.
  void prepare() {
    if (!origin_) origin_ = new Origin(*this);
  }
  /// `prepare` was called before.
  Origin& origin() const noexcept { return *origin_; }

  std::size_t free() const noexcept { return free_; }
  /// Takes `n` permits. Returns false and takes none if there are fewer, or if somebody waits.
  bool try_take(std::size_t n) noexcept {
    if (free_ < n || !waiters.empty()) return false;
    free_ -= n;
    return true;
  }
  /// Gives back `n` permits that were taken, and serves the waiters.
  void give_back(std::size_t n) noexcept;
  /// Gives back `n` permits for a call from the user's code. Throws `WrongThread`, and gives back nothing, if another
  /// thread is inside the App whose tasks wait.
  void give_back_here(std::size_t n);
  /// Gives back `n` permits for a destructor, which cannot throw: ends the program if another thread is inside that
  /// App.
  void give_back_at_end(std::size_t n) noexcept;
  /// Forgets `n` permits that were taken: they will not be given back. Throws `WrongThread`.
  void forget(std::size_t n);
  /// Hands permits to the waiters, the first one first, as long as there are enough for the first one.
  void serve() noexcept;
  /// Adds `n` new permits. Throws `InvalidState` if there would be more than `all_` can count, and `WrongThread`. Then
  /// no permit is added.
  void add(std::size_t n);

  const Kind kind;  // of the waiters
  WaitList waiters;

 private:
  void leave_origin() noexcept;

  std::size_t free_;
  std::size_t all_;           // the free permits and the permits that are taken
  Origin* origin_ = nullptr;  // null until the first acquire
};

/// Holds permits, and gives them back when it is destroyed. The base of the guards that an acquire returns. If the Lock
/// or the Semaphore is gone, there is nothing to give back.
class Grant {
 public:
  Grant(Grant&& other) noexcept : origin_(std::exchange(other.origin_, nullptr)), count_(other.count_) {}
  Grant& operator=(Grant&& other) noexcept {
    Grant given(std::move(other));
    std::swap(origin_, given.origin_);
    std::swap(count_, given.count_);
    return *this;
  }
  ~Grant() {
    if (origin_) end();
  }

  /// Gives the permits back before the end of the scope. Later calls do nothing. Throws `WrongThread`, and keeps the
  /// permits, if another thread is inside the App whose tasks wait for them.
  void release();

 protected:
  Grant(Permits& permits, std::size_t count) noexcept : origin_(&permits.origin()), count_(count) { ++origin_->grants; }
  void forget();

 private:
  void end() noexcept;
  void leave() noexcept;

  Origin* origin_;  // null if the permits were given back
  std::size_t count_;
};

/// The wait for permits, for any type of guard.
class AcquireBase : public HandedWaiter {
 public:
  AcquireBase(Permits& permits, std::size_t count, Chain& chain) noexcept
      : HandedWaiter(permits.kind, chain), permits_(permits), count_(count) {}

  bool await_ready() {
    chain_->check_earlier_awaits();
    permits_.prepare();
    return was_handed_ = permits_.try_take(count_);
  }
  void await_suspend(std::coroutine_handle<>) { suspend(permits_.waiters.list()); }
  /// Called by a race after `await_ready` has taken permits, because the race may go on only later: if the Lock or the
  /// Semaphore is destroyed meanwhile, the race throws `InvalidState`.
  void keep() noexcept { permits_.waiters.keep(*this); }
  std::size_t count() const noexcept { return count_; }

 protected:
  /// Gives back permits that were handed over and not picked up, because the task was aborted. If the wait has ended
  /// without permits, those behind it may be served now: there may be enough for them.
  ~AcquireBase() {
    if (must_give_back()) {
      permits_.give_back(count_);
    } else if (linked()) {
      unlink();
      permits_.serve();
    }
  }
  /// Called by `await_resume`: the permits belong to the guard from now on.
  Permits& pick_up() {
    HandedWaiter::pick_up();
    return permits_;
  }

 private:
  /// Called when a request has ended the wait. The permits know this waiter until it is destroyed and serves those
  /// behind it.
  void left() noexcept override { permits_.waiters.keep(*this); }

  Permits& permits_;
  const std::size_t count_;
};

/// The wait for permits. Returns a guard of type `G`, a class derived from `Grant`.
template <class G>
class Acquire final : public AcquireBase {
 public:
  using AcquireBase::AcquireBase;
  G await_resume() { return G(pick_up(), count()); }
};

/// The awaitable that `acquire` returns. Each `co_await` of it waits for this many permits.
template <class G>
class [[nodiscard("co_await it")]] Acquiring {
 public:
  Acquiring(Permits& permits, std::size_t count) noexcept : permits_(permits), count_(count) {}
  Acquire<G> awaited_by(Chain& chain) const noexcept { return Acquire<G>(permits_, count_, chain); }

 private:
  Permits& permits_;
  std::size_t count_;
};

#if ERRAND_DEFINES

/// Never inlined: if it is inlined into a coroutine that resets a `std::optional<Lock::Guard>`, Clang 16 and 19 destroy
/// the guard twice (tests/programs/optional_reset.cpp).
ERRAND_NOINLINE ERRAND_ONCE void Permits::give_back(std::size_t n) noexcept {
  free_ += n;
  serve();
}

ERRAND_NOINLINE ERRAND_ONCE void Permits::give_back_here(std::size_t n) {
  waiters.check_thread();
  give_back(n);
}

ERRAND_NOINLINE ERRAND_ONCE void Permits::give_back_at_end(std::size_t n) noexcept {
  waiters.check_thread_in_destructor();
  give_back(n);
}

ERRAND_COLD ERRAND_ONCE void Permits::forget(std::size_t n) {
  waiters.check_thread();
  all_ -= n;
}

ERRAND_ONCE void Permits::serve() noexcept {
  while (!waiters.empty() && waiters.first<AcquireBase>().count() <= free_) {
    free_ -= waiters.first<AcquireBase>().count();
    waiters.hand_to_first();
  }
}

ERRAND_COLD ERRAND_ONCE void Permits::leave_origin() noexcept {
  origin_->permits = nullptr;
  if (origin_->grants == 0) delete origin_;
}

ERRAND_NOINLINE ERRAND_ONCE void Grant::end() noexcept {
  if (Permits* const permits = origin_->permits) permits->give_back_at_end(count_);
  leave();
}

ERRAND_ONCE void Grant::release() {
  if (!origin_) return;
  if (Permits* const permits = origin_->permits) permits->give_back_here(count_);
  leave();
}

ERRAND_COLD ERRAND_ONCE void Grant::forget() {
  if (!origin_) return;
  if (Permits* const permits = origin_->permits) permits->forget(count_);
  leave();
}

ERRAND_ONCE void Grant::leave() noexcept {
  Origin* const origin = std::exchange(origin_, nullptr);
  if (--origin->grants == 0 && !origin->permits) delete origin;
}

ERRAND_COLD ERRAND_ONCE void Permits::add(std::size_t n) {
  waiters.check_thread();
  if (n > std::numeric_limits<std::size_t>::max() - all_) {
    throw InvalidState("a Semaphore cannot count so many permits");
  }
  all_ += n;
  give_back(n);
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
