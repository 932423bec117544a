// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/loop/node.hpp>

namespace errand::detail {

/// A call that the loop makes outside any task, because it is ready or because its time has come.
struct Call : Node, TimerNode {
  Call() noexcept : Node(Step::call), TimerNode(true) {}
  /// Called instead of `run` if the loop has come to its end, and will not make the call.
  virtual void drop() noexcept = 0;

 protected:
  ~Call() = default;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
