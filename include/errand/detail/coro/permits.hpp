// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <limits>
#include <utility>

#include <errand/coro.hpp>

namespace errand::detail {

class Grant;

/// The common part of a Lock and a Semaphore: permits that are taken and given back. First come, first served: permits
/// that are given back are for the first waiter. As soon as there are as many as it wants, they are handed to it, and
/// no other task can take them before that waiter resumes. Until then those behind it get none, even if they want
/// fewer.
///
/// Permits that were taken are held by a `Grant`. It may outlive this object, and gives nothing back then: a task may
/// own its permit, and end later than the task that has the Semaphore.
class Permits {
 public:
  Permits(Kind of, std::size_t free) noexcept : kind(of), free_(free), all_(free) {}
  ~Permits() { let_go(); }
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  std::size_t free() const noexcept { return free_; }
  /// Takes `n` permits. Returns false and takes none if there are fewer, or if somebody waits.
  bool try_take(std::size_t n) noexcept {
    if (free_ < n || !waiters.empty()) return false;
    free_ -= n;
    return true;
  }
  /// Gives back `n` permits that were taken, and serves the waiters.
  void give_back(std::size_t n) noexcept;
  /// Notes who holds permits that were taken.
  void hold(Grant& grant) noexcept;
  /// Takes the permits back for a call from the user's code. Throws `WrongThread`, and takes back nothing, if another
  /// thread is inside the App whose tasks wait.
  void take_back_here(Grant& grant);
  /// Takes the permits back for a destructor, which cannot throw: ends the program if another thread is inside that
  /// App.
  void take_back_at_end(Grant& grant) noexcept;
  /// Forgets permits that were taken: they will not be given back. Throws `WrongThread`.
  void forget(Grant& grant);
  /// Hands permits to the waiters, the first one first, as long as there are enough for the first one.
  void serve() noexcept;
  /// Adds `n` new permits. Throws `InvalidState` if there would be more than `all_` can count, and `WrongThread`. Then
  /// no permit is added.
  void add(std::size_t n);

  const Kind kind;  // of the waiters
  WaitList waiters;

 private:
  void take_back(Grant& grant) noexcept;
  void let_go() noexcept;

  List grants_;
  std::size_t free_;
  std::size_t all_;  // the free permits and the permits that are taken
};

/// Holds permits, and gives them back when it is destroyed. The base of the guards that an acquire returns.
class Grant : private Link {
 public:
  Grant(Grant&& other) noexcept { take_from(other); }
  Grant& operator=(Grant&& other) noexcept {
    Grant given(std::move(other));
    const Grant before(std::move(*this));
    take_from(given);
    return *this;
  }
  ~Grant() {
    if (permits_) permits_->take_back_at_end(*this);
  }

  /// Gives the permits back before the end of the scope. Later calls do nothing. Throws `WrongThread`, and keeps the
  /// permits, if another thread is inside the App whose tasks wait for them.
  void release() {
    if (permits_) permits_->take_back_here(*this);
  }

 protected:
  Grant(Permits& permits, std::size_t count) noexcept : permits_(&permits), count_(count) { permits.hold(*this); }
  void forget() {
    if (permits_) permits_->forget(*this);
  }

 private:
  friend Permits;

  void take_from(Grant& other) noexcept {
    if (!other.permits_) return;
    other.unlink();
    permits_ = std::exchange(other.permits_, nullptr);
    count_ = other.count_;
    permits_->hold(*this);
  }
  /// Called when there is nothing to give back any more.
  void leave() noexcept {
    unlink();
    permits_ = nullptr;
  }

  Permits* permits_ = nullptr;  // null if the permits were given back, or if the Lock or the Semaphore is gone
  std::size_t count_ = 0;
};

/// The wait for permits, for any type of guard.
class AcquireBase : public HandedWaiter {
 public:
  AcquireBase(Permits& permits, std::size_t count, Chain& chain) noexcept
      : HandedWaiter(permits.kind, chain), permits_(permits), count_(count) {}

  bool await_ready() {
    chain_->check_earlier_awaits();
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

ERRAND_ONCE void Permits::hold(Grant& grant) noexcept { grants_.push_back(grant); }

ERRAND_NOINLINE ERRAND_ONCE void Permits::take_back_here(Grant& grant) {
  waiters.check_thread();
  take_back(grant);
}

ERRAND_NOINLINE ERRAND_ONCE void Permits::take_back_at_end(Grant& grant) noexcept {
  waiters.check_thread_in_destructor();
  take_back(grant);
}

ERRAND_ONCE void Permits::take_back(Grant& grant) noexcept {
  grant.leave();
  give_back(grant.count_);
}

ERRAND_COLD ERRAND_ONCE void Permits::forget(Grant& grant) {
  waiters.check_thread();
  all_ -= grant.count_;
  grant.leave();
}

ERRAND_COLD ERRAND_ONCE void Permits::let_go() noexcept {
  while (!grants_.empty()) static_cast<Grant&>(grants_.front()).leave();
}

ERRAND_ONCE void Permits::serve() noexcept {
  while (!waiters.empty() && waiters.first<AcquireBase>().count() <= free_) {
    free_ -= waiters.first<AcquireBase>().count();
    waiters.hand_to_first();
  }
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
