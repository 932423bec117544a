// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

namespace errand {

/// When a listener runs. The `main_process_*` ones run once, all others on every worker.
enum class Phase {
  main_process_start,   ///< before any worker starts
  before_server_start,  ///< the tasks added before `run` start among these, in
                        ///< their place
  after_server_start,   ///< the tasks that were added before `run` are queued
  before_server_stop,   ///< the tasks still run
  after_server_stop,    ///< they have ended
  main_process_stop,    ///< after all workers
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
