// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <optional>

#include <errand/detail/coro/permits.hpp>

namespace errand {

/// Limits how many tasks of one App do something at a time: each of them holds a permit meanwhile. Tasks get permits in
/// the order in which they asked for one.
///
/// The semaphore must outlive its permits. If it is destroyed while tasks wait, their awaits throw `InvalidState`.
/// Every member throws `WrongThread` if a task is waiting and another thread is inside the App of that task.
///
///     errand::Semaphore connections(10);
///     auto permit = co_await connections.acquire();   // given back at the end of the scope
class Semaphore {
 public:
  /// One permit, which is given back when this object is destroyed, or when `release` is called. It can be moved.
  class [[nodiscard("dropping the permit gives it back")]] Permit : public detail::Grant {
    friend Semaphore;
    template <class>
    friend class detail::Acquire;
    using Grant::Grant;

   public:
    /// Gives the permit back before the end of the scope. Later calls do nothing. Throws `WrongThread` as the members
    /// of the Semaphore do; the destructor, which cannot throw, ends the program in that case.
    void release() { Grant::release(); }
  };

  /// Makes a semaphore with this many permits, all of them free.
  explicit Semaphore(std::size_t permits) noexcept : permits_(detail::Kind::semaphore, permits) {}

  /// Waits until there is a permit for this task, and gives it: `auto permit = co_await semaphore.acquire()`. Throws
  /// `Cancelled` if the task is asked to end before it is handed a permit.
  detail::WaitOn<detail::Acquire<Permit>, detail::Permits> acquire() {
    permits_.waiters.check_thread();
    return permits_;
  }
  /// Returns a Permit if one is free, else nullopt. Does not wait.
  std::optional<Permit> try_acquire() {
    permits_.waiters.check_thread();
    if (!permits_.try_take()) return std::nullopt;
    return Permit(permits_);
  }
  /// Adds `n` new permits, also beyond the number that the constructor was given. Throws `InvalidState` and adds none
  /// if there would then be more permits, free and held, than a `std::size_t` can count.
  void release(std::size_t n = 1) { permits_.add(n); }

 private:
  detail::Permits permits_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
