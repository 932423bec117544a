// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <optional>

#include <errand/detail/coro/permits.hpp>

namespace errand {

/// Mutual exclusion between tasks of one App, across their awaits. First come, first served. Between two awaits nothing
/// else runs, so most code needs none.
///
/// Destroying it while someone waits makes their awaits throw `InvalidState`; it must outlive its guards. Every member
/// throws `WrongThread` if a task waits whose App another thread is inside of.
///
///     errand::Lock lock;
///     auto guard = co_await lock.acquire();   // released at the end of the scope
class Lock {
 public:
  /// Holds the lock until it is destroyed or released. Can be moved.
  class [[nodiscard("dropping the guard releases the lock")]] Guard : public detail::Grant {
    friend Lock;
    template <class>
    friend class detail::Acquire;
    using Grant::Grant;

   public:
    /// Releases the lock before the end of the scope. Once: later calls do nothing. Throws `WrongThread` as all members
    /// of the Lock do; the destructor ends the program there.
    void release() { Grant::release(); }
  };

  Lock() noexcept = default;

  /// `co_await lock.acquire()` gives a Guard, once it is this task's turn. Throws `Cancelled` where the task is asked
  /// to end before the lock was handed to it.
  detail::WaitOn<detail::Acquire<Guard>, detail::Permits> acquire() {
    permits_.waiters.check_thread();
    return permits_;
  }
  /// A Guard where nobody holds the lock, else empty.
  std::optional<Guard> try_acquire() {
    permits_.waiters.check_thread();
    if (!permits_.try_take()) return std::nullopt;
    return Guard(permits_);
  }
  /// Whether somebody holds it.
  bool locked() const {
    permits_.waiters.check_thread();
    return permits_.free() == 0;
  }

 private:
  detail::Permits permits_{detail::Kind::lock, 1};
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
