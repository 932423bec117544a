// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <optional>

#include <errand/detail/coro/permits.hpp>

namespace errand {

/// Limits how many tasks of one App do something at a time: each of them holds a permit meanwhile, or several. Tasks
/// get permits in the order in which they asked for them. A task that wants more than there are waits, and those that
/// came later wait behind it, even if they want fewer.
///
/// If the semaphore is destroyed while tasks wait, their awaits throw `InvalidState`. A permit may outlive it, and
/// gives nothing back then. Every member throws `WrongThread` if a task is waiting and another thread is inside the App
/// of that task.
///
///     errand::Semaphore connections(10);
///     auto permit = co_await connections.acquire();   // given back at the end of the scope
///     auto three = co_await connections.acquire(3);   // all at once
class Semaphore {
 public:
  /// One permit, or as many as were acquired at once. They are given back when this object is destroyed, or when
  /// `release` is called. It can be moved.
  class [[nodiscard("dropping the permit gives it back")]] Permit : public detail::Grant {
    friend Semaphore;
    template <class>
    friend class detail::Acquire;
    using Grant::Grant;

   public:
    /// Gives the permits back before the end of the scope. Later calls do nothing. Throws `WrongThread` as the members
    /// of the Semaphore do; the destructor, which cannot throw, ends the program in that case.
    void release() { Grant::release(); }
    /// Gives the permits up without giving them back: the semaphore has fewer from now on. Later calls, and those of
    /// `release`, do nothing. Throws `WrongThread` as the members of the Semaphore do.
    void forget() { Grant::forget(); }
  };

  /// Makes a semaphore with this many permits, all of them free.
  explicit Semaphore(std::size_t permits) noexcept : permits_(detail::Kind::semaphore, permits) {}

  /// Waits until there are `n` permits for this task, and gives them: `auto permit = co_await semaphore.acquire()`. If
  /// `n` is more than the semaphore has, waits until `release` has added enough. Throws `Cancelled` if the task is
  /// asked to end before it is handed the permits, and `InvalidState`, at the call, if `n` is 0.
  detail::Acquiring<Permit> acquire(std::size_t n = 1) {
    check(n);
    return {permits_, n};
  }
  /// Returns a Permit of `n` permits, or nullopt if fewer are free or another task waits for permits. Does not wait.
  /// Throws `InvalidState` if `n` is 0.
  std::optional<Permit> try_acquire(std::size_t n = 1) {
    check(n);
    permits_.prepare();
    if (!permits_.try_take(n)) return std::nullopt;
    return Permit(permits_, n);
  }
  /// Returns the number of permits that nobody holds. If a task waits for more than these, `try_acquire` leaves them to
  /// that task.
  std::size_t available() const {
    permits_.waiters.check_thread();
    return permits_.free();
  }
  /// Adds `n` new permits, also beyond the number that the constructor was given. Throws `InvalidState` and adds none
  /// if there would then be more permits, free and held, than a `std::size_t` can count.
  void release(std::size_t n = 1) { permits_.add(n); }

 private:
  void check(std::size_t n) const {
    permits_.waiters.check_thread();
    if (n == 0) throw InvalidState("0 permits of a Semaphore cannot be acquired: 1 is the least");
  }

  detail::Permits permits_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
