// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>

#include <errand/coro.hpp>
#include <errand/detail/loop/inbox.hpp>

namespace errand::detail {

/// The other workers of a run that has several.
struct OtherWorkers {
  /// Throws where that cannot be done.
  virtual void start() = 0;
  virtual Coro<> wait_for_end() = 0;

 protected:
  ~OtherWorkers() = default;
};

/// The workers of one run, for each of them. There are none where a run has one worker, and no code for them in a
/// program that never has more.
struct Workers : StopGroup {
  /// The first error of any of them.
  virtual std::exception_ptr error() noexcept = 0;
  /// The run is over, for worker 0: waits for the others, and nobody stops together any more.
  virtual void join() noexcept = 0;
  /// Only one of them reports at a time.
  virtual void begin_report() = 0;
  virtual void end_report() noexcept = 0;

 protected:
  ~Workers() = default;
};

/// One of them reports; the others wait. Null where there is only one.
class Reporting {
 public:
  explicit Reporting(Workers* workers) : workers_(workers) {
    if (workers_) workers_->begin_report();
  }
  ~Reporting() {
    if (workers_) workers_->end_report();
  }
  Reporting(const Reporting&) = delete;

 private:
  Workers* const workers_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
