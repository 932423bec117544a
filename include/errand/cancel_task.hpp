// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <errand/task.hpp>

namespace errand {

/// What `App::cancel_task` gives: awaits the end of the task, its clean-up included.
///
/// Gives true where the task ended cancelled. Throws an error that its clean-up threw; nothing where the task was done
/// already. Throws `Cancelled` where the caller itself is cancelled meanwhile; the task then ends on its own.
class CancelTask : public detail::TaskWait {
 public:
  /// For the library.
  explicit CancelTask(detail::TaskHandle asked) noexcept : TaskWait(std::move(asked)), was_done_(task().done()) {}

  /// What `co_await` gives: whether the task ended cancelled.
  bool await_resume() {
    resumed();
    if (task().status == TaskStatus::failed && !was_done_) task().throw_failure();
    return task().status == TaskStatus::cancelled;
  }

 private:
  bool was_done_;
};

}  // namespace errand
