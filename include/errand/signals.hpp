// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string_view>

#include <errand/broadcast.hpp>
#include <errand/detail/app/signal_wait.hpp>
#include <errand/signal.hpp>

namespace errand {

/// The awaitable that `App::event` returns: `co_await` it for the next signal of that event. Waiting begins at the
/// `co_await`, and so does the time-out. It may be awaited any number of times.
class [[nodiscard("co_await it")]] EventWait {
 public:
  /// For the library's own use: `App::event` makes it. Throws `InvalidEvent` if the name of the event is wrong.
  EventWait(detail::Signals& signals, std::string_view event, detail::Nanoseconds timeout)
      : event_(signals, event, timeout) {}

  /// For the library's own use: makes the wait of a `co_await`, which returns a `Signal`. It throws `TimeoutError` if
  /// none comes in time, `Cancelled` if the task is asked to end, and `InvalidState` in a task of another App or if the
  /// App is gone.
  detail::SignalWait awaited_by(detail::Chain& chain) const { return detail::SignalWait(event_, chain); }

 private:
  detail::AwaitedEvent event_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
