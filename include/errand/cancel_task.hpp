// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string_view>
#include <utility>

#include <errand/task.hpp>

namespace errand {

/// The awaitable that `App::cancel_task` returns: waits until the task has ended, its clean-up included.
///
/// The task is asked to end by the call of `cancel_task`, even if this is never awaited. `co_await` gives true if the
/// task ended cancelled, false if it ended in another way.
///
/// Throws the error of the task if its clean-up threw one, but nothing if the task was done before the call. Throws
/// `Cancelled` if the caller is asked to end meanwhile; the task then ends on its own. Throws `InvalidState` in the
/// task that is to end, and in a task of another App.
class CancelTask {
 public:
  /// For the library's own use: asks the task to end, unless it has been asked already.
  static CancelTask ask(detail::TaskBase& task, std::string_view reason);

  class Wait;
  /// For the library's own use: makes the wait of a `co_await`.
  Wait awaited_by(detail::Chain& chain) const noexcept;

 private:
  explicit CancelTask(detail::TaskHandle asked) noexcept : asked_(std::move(asked)), was_done_(asked_.get().done()) {}

  detail::TaskHandle asked_;
  bool was_done_;
};

// Implementation

class CancelTask::Wait : public detail::WaitForTask {
 public:
  Wait(detail::TaskHandle asked, bool was_done, detail::Chain& chain) noexcept
      : WaitForTask(detail::Kind::task_cancel, std::move(asked), &chain), was_done_(was_done) {}

  /// If the task has ended already, there is nothing to wait for. A failure since the request is thrown here.
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

inline CancelTask::Wait CancelTask::awaited_by(detail::Chain& chain) const noexcept {
  return Wait(asked_, was_done_, chain);
}

#if ERRAND_DEFINES

ERRAND_ONCE CancelTask CancelTask::ask(detail::TaskBase& task, std::string_view reason) {
  task.loop->check_thread();
  if (task.is_running()) detail::raise<InvalidState>({"task '", task.name(), "' cannot cancel and await itself"});
  CancelTask cancelling{detail::TaskHandle(task)};
  if (task.requests == 0) task.cancel(reason);
  return cancelling;
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
