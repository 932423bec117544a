// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <exception>

#include <errand/coro.hpp>
#include <errand/detail/loop/inbox.hpp>

namespace errand::detail {

/// The other workers of a run, as worker 0 sees them.
struct OtherWorkers {
  /// Starts the other workers. Throws if a listener or a handler cannot be copied, or if there can be no thread.
  virtual void start() = 0;
  virtual Coro<> wait_for_end() = 0;
  virtual ~OtherWorkers() = default;
};

/// The workers of one run, as seen by each of them. If a run has one worker, there is no such object, and a program
/// that never has more contains no code for it.
struct Workers : StopGroup {
  /// Returns the first error of any worker; null if there is none.
  virtual std::exception_ptr error() noexcept = 0;
  /// Called by worker 0 when the run is over: waits for the others. From then on the workers are no longer stopped
  /// together.
  virtual void join() noexcept = 0;
  /// The calls of the user's that only one worker makes at a time.
  enum class Call : std::uint8_t { report, observer };
  /// Called before and after such a call.
  virtual void begin(Call call) = 0;
  virtual void end(Call call) noexcept = 0;

 protected:
  ~Workers() = default;
};

/// While it lives, the other workers wait with calls of this kind. `workers` is null if there is only one worker.
class OneWorker {
 public:
  OneWorker(Workers* workers, Workers::Call call) : workers_(workers), call_(call) {
    if (workers_) workers_->begin(call_);
  }
  ~OneWorker() {
    if (workers_) workers_->end(call_);
  }
  OneWorker(const OneWorker&) = delete;

 private:
  Workers* const workers_;
  const Workers::Call call_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
