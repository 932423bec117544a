// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/base/list.hpp>
#include <errand/detail/loop/call.hpp>

namespace errand::detail {

class Loop;
class TaskBase;
struct GeneratorBase;

// The functions of PutOff are defined in coro/destruction.hpp, and in task/steps.hpp if they need to know tasks,
// because this room knows neither generators nor tasks.

/// Tasks and generators that cannot be destroyed yet, because code inside them is running, frames inside them are being
/// destroyed, or another thread uses one of their frames. They are destroyed as soon as this is over.
class PutOff final : public Call {
 public:
  explicit PutOff(Loop& loop) noexcept : loop_(loop) {}

  /// Returns true if something may have been put off.
  bool any() const noexcept { return any_ || !in_use_.empty(); }
  void add(GeneratorBase& generator) noexcept;
  /// Adds a task, whose status must be cancelled already.
  void add(TaskBase& task) noexcept;
  /// Adds a task that waits only for another thread, which uses one of its frames. Its status must be cancelled.
  void add_in_use(TaskBase& task) noexcept;
  /// Adds a member of a group. It is destroyed with the task that waits for the group.
  void add_member(TaskBase& task) noexcept;
  /// Destroys everything that can be destroyed now. Called when a destruction has ended.
  void settle() noexcept {
    if (any_) [[unlikely]]
      settle_all();
  }
  /// Calls `settle` after the step that is under way or, if there is none, before the next one.
  void settle_later() noexcept;
  /// Like `settle`, but looks also at the tasks that wait for threads. Called when a thread call has come back.
  void settle_returned() noexcept;
  /// Blocks until no other thread uses a frame of these tasks and generators, and then destroys all of them.
  void finish() noexcept;

 private:
  void run() noexcept override { settle(); }
  void drop() noexcept override { settle(); }
  void settle_all() noexcept;
  bool settle_one() noexcept;
  void settle_behind_step() noexcept;
  void add_to(List& list, TaskBase& task) noexcept;
  /// Destroys a task, or moves it to `in_use_` if a thread uses one of its frames. Returns false if the task has to
  /// wait for the end of another destruction.
  bool abort_task(Link& place) noexcept;
  static void block(Link& place) noexcept;

  Loop& loop_;
  List generators_;
  List tasks_;
  List in_use_;       // tasks that wait only for thread calls
  List members_;      // members of groups in all these tasks
  bool any_ = false;  // there may be something in `generators_` or `tasks_`
  bool is_settling_ = false;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
