// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <exception>
#include <utility>

#include <errand/detail/base/owner.hpp>
#include <errand/detail/coro/place.hpp>
#include <errand/detail/task/task_base.hpp>

namespace errand::detail {

/// A wait until every pending task with an id of at most `upto` has ended, except the task `except`.
class Drain : public Waiter {
 public:
  /// Returns true if none of these tasks is left to wait for.
  bool is_over(const List& pending) const noexcept;

 protected:
  Drain(TaskBase* except, std::uint64_t upto) noexcept : Waiter(Kind::tasks), except_(except), upto_(upto) {}
  ~Drain() = default;

 private:
  TaskBase* except_;
  std::uint64_t upto_;
};

// Implementation, also of the members of Loop and PutOff that use tasks

/// A failure that is reported at the end of the step. It keeps a reference to its task until then.
struct Loop::LateReport {
  LateReport(TaskBase& its_task, std::exception_ptr its_error) noexcept : task(its_task), error(std::move(its_error)) {}
  TaskBase& task;
  const std::exception_ptr error;
  LateReport* next = nullptr;
};

#if ERRAND_DEFINES

/// Looks only at the first task that is not `except`, because the tasks stand in the order of their ids.
ERRAND_ONCE bool Drain::is_over(const List& pending) const noexcept {
  const Link* first = pending.begin();
  if (first != pending.end() && &static_cast<const TaskBase&>(static_cast<const TaskLink&>(*first)) == except_) {
    first = first->next;
  }
  return first == pending.end() ||
         static_cast<const TaskBase&>(static_cast<const TaskLink&>(*first)).identity.id() > upto_;
}

ERRAND_NOINLINE ERRAND_ONCE void Loop::check_drains() noexcept {
  for (Link* link = drains.begin(); link != drains.end();) {
    Drain& drain = WaitList::of<Drain>(*link);
    link = link->next;
    if (drain.is_over(pending)) drain.wake();
  }
  notice(drains_wait, !drains.empty());
}

ERRAND_COLD ERRAND_ONCE void Loop::report_later(TaskBase& task, std::exception_ptr error) noexcept {
  task.retain();
  try {
    auto* const late = new LateReport(task, error);
    *late_end_ = late;
    late_end_ = &late->next;
    notice(reports_wait);
  } catch (...) {
    host->report(&task, std::move(error));
    task.release();
  }
}

ERRAND_COLD ERRAND_ONCE void Loop::report_late_failures() noexcept {
  while (late_reports_) {
    const Owner late(late_reports_);
    late_reports_ = late->next;
    if (!late_reports_) late_end_ = &late_reports_;
    if (host) host->report(&late->task, late->error);
    late->task.release();
  }
  notice(reports_wait, false);
}

/// Runs a node that `turns` does not resume by itself: a call, or a first step before which `begin` is called. If the
/// probe is told of steps, runs every node.
ERRAND_NOINLINE ERRAND_ONCE void Loop::run(Node& node) noexcept {
  if (probes_steps_) {
    run_probed(node);
  } else {
    current = nullptr;
    node.run();
  }
}

/// Called by `resume` when a chain has ended and everyone has been told of its end.
ERRAND_COLD ERRAND_ONCE void Loop::handle_notices() noexcept {
  if (notices & drains_wait) check_drains();
  if (notices & reports_wait) report_late_failures();
}

ERRAND_ONCE void Loop::resume(Chain& chain) noexcept {
  current = &chain;
  chain.state = Chain::State::running;
  for (;;) {
    chain.leaf.resume();
    if (chain.has_suspended()) [[likely]]
      return;
    if (chain.state == Chain::State::ended) break;
  }
  if (chain.flags & (Chain::is_branch | Chain::has_work)) {
    chain.coroutine_ended();
  } else {
    static_cast<TaskBase&>(chain).finish_without_callable(*this);  // a task made of a Coro, as most are
  }
  if (notices & (drains_wait | reports_wait)) [[unlikely]]
    handle_notices();
}

ERRAND_ONCE void Loop::run_chain(Chain& chain) noexcept {
  current = &chain;
  const bool is_first = std::exchange(chain.step, Step::chain) == Step::first;
  if (is_first && (chain.flags & (Chain::asked | Chain::has_work)) && !chain.begin()) {
    report_late_failures();
  } else {
    resume(chain);
  }
}

ERRAND_COLD ERRAND_ONCE void Loop::run_probed(Node& node) noexcept {
  Chain* chain = nullptr;
  TaskBase* task = nullptr;
  if (node.step != Step::call) {
    chain = &static_cast<Chain&>(node);
    task = &static_cast<TaskBase&>(chain->root());
    task->retain();
  }
  current = nullptr;
  probe->step_begins(task, chain);
  node.run();
  Chain* const suspended = current;  // null, if the chain has ended: it may be gone
  current = nullptr;
  probe->step_ended(task, suspended);
  if (task) task->release();
}

ERRAND_COLD ERRAND_ONCE void PutOff::add(TaskBase& task) noexcept {
  any_ = true;
  add_to(tasks_, task);
}

ERRAND_COLD ERRAND_ONCE void PutOff::add_in_use(TaskBase& task) noexcept { add_to(in_use_, task); }

ERRAND_ONCE void PutOff::add_to(List& list, TaskBase& task) noexcept {
  task.TaskLink::unlink();
  list.push_back(static_cast<TaskLink&>(task));
  if (loop_.notices & Loop::drains_wait) loop_.check_drains();
}

ERRAND_COLD ERRAND_ONCE void PutOff::add_member(TaskBase& task) noexcept {
  task.TaskLink::unlink();
  members_.push_back(static_cast<TaskLink&>(task));
}

ERRAND_COLD ERRAND_ONCE bool PutOff::abort_task(Link& place) noexcept {
  TaskBase& task = task_of(place);
  if (Destruction::must_be_put_off(task)) return false;
  if (loop_.thread_calls > 0 && task.halt()) {
    add_in_use(task);
  } else {
    task.destroy_and_finish();
  }
  return true;
}

ERRAND_COLD ERRAND_ONCE void PutOff::block(Link& place) noexcept { task_of(place).block(); }

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
