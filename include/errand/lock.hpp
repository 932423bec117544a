// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <optional>

#include <errand/detail/coro/permits.hpp>

namespace errand {

/// Mutual exclusion between tasks of one App, across their awaits. Most code needs no lock, because nothing else runs
/// between two awaits of a task. Tasks get the lock in the order in which they asked for it.
///
/// If the lock is destroyed while tasks wait, their awaits throw `InvalidState`. A guard may outlive it, and releases
/// nothing then. Every member throws `WrongThread` if a task is waiting and another thread is inside the App of that
/// task.
///
///     errand::Lock lock;
///     auto guard = co_await lock.acquire();   // released at the end of the scope
class Lock {
 public:
  /// Holds the lock until the guard is destroyed, or `release` is called. It can be moved.
  class [[nodiscard("dropping the guard releases the lock")]] Guard : public detail::Grant {
    friend Lock;
    template <class>
    friend class detail::Acquire;
    using Grant::Grant;

   public:
    /// Releases the lock before the end of the scope. Later calls do nothing. Throws `WrongThread` as the members of
    /// the Lock do; the destructor, which cannot throw, ends the program in that case.
    void release() { Grant::release(); }
  };

  Lock() noexcept = default;

  /// Waits until it is this task's turn, and gives a Guard: `auto guard = co_await lock.acquire()`. Throws `Cancelled`
  /// if the task is asked to end before it is handed the lock.
  detail::Acquiring<Guard> acquire() {
    permits_.waiters.check_thread();
    return {permits_, 1};
  }
  /// Returns a Guard if the lock is free, else nullopt. Does not wait.
  std::optional<Guard> try_acquire() {
    permits_.waiters.check_thread();
    permits_.prepare();
    if (!permits_.try_take(1)) return std::nullopt;
    return Guard(permits_, 1);
  }
  /// Returns true if somebody holds the lock.
  bool locked() const {
    permits_.waiters.check_thread();
    return permits_.free() == 0;
  }

 private:
  detail::Permits permits_{detail::Kind::lock, 1};
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
