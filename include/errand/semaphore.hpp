// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <optional>

#include <errand/detail/coro/permits.hpp>

namespace errand {

/// A number of permits: so many tasks of one App may do something at a time. First come, first served.
///
/// Destroying it while someone waits makes their awaits throw `InvalidState`; it must outlive its permits. Every member
/// throws `WrongThread` if a task waits whose App another thread is inside of.
///
///     errand::Semaphore connections(10);
///     auto permit = co_await connections.acquire();   // given back at the end of the scope
class Semaphore {
 public:
  /// Is given back when it is destroyed or released. Can be moved.
  class [[nodiscard("dropping the permit gives it back")]] Permit : public detail::Grant {
    friend Semaphore;
    template <class>
    friend class detail::Acquire;
    using Grant::Grant;

   public:
    /// Gives it back before the end of the scope. Once: later calls do nothing. Throws `WrongThread` as all members of
    /// the Semaphore do; the destructor ends the program there.
    void release() { Grant::release(); }
  };

  /// With so many permits that are free.
  explicit Semaphore(std::size_t permits) noexcept : permits_(detail::Kind::semaphore, permits) {}

  /// `co_await semaphore.acquire()` gives a Permit, once there is one for this task. Throws `Cancelled` where the task
  /// is asked to end before one was handed to it.
  detail::WaitOn<detail::Acquire<Permit>, detail::Permits> acquire() {
    permits_.waiters.check_thread();
    return permits_;
  }
  /// A Permit where one is free, else empty.
  std::optional<Permit> try_acquire() {
    permits_.waiters.check_thread();
    if (!permits_.try_take()) return std::nullopt;
    return Permit(permits_);
  }
  /// Adds permits, beyond those of the constructor too. Throws `InvalidState`, and adds none, if there would be more
  /// than a `std::size_t` can count, those that are held included.
  void release(std::size_t n = 1) { permits_.add(n); }

 private:
  detail::Permits permits_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
