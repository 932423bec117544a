// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string_view>

#include <errand/detail/app/signals.hpp>
#include <errand/signal.hpp>

namespace errand {

/// What `App::event` gives: `co_await` it for the next signal of that event. Waiting begins at the `co_await`, and so
/// does the time-out; it may be awaited as often as wanted.
class [[nodiscard("co_await it")]] EventWait {
 public:
  /// For the library. Throws `InvalidEvent`.
  EventWait(detail::Signals& signals, std::string_view event, detail::Nanoseconds timeout)
      : event_(signals, event, timeout) {}

  /// For the library: `co_await` gives a `Signal`. Throws `TimeoutError`, `Cancelled` where the task is asked to end,
  /// and `InvalidState` in a task of another App, or where the App is gone.
  detail::SignalWait awaited_by(detail::Chain& chain) const { return detail::SignalWait(event_, chain); }

 private:
  detail::AwaitedEvent event_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
