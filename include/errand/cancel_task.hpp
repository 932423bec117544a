// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string_view>
#include <utility>

#include <errand/task.hpp>

namespace errand {

/// What `App::cancel_task` gives: awaits the end of the task, its clean-up included.
///
/// Gives true where the task ended cancelled. Throws an error that its clean-up threw; nothing where the task was done
/// already. Throws `Cancelled` where the caller itself is cancelled meanwhile, and the task then ends on its own;
/// `InvalidState` in the task itself, and in a task of another App.
class CancelTask {
 public:
  /// For the library: asks the task to end, unless it has been asked.
  static CancelTask ask(detail::TaskBase& task, std::string_view reason);

  class Wait;
  /// For the library: what `co_await` makes of it.
  Wait awaited_by(detail::Chain& chain) const noexcept;

 private:
  explicit CancelTask(detail::TaskHandle asked) noexcept : asked_(std::move(asked)), was_done_(asked_.get().done()) {}

  detail::TaskHandle asked_;
  bool was_done_;
};

// Implementation

class CancelTask::Wait : public detail::TaskWait {
 public:
  Wait(detail::TaskHandle asked, bool was_done, detail::Chain& chain) noexcept
      : TaskWait(detail::Kind::task_cancel, std::move(asked), &chain), was_done_(was_done) {}

  /// It may have ended since it was asked.
  bool await_ready() {
    if (!task().has_ended()) return false;
    chain_->check_earlier_awaits();
    if (task().status == TaskStatus::failed && !was_done_) task().throw_failure();
    return true;
  }
  bool await_resume() {
    resumed();
    return task().status == TaskStatus::cancelled;
  }

 private:
  bool was_done_;
};

inline CancelTask CancelTask::ask(detail::TaskBase& task, std::string_view reason) {
  task.loop->check_thread();
  if (task.is_running()) detail::raise<InvalidState>({"task '", task.name(), "' cannot cancel and await itself"});
  CancelTask cancelling{detail::TaskHandle(task)};
  if (task.requests == 0) task.cancel(reason);
  return cancelling;
}

inline CancelTask::Wait CancelTask::awaited_by(detail::Chain& chain) const noexcept {
  return Wait(asked_, was_done_, chain);
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
