// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/base/list.hpp>
#include <errand/detail/loop/call.hpp>

namespace errand::detail {

class Loop;
class TaskBase;
struct GeneratorBase;

// What PutOff does with generators stands in coro/destruction.hpp, and with tasks in task/steps.hpp: those are
// floors above this one, which know the two.

/// What was to be destroyed while something inside it ran, was being destroyed, or was in use by another thread: it
/// goes as soon as that is over.
class PutOff final : public Call {
 public:
  explicit PutOff(Loop& loop) noexcept : loop_(loop) {}

  /// Whether there may be something.
  bool any() const noexcept { return any_ || !in_use_.empty(); }
  void add(GeneratorBase& generator) noexcept;
  /// A task that says already that it is cancelled.
  void add(TaskBase& task) noexcept;
  /// The same of one that another thread uses.
  void add_in_use(TaskBase& task) noexcept;
  /// A member of a group: it goes with the task that the group is in.
  void add_member(TaskBase& task) noexcept;
  /// A destruction has ended: destroys what can be destroyed now.
  void settle() noexcept {
    if (any_) [[unlikely]]
      settle_all();
  }
  /// The same at once behind the step that is under way, or before the next.
  void settle_later() noexcept;
  /// The same after a thread call has come back.
  void settle_returned() noexcept;
  /// Blocks until no other thread uses anything of this, and then destroys it.
  void finish() noexcept;

 private:
  void run() noexcept override { settle(); }
  void drop() noexcept override { settle(); }
  void settle_all() noexcept;
  bool settle_one() noexcept;
  void settle_behind_step() noexcept;
  void add_to(List& list, TaskBase& task) noexcept;
  /// Unless it has to wait for the end of another destruction.
  bool abort_task(Link& place) noexcept;
  static void block(Link& place) noexcept;

  Loop& loop_;
  List generators_;
  List tasks_;
  List in_use_;       // tasks that wait for thread calls alone
  List members_;      // of groups in all those
  bool any_ = false;  // generators or tasks, but for those in use
  bool is_settling_ = false;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
