// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <type_traits>
#include <utility>

#include <errand/finally.hpp>
#include <errand/gather.hpp>
#include <errand/time.hpp>

namespace errand {

/// How long `retry` and `supervise` wait between two attempts, and how many attempts they make.
///
/// They wait for `first` after the first failure, and `factor` times as long after each one that follows, but never
/// longer than `most`. Each wait is shortened by a random part of it, which is at most `jitter`: with a jitter of 0.5,
/// a wait of 2 s takes from 1 s to 2 s. So clients that have lost the same server do not all come back at once.
struct Backoff {
  std::chrono::nanoseconds first = std::chrono::milliseconds(100);  ///< the first wait; not negative
  std::chrono::nanoseconds most = std::chrono::seconds(30);         ///< the longest wait; not negative
  double factor = 2;                                                ///< at least 1
  double jitter = 0;                                                ///< from 0, no random part, to 1
  unsigned attempts = 0;                                            ///< the first one counts; 0 means no limit
};

/// Calls `f()`, and again after each failure, until it succeeds: returns its result.
///
/// `f` returns a Coro, which is awaited, or a plain value, and is kept until the end. If the last attempt fails, its
/// error comes out; the errors of the attempts before are not reported. `Cancelled` always comes out, and so does an
/// error if the caller was asked to end during the attempt. Throws `InvalidState` at the call if a value of the Backoff
/// is not allowed.
///
///     auto connection = co_await errand::retry([&] { return connect(host); }, {.first = 1s, .attempts = 5});
template <class F>
Coro<detail::PartResult<F>> retry(F&& f, Backoff backoff = {});

/// Keeps a service running: calls `f()`, and again whenever it throws. Returns when `f` returns.
///
/// `f` returns a Coro, which is awaited, or a plain value, and is kept until the end. Each failure is reported under
/// the name of the task, and the task's note says "restart 1", "restart 2" and so on. If `f` ran for longer than
/// `Backoff::most`, the next wait is `first` again, and the attempts and restarts are counted from the beginning.
///
/// If the last attempt that the Backoff allows fails, its error comes out. `Cancelled` always comes out, and so does an
/// error if the caller was asked to end while `f` ran. Throws `InvalidState` at the call if a value of the Backoff is
/// not allowed.
///
///     app.add_task(errand::supervise([&] { return feed(url); }, {.first = 1s}), "feed");
template <class F>
Coro<> supervise(F&& f, Backoff backoff = {});

// Implementation

namespace detail {

/// Throws `InvalidState` if a value of the Backoff is not allowed.
void check_backoff(const Backoff& backoff);

/// The attempts that have failed, and how long to wait after each.
class Failures {
 public:
  explicit Failures(const Backoff& backoff) noexcept : backoff_(backoff) { forget(); }

  void forget() noexcept {
    count_ = 0;
    delay_ = static_cast<double>(backoff_.first.count());
  }
  /// Counts a failure. Returns true if there is to be another attempt.
  bool add() noexcept { return ++count_ != backoff_.attempts; }
  std::uint64_t count() const noexcept { return count_; }

  /// Returns how long to wait now. Throws what a clock of the user's throws.
  Nanoseconds next_delay(Loop& loop) {
    const double most = static_cast<double>(backoff_.most.count());
    const bool is_most = !(delay_ < most);
    const double rounded = delay_ + 0.5;
    const Nanoseconds whole = is_most ? backoff_.most : Nanoseconds(static_cast<std::int64_t>(rounded));
    if (!is_most) delay_ *= backoff_.factor;
    if (backoff_.jitter == 0) return whole;
    const double random_part = static_cast<double>(whole.count()) * backoff_.jitter * random(loop);
    return whole - Nanoseconds(static_cast<std::int64_t>(random_part));
  }

 private:
  /// Returns a number from 0 up to 1, but never 1. It depends on the time of the App's clock, which differs between
  /// processes, and on how many numbers were drawn before. So with a ManualClock, each run of a test gets the same
  /// ones.
  static double random(Loop& loop) {
    auto bits = static_cast<std::uint64_t>(loop.now().time_since_epoch().count());
    bits += ++loop.random_draws * 0x9e3779b97f4a7c15;
    for (int round = 0; round < 3; ++round) bits = (bits ^ bits >> 31) * 0xd6e8feb86659fd93;
    constexpr double range = 9007199254740992;  // 2^53: as many bits as a double has
    return static_cast<double>(bits >> 11) / range;
  }

  const Backoff backoff_;
  std::uint64_t count_;
  double delay_;  // the next wait in nanoseconds, with a fraction, so that it grows from the smallest `first` too
};

/// One attempt: `f` as a branch, because the combinator knows if a request has come meanwhile, from the task or from a
/// combinator around it.
template <class F>
class Attempt {
  using T = PartResult<F>;

 public:
  Attempt(F& f, Kind combinator) : Attempt(call(f), combinator) {}

  /// Returns true if the attempt has failed and there must not be another one.
  bool was_ended() const noexcept { return branch.status == TaskStatus::cancelled || wait.was_asked(); }

 private:
  Attempt(Coro<T> coro, Kind combinator) : branch(coro), wait(combinator) { wait.add(branch); }
  /// Calls `f` inside the branch, so that an exception of the call is a failure of the attempt.
  static Coro<T> call(F& f) { co_return co_await detail::begin_part(f); }

 public:
  Branch<T> branch;
  GatherWait wait;
};

template <class F>
Coro<PartResult<F>> run_retry(F f, Backoff backoff) {
  Chain& chain = co_await ThisChain();
  Failures failures(backoff);
  for (;;) {
    {
      Attempt<F> attempt(f, Kind::retry);
      co_await attempt.wait;
      if (attempt.branch.status == TaskStatus::succeeded) co_return attempt.branch.take();
      if (attempt.was_ended() || !failures.add()) attempt.wait.check();
    }
    co_await errand::sleep(failures.next_delay(*chain.loop));
  }
}

template <class F>
Coro<> run_supervise(F f, Backoff backoff) {
  Chain& chain = co_await ThisChain();
  Failures failures(backoff);
  for (;;) {
    {
      const Clock::time_point begin = chain.loop->now();
      Attempt<F> attempt(f, Kind::supervise);
      co_await attempt.wait;
      if (attempt.branch.status == TaskStatus::succeeded) co_return;
      if (attempt.was_ended()) attempt.wait.check();
      Kept kept(chain, attempt.branch.error());  // reports the failure, also if a clock of the user's throws now
      if (chain.loop->now() - begin > backoff.most) failures.forget();
      if (!failures.add()) {
        kept.error = nullptr;
        attempt.wait.check();
      }
    }
    errand::current_task().set_note("restart " + std::to_string(failures.count()));
    co_await errand::sleep(failures.next_delay(*chain.loop));
  }
}

template <class F>
void check_retried(const Backoff& backoff) {
  static_assert(!is_coro<std::remove_cvref_t<F>>, "a Coro runs once: give a callable that makes one for each attempt");
  check_awaited_callable<F>();
  check_backoff(backoff);
}

}  // namespace detail

template <class F>
Coro<detail::PartResult<F>> retry(F&& f, Backoff backoff) {
  detail::check_retried<F>(backoff);
  return detail::run_retry<std::decay_t<F>>(std::forward<F>(f), backoff);
}

template <class F>
Coro<> supervise(F&& f, Backoff backoff) {
  detail::check_retried<F>(backoff);
  return detail::run_supervise<std::decay_t<F>>(std::forward<F>(f), backoff);
}

#if ERRAND_DEFINES

namespace detail {

[[noreturn]] ERRAND_COLD ERRAND_ONCE void refuse_backoff(const char* member, const std::string& value,
                                                         const char* rule) {
  raise<InvalidState>({"a Backoff with a value of ", value, " for '", member, "', which must ", rule});
}

ERRAND_COLD ERRAND_ONCE void check_backoff(const char* member, Nanoseconds value) {
  if (value < Nanoseconds::zero()) refuse_backoff(member, std::to_string(value.count()) + " ns", "not be negative");
}

ERRAND_COLD ERRAND_ONCE void check_backoff(const char* member, double value, bool is_allowed, const char* rule) {
  if (is_allowed) return;
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  refuse_backoff(member, text, rule);
}

ERRAND_COLD ERRAND_ONCE void check_backoff(const Backoff& backoff) {
  check_backoff("first", backoff.first);
  check_backoff("most", backoff.most);
  check_backoff("factor", backoff.factor, backoff.factor >= 1, "be at least 1");
  check_backoff("jitter", backoff.jitter, backoff.jitter >= 0 && backoff.jitter <= 1, "be from 0 to 1");
}

}  // namespace detail

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
