// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/clock.hpp>
#include <errand/detail/loop/call.hpp>
#include <errand/detail/loop/loop.hpp>

namespace errand::detail {

/// A call at a certain time, for the library's own use: it lives where it is needed and calls a function of its owner.
class Deadline final : public Call {
 public:
  Deadline(void (*due)(void*) noexcept, void* object) noexcept : due_(due), object_(object) {}
  ~Deadline() { disarm(); }

  /// Throws `std::bad_alloc`.
  void arm(Loop& loop, Clock::time_point when) {
    loop_ = &loop;
    loop.timers.arm(*this, when);
  }
  /// It will not be called, even where it is already due.
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
