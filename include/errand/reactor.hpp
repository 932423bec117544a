// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include <errand/clock.hpp>

namespace errand {

/// Sleeps for the loop, and does the host's I/O meanwhile. Implement it to let an App live on top of another event
/// loop; what the host finds ready it hands on with `App::post` or by setting a `Future` or an `Event`.
struct Reactor {
  /// Returns at the latest at `until`, a time of the App's clock, or after `wake`, also one that came before the call.
  /// An empty `until` sets no limit; one that has passed asks for a look at the I/O without sleeping. Called on the
  /// App's thread. What it throws ends `run` where it stands, which throws that.
  virtual void wait(std::optional<Clock::time_point> until) = 0;

  /// Ends the `wait` that is under way, or the next one. Called from any thread, also when the first call is put into
  /// an empty inbox between polls. Must not call the App back.
  virtual void wake() noexcept = 0;

  virtual ~Reactor() = default;
};

}  // namespace errand
