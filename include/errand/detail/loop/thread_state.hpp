// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

class Loop;
class TaskBase;

/// The state that errand keeps for each thread. Its address also serves as the identity of the thread.
struct ThreadState {
  Loop* loop = nullptr;         // the loop of the App that is inside `run`, `poll` or its destructor on this thread
  unsigned drops = 0;           // how many coroutines are being dropped, one inside the other
  void* dropped = nullptr;      // the first coroutine that is still to be dropped; the others are linked by `parent`
  unsigned disposals = 0;       // how many tasks are being freed, one inside the other
  bool is_freeing = false;      // the tasks of `to_free` are being freed
  TaskBase* to_free = nullptr;  // the first task that is still to be freed
};

/// Returns the state of this thread. Only this function reads the thread-local: see `ERRAND_READS_THREAD_LOCAL`.
ERRAND_READS_THREAD_LOCAL inline ThreadState& this_thread() noexcept {
  static thread_local constinit ThreadState state;
  return state;
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
