// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

class Loop;
class TaskBase;

/// What a thread knows of errand. Reached through a function that is never inlined; its address names the thread.
struct ThreadState {
  Loop* loop = nullptr;         // the one whose App is inside `run`, `poll` or its destructor
  unsigned drops = 0;           // coroutines that are being dropped, one inside the other
  void* dropped = nullptr;      // those that are still to be, linked by `parent`
  unsigned disposals = 0;       // tasks that are being freed, one inside the other
  bool is_freeing = false;      // those that are still to be, are just freed
  TaskBase* to_free = nullptr;  // the first of them
};

ERRAND_READS_THREAD_LOCAL inline ThreadState& this_thread() noexcept {
  static thread_local constinit ThreadState state;
  return state;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
