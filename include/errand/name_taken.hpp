// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

namespace errand {

/// What `App::add_task` does with a name whose task is still pending. The name of a task that is done is free.
enum class NameTaken {
  fail,     ///< throws `TaskNameInUse`; the new work is destroyed unrun
  replace,  ///< takes the name from the old task, which runs on without it
  keep,     ///< returns the old task; the new work is destroyed unrun
  cancel,   ///< cancels the old task, and takes its name
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
