// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/loop/loop.hpp>

namespace errand::detail {

/// A counted reference to a loop, which keeps the loop. The App of the loop may be gone.
class LoopRef {
 public:
  explicit LoopRef(Loop& loop) noexcept : loop_(&loop) { loop.retain(); }
  LoopRef(const LoopRef& other) noexcept : LoopRef(*other.loop_) {}
  LoopRef& operator=(const LoopRef&) = delete;
  ~LoopRef() { loop_->release(); }

  Loop& get() const noexcept { return *loop_; }

 private:
  Loop* loop_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
