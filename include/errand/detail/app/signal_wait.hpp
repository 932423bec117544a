// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <errand/detail/coro/suspension.hpp>
#include <errand/detail/loop/deadline.hpp>
#include <errand/detail/loop/loop_ref.hpp>
#include <errand/signal.hpp>

namespace errand::detail {

class SignalDelivery;
class Signals;

// The functions that need the class `Signals` are defined in signals.hpp.

/// The event that an `EventWait` waits for. The App may be gone when the await begins.
struct AwaitedEvent {
  /// Throws `InvalidEvent` if the name is wrong.
  AwaitedEvent(Signals& its_signals, std::string_view event, Nanoseconds its_timeout);

  Signals& signals;  // to be used only if the App is not gone
  LoopRef loop;
  std::string key;
  Nanoseconds timeout;
};

/// The wait for the next signal of an event.
class SignalWait final : public FailingWaiter {
 public:
  SignalWait(AwaitedEvent event, Chain& chain) noexcept
      : FailingWaiter(Kind::signal, chain), event_(std::move(event)) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>);
  Signal await_resume() {
    if (ending == Ending::failed && chain_->is_asked()) interrupt();  // a request in the same turn beats the time-out
    resumed();
    return *signal_;
  }
  ERRAND_ONCE void throw_failure() override;

 private:
  friend SignalDelivery;
  friend Signals;

  static void on_deadline(void* self) noexcept {
    SignalWait& wait = *static_cast<SignalWait*>(self);
    if (wait.linked()) wait.wake_failed();
  }

  const AwaitedEvent event_;
  Deadline deadline_{&on_deadline, this};
  std::uint64_t order_ = 0;
  std::shared_ptr<const Signal> signal_;
};

#if ERRAND_DEFINES

ERRAND_ONCE void SignalWait::throw_failure() { raise<TimeoutError>({"timed out waiting for '", event_.key, "'"}); }

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
