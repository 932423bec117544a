// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <cerrno>
#include <thread>

#include <errand/detail/coro/permits.hpp>
#include <errand/detail/loop/interrupts.hpp>
#include <errand/detail/posix/system.hpp>
#include <errand/reactor.hpp>

namespace errand::detail {

/// Handles one signal of the process from its construction to its destruction, which puts the old handler back. Counts
/// the arrivals, and wakes the reactor for each. Each arrival is a permit: the await that takes it keeps it for good.
class SignalSource {
 public:
  /// Throws `InvalidState` if a run with `handle_signals` or another reactor handles the signal, and
  /// `std::system_error` if there is no such signal, or if it cannot be handled.
  SignalSource(int signal, Reactor& reactor) : number(signal), claim_(signal, SignalClaim::await), reactor_(reactor) {
    if (number <= 0 || number >= most) throw_system_error(EINVAL, {"signal ", text_of(number)});
    current(number).store(this);
    if (action_.set(&on_signal)) return;
    const int error = errno;
    current(number).store(nullptr);
    throw_system_error(error, {"signal ", text_of(number)});
  }
  SignalSource(const SignalSource&) = delete;
  ~SignalSource() {
    action_.put_back();
    current(number).store(nullptr);
    while (under_way().load() > 0) std::this_thread::yield();  // a handler on another thread may still use this object
  }

  /// Called by the reactor: gives the arrivals since the last call to the tasks that wait, or keeps them. Returns true
  /// if there were any.
  bool deliver() {
    const int count = arrived_.exchange(0);
    if (count > 0 && is_awaited) arrivals.add(static_cast<std::size_t>(count));
    return count > 0;
  }

  const int number;
  bool is_awaited = false;  // the arrivals are counted, because `errand::signal` was called
  Permits arrivals{Kind::signal, 0};

 private:
  static constexpr int most = 128;  // above every signal's number
  static_assert(std::atomic<int>::is_always_lock_free && std::atomic<SignalSource*>::is_always_lock_free,
                "a signal handler may only use lock-free atomics");

  static std::string text_of(int number) { return std::to_string(number); }
  static std::atomic<SignalSource*>& current(int number) noexcept {
    static std::atomic<SignalSource*> sources[most] = {};
    return sources[number];
  }
  /// Returns how many handlers are running.
  static std::atomic<int>& under_way() noexcept {
    static std::atomic<int> under_way = 0;
    return under_way;
  }
  static void on_signal(int number) noexcept {
    ++under_way();
    if (SignalSource* const source = current(number).load()) {
      ++source->arrived_;
      source->reactor_.wake();  // a write to a pipe, which leaves errno as it is
    }
    --under_way();
  }

  SignalClaim claim_;
  Reactor& reactor_;
  std::atomic<int> arrived_ = 0;
  SignalAction action_{number};
};

/// The wait for one arrival. It stands among the permits of the source.
class ArrivalWait final : public AcquireBase {
 public:
  ArrivalWait(SignalSource& source, Chain& chain) noexcept : AcquireBase(source.arrivals, 1, chain) {}
  void await_resume() { pick_up().forget(1); }
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
