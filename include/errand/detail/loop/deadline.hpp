// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/clock.hpp>
#include <errand/detail/loop/call.hpp>
#include <errand/detail/loop/loop.hpp>

namespace errand::detail {

/// A call at a certain time, for the library's own use. It is a member of the object that needs it, and calls a
/// function with a pointer to that object. Its destructor cancels it.
class Deadline final : public Call {
 public:
  Deadline(void (*due)(void*) noexcept, void* object) noexcept : due_(due), object_(object) {}
  ~Deadline() { disarm(); }

  /// Puts the call into the timer queue. It must not be armed already. Throws `std::bad_alloc`.
  void arm(Loop& loop, Clock::time_point when) {
    loop_ = &loop;
    loop.timers.arm(*this, when);
  }
  /// Cancels the call, even if its time has come and it stands in the ready queue.
  void disarm() noexcept {
    if (linked()) loop_->take_out(*this);
    if (armed()) loop_->timers.disarm(*this);
  }
  void run() noexcept override { due_(object_); }
  void drop() noexcept override {}

 private:
  void (*due_)(void*) noexcept;
  void* object_;
  Loop* loop_ = nullptr;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
