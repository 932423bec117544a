// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

namespace errand {

/// Tells `App::add_task` what to do if the name belongs to a task that is still pending. The name of a task that is
/// done is free.
enum class NameTaken {
  fail,     ///< throws `TaskNameInUse`; the new work is destroyed unrun
  replace,  ///< takes the name from the old task, which runs on without it
  keep,     ///< returns the old task; the new work is destroyed unrun
  cancel,   ///< cancels the old task, and takes its name
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
