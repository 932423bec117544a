// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include <errand/detail/task/task_base.hpp>  // NOLINT(misc-header-include-cycle): it includes this header at its end

#if ERRAND_DEFINES

namespace errand::detail {

// Implementation: how a task ends, as the README of this room has it, and what is known of its failure afterwards.

// The class says ERRAND_ONCE, because GCC warns if a function is declared inline after it was declared noinline.
void TaskBase::coroutine_ended() noexcept {
  if (flags & has_work) destroy_work();
  loop->current = nullptr;
  finish();
}

ERRAND_COLD ERRAND_ONCE void TaskBase::halted_with_group() noexcept {
  if (done()) return;
  set_cancelled();
  loop->put_off.add_member(*this);
}

ERRAND_ONCE void TaskBase::destroyed_with_group() noexcept {
  destroy_work();
  finish_cancelled();
}

ERRAND_ONCE bool TaskBase::is_around_step() const noexcept {
  const Chain* inner = loop->current ? &loop->current->root() : nullptr;
  while (inner && inner != this) {
    const Branches* const of = loop->members > 0 ? inner->group() : nullptr;
    inner = of ? &of->chain()->root() : nullptr;
  }
  return inner == this;
}

ERRAND_ONCE bool TaskBase::abort(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  if (may_have_step_inside() && is_around_step()) [[unlikely]]
    raise<InvalidState>({"task '", name(), "' cannot be aborted from inside"});
  Owner<std::string> end_reason = owned(reason);
  if (end_reason) make_extras();
  abort_pending(std::move(end_reason));
  return true;
}

ERRAND_ONCE void TaskBase::abort_if_pending() noexcept {
  if (!done()) abort_pending();
}

ERRAND_ONCE void TaskBase::abort_pending(Owner<std::string>&& reason) noexcept {
  set_cancelled(std::move(reason));
  if (Destruction::must_be_put_off(*this)) [[unlikely]] {
    loop->put_off.add(*this);
  } else if (loop->thread_calls > 0 && halt()) {
    loop->put_off.add_in_use(*this);
  } else {
    destroy_and_finish();
  }
}

ERRAND_ONCE void TaskBase::destroy_and_finish() noexcept {
  const Destruction destruction(*this);
  destroy();
  if (flags & has_work) destroy_work();
  if (loop->current == this) loop->current = nullptr;
  finish_cancelled();
}

ERRAND_ONCE void TaskBase::abort_with_scope() noexcept {
  if (has_ended()) return;
  loop->check_thread_in_destructor("a ScopedTask is destroyed on another thread than that of its task");
  if (is_around_caller()) {
    if (!done()) ask_to_end({});
    return;
  }
  abort_blocking();
}

ERRAND_ONCE void TaskBase::abort_blocking() noexcept {
  if (!done()) set_cancelled();
  if (loop->thread_calls > 0 && halt()) block();
  destroy_and_finish();
}

/// Called before the first step if the task was asked to end before it started: it ends without having run.
ERRAND_COLD ERRAND_ONCE bool TaskBase::begin() noexcept {
  if (!done()) {
    TaskExtras* const has = extras();
    abort_pending(has ? std::move(has->reason) : Owner<std::string>());
  }
  return false;
}

ERRAND_COLD ERRAND_ONCE std::string TaskBase::end_reason() {
  if (const std::exception_ptr thrown = error()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Cancelled& cancelled) {
      return cancelled.reason();
    } catch (...) {
    }
  }
  return noted_reason();
}

ERRAND_COLD ERRAND_ONCE void TaskBase::throw_failure() {
  look();
  if (status == TaskStatus::failed) std::rethrow_exception(error());
  throw TaskCancelled(name(), end_reason());
}

ERRAND_COLD ERRAND_ONCE std::exception_ptr TaskBase::failure() {
  look();
  if (status != TaskStatus::cancelled) return error();
  try {
    throw_failure();
  } catch (...) {
    return std::current_exception();
  }
}

ERRAND_COLD ERRAND_ONCE void TaskBase::throw_taken() const {
  raise<InvalidState>({"the result was taken from task '", name(), "'"});
}

ERRAND_COLD ERRAND_ONCE void TaskBase::throw_pending() const {
  raise<InvalidState>({"task '", name(), "' is pending: it has no result yet"});
}

ERRAND_COLD ERRAND_ONCE void TaskBase::report() noexcept {
  look();
  loop->host->report(this, error());
}

ERRAND_NOINLINE ERRAND_ONCE bool TaskBase::is_still_needed() noexcept {
  if (status == TaskStatus::failed && !seen && loop->app) {
    ++references_;
    report();
    if (--references_ > 0) return true;
  }
  return is_registered();
}

ERRAND_COLD ERRAND_ONCE void TaskBase::destroy_locals() noexcept {
  const Pin pin(*this);  // because a destructor may abort a task around this one
  if (TaskExtras* const has = extras()) has->locals = {};
}

/// Counts the end of a special task. All hidden tasks are special: `start_hidden` makes them so.
ERRAND_COLD ERRAND_ONCE void TaskBase::count_end() noexcept {
  Counts& counts = loop->counts;
  if (!identity.is_numbered()) {
    ++counts.hidden;
    if (status == TaskStatus::cancelled && !has_error) --counts.cancelled;  // `finish_cancelled` has counted it
  } else if (has_error) {
    ++(status == TaskStatus::failed ? counts.failed : counts.cancelled);
  }
}

ERRAND_NOINLINE ERRAND_ONCE void TaskBase::finish_special() noexcept {
  count_end();  // before code of the user's may look at the counts
  if (const TaskExtras* const has = extras(); has && has->locals) destroy_locals();
  if (flags & tells_when_woken) loop->probe->ended(*this);
  if (is_registered()) loop->host->registered_ended(*this);
  if (status != TaskStatus::succeeded) {
    for (Link* link = awaiters.begin(); link != awaiters.end(); link = link->next) {
      Waiter& waiter = static_cast<Waiter&>(*link);
      const bool throws_failure = waiter.kind == Kind::task_cancel && status == TaskStatus::failed;
      if (waiter.kind == Kind::task || throws_failure) waiter.end_with(Ending::failed);
    }
  }
  if (status == TaskStatus::failed) {
    loop->failed.push_back(static_cast<TaskLink&>(*this));
    if (!seen && references_ == 1 && awaiters.empty() && loop->app) report();
  }
}

}  // namespace errand::detail

#endif

#include <errand/detail/epilogue.hpp>
