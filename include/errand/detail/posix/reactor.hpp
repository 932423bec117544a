// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include <errand/detail/posix/child.hpp>

namespace errand::detail {

/// A reactor on this poller. `PosixReactor` has the best one of the system; tests use the other one too.
template <class Poller>
class PosixReactorOn : public IoWaits {
 public:
  PosixReactorOn() = default;
  PosixReactorOn(const PosixReactorOn&) = delete;
  PosixReactorOn& operator=(const PosixReactorOn&) = delete;
  ~PosixReactorOn() override { stop_signals(); }

  /// Sleeps until a task can go on, as `Reactor::wait` says. If tasks are ready, and none waits for a descriptor, it
  /// makes no system call.
  void wait(std::optional<Clock::time_point> until) final {
    const std::optional<Nanoseconds> limit = longest_sleep(until);
    if (limit != Nanoseconds::zero() || (waiting > 0 && (!until || is_time_to_look(*until)))) {
      if (poller_.look(limit, *this)) {
        pipe_.empty();
        is_rung_.exchange(0);  // not before: whoever finds it set does not ring, because this wait ends now
      }
    }
    deliver_signals();
  }
  /// Ends the wait, as `Reactor::wake` says. May also be called inside a signal handler.
  void wake() noexcept final {
    if (!is_rung_.exchange(1)) pipe_.ring();
  }

 private:
  /// Returns how long the wait may sleep; empty if there is no limit.
  static std::optional<Nanoseconds> longest_sleep(std::optional<Clock::time_point> until) {
    Loop* const loop = this_thread().loop;  // null if a host polls the App, and calls `wait` itself
    if (loop && loop->has_work()) return Nanoseconds::zero();
    if (!until) return std::nullopt;
    Clock::time_point now = loop ? loop->now() : Clock::now();
    if (*until <= now || (loop && loop->has_work())) return Nanoseconds::zero();  // a clock of the user's may add work
    // A ManualClock has no limits but the present. This limit is one of the steady clock, see `Loop::wait`.
    if (loop && loop->is_manual()) now = Clock::now();
    const Clock::time_point latest = add(now, std::chrono::hours(24));
    return std::max(std::min(*until, latest) - now, Nanoseconds::zero());
  }

  /// Called when tasks are ready at this time. Returns true if it is time to look for input: a look takes longer than
  /// many turns. A clock of the configuration may stand still, so with such a clock every turn looks.
  bool is_time_to_look(Clock::time_point now) noexcept {
    constexpr std::chrono::microseconds between_looks(20);
    const Loop* const loop = this_thread().loop;
    if (loop && !loop->has_own_clock() && now >= last_look_ && now - last_look_ < between_looks) return false;
    last_look_ = now;
    return true;
  }

  bool watch_descriptor(int fd, std::uint32_t mark, Directions wanted) final { return poller_.arm(fd, mark, wanted); }
  int open_child_descriptor(pid_t child) noexcept final { return Poller::open_child(child); }

  WakePipe pipe_;
  std::atomic<int> is_rung_ = 0;   // or 1. An exchange of a bool needs a library on riscv64
  Clock::time_point last_look_{};  // the last look while tasks were ready
  Poller poller_{pipe_.get()};
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
