// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

namespace errand {

/// The phases of a run in which listeners are called, in this order. The `main_process_*` phases happen once, all
/// others on every worker.
enum class Phase {
  main_process_start,   ///< before any worker starts
  before_server_start,  ///< the tasks that were added before `run` start among these listeners
  after_server_start,   ///< the tasks that were added before `run` have been queued
  before_server_stop,   ///< the tasks still run
  after_server_stop,    ///< the tasks have ended
  main_process_stop,    ///< all workers have ended
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
