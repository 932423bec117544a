// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/loop/node.hpp>

namespace errand::detail {

/// A call that the loop makes outside any task.
struct Call : Node, TimerNode {
  Call() noexcept : Node(Step::call), TimerNode(true) {}
  /// The loop has come to its end, and will not run it.
  virtual void drop() noexcept = 0;

 protected:
  ~Call() = default;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
