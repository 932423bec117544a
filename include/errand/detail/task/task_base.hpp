// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/coro/callback.hpp>
#include <errand/detail/loop/identity.hpp>
#include <errand/detail/task/observer.hpp>

namespace errand::detail {

/// The place of a task in one of its loop's lists of tasks.
struct TaskLink : Link {};

/// What handles refer to. Counted: each handle has a reference, and the loop one until the task ends. The registry
/// keeps it as well, but that does not count: without a reference nobody can be waiting for the task.
///
/// Nobody calls the destructor of a task: `dispose` destroys what has to be.
class TaskBase : public Chain, public TaskLink, public Pooled {
 public:
  explicit TaskBase(Loop& its_loop) noexcept : Chain(&its_loop) {}
  /// Stands among these tasks of the loop until its end.
  void join(List& tasks) noexcept {
    loop->retain();
    tasks.push_back(static_cast<TaskLink&>(*this));
  }

  void retain() noexcept { ++references_; }
  /// Gives a reference back. A failure at which nobody can look any more is reported.
  ERRAND_INLINE void release() noexcept {
    if (--references_ == 0) [[unlikely]]
      release_last();
  }
  /// One of its names has been forgotten.
  void unregistered() noexcept {
    if (--details().registrations == 0 && references_ == 0) dispose();
  }

  bool done() const noexcept { return status != TaskStatus::pending; }
  /// Whether its frames are gone, too: whoever awaits it goes on. One that was destroyed where it stands is done
  /// before.
  bool has_ended() const noexcept { return done() && (status != TaskStatus::cancelled || !TaskLink::linked()); }
  std::string name() const;
  TaskDetails& details() {
    TaskDetails& has = identity.make_details();
    is_special = true;
    return has;
  }
  bool has_name() const noexcept { return identity.details() && !identity.details()->name.empty(); }
  bool is_report() const noexcept { return identity.details() && identity.details()->is_report; }
  bool is_registered() const noexcept { return identity.details() && identity.details()->registrations > 0; }
  ERRAND_COLD std::string request_reason() const override {
    return identity.details() ? identity.details()->request_reason : std::string();
  }
  Chain& root() noexcept final { return *this; }

  bool cancel(std::string_view reason);
  /// The same of a task that is not done, from the App's thread. If there is no memory, it goes without the reason.
  void ask_to_end(std::string_view reason) noexcept;
  bool abort(std::string_view reason);
  unsigned uncancel();
  /// Whether the step that is under way is one of this task, or of a member of a group of it.
  bool is_around_step() const noexcept;
  /// The same of all that is running now, and so of the destruction of its frames, too.
  bool is_around_caller() const noexcept { return is_around_step() || Destruction::is_inside(*this); }
  bool is_running() const noexcept {
    return loop->current && status == TaskStatus::pending && &loop->current->root() == this;
  }

  /// Somebody looks at how it ended: a failure need not be reported any more.
  void look() noexcept { seen = true; }
  /// What it failed with, or was cancelled by, if anything was thrown.
  virtual std::exception_ptr error() const noexcept = 0;
  /// The reason of the `Cancelled` that ended it.
  std::string end_reason();
  /// Throws what an awaiter gets, of a task that has not succeeded.
  [[noreturn]] void throw_failure();
  /// The same, not thrown; null where it has succeeded.
  std::exception_ptr failure();
  /// As above, of one that has succeeded but whose result somebody took.
  [[noreturn]] void throw_taken() const;
  [[noreturn]] void throw_pending() const;

  /// Says already that it is cancelled.
  void set_cancelled() noexcept {
    status = TaskStatus::cancelled;
    is_special = true;
    if (Observer* const observer = first_observer()) observer->task_cancelled();
  }
  /// Nobody refers to it any more: frees it, with its result, unless it `is_still_needed`.
  virtual void dispose() noexcept = 0;
  /// Ends it as cancelled where it stands, which is not inside a step.
  void abort_if_pending() noexcept;
  void destroy_and_finish() noexcept;
  /// The same, but it is never put off, because what the task uses goes next: blocks until no thread call uses its
  /// frames. If what is running now is inside it, it is asked to end.
  void abort_with_scope() noexcept;
  /// The same if nothing that runs now is inside it.
  void abort_blocking() noexcept;

  /// What observes it and stands before all who wait for it: a group or a scope.
  Observer* first_observer() const noexcept {
    if (awaiters.empty()) return nullptr;
    Waiter& first = static_cast<Waiter&>(const_cast<Link&>(*awaiters.begin()));
    return first.kind == Kind::observer ? static_cast<Observer*>(&first) : nullptr;
  }
  Branches* group() const noexcept override {
    const Observer* const member = membership();
    return member ? member->group() : nullptr;
  }
  Chain* next_member() const noexcept override { return membership()->next_member(); }
  inline void requested_with_group() noexcept override;
  inline void halted_with_group() noexcept override;
  inline void destroyed_with_group() noexcept override;

  inline bool begin() noexcept override;
  void threw(TaskStatus) noexcept final { has_error = is_special = true; }
  ERRAND_NOINLINE void coroutine_ended() noexcept final {
    if (flags & has_work) destroy_work();
    loop->current = nullptr;
    finish();
  }
  /// The same of a task whose coroutine was all that it had, but for those who wait for the end of all tasks.
  ERRAND_INLINE void finish_step(Loop& its_loop) noexcept;
  /// A task of the same work for another worker; null where there can be none.
  virtual TaskBase* copy_for(Loop&) const { return nullptr; }

  List awaiters;  // suspensions, done-callbacks and observers
  Identity identity;

 protected:
  std::uint32_t references_ = 1;  // the loop's, until the end

 public:
  bool seen = false;   // somebody has looked at its failure
  bool taken = false;  // its result was moved out
  bool has_error = false;
  bool is_special = false;  // it has details, or has not succeeded

 protected:
  ~TaskBase() = default;
  ERRAND_NOINLINE void release_last() noexcept { dispose(); }
  /// Of what is special: whether somebody has to do with it still.
  bool is_still_needed() noexcept;
  /// Of what is not: parts from all but its result.
  void leave_loop() noexcept {
    identity.clear();
    if (TaskLink::linked()) TaskLink::unlink();
    loop->release();
  }
  /// Destroys the callable that it was made from, if there is one.
  virtual void destroy_work() noexcept {}
  /// The frames are gone and the status is set: tells everyone.
  ERRAND_INLINE void finish() noexcept;

  /// Whether this is the only reference, so that the result may be moved out.
  bool is_last_reference() const noexcept { return references_ == 1 && !is_registered(); }

 private:
  const Observer* membership() const noexcept;
  void abort_pending() noexcept;
  void note_reason(std::string_view reason);
  /// Those who wait for this task.
  ERRAND_INLINE void wake_awaiters() noexcept;
  /// Of them, those who are seldom there.
  void finish_special() noexcept;
  /// Reports its failure, at which nobody can look any more.
  void report() noexcept;
};

/// The task that has this place in a list of tasks.
inline TaskBase& task_of(Link& link) noexcept { return static_cast<TaskBase&>(static_cast<TaskLink&>(link)); }

// Implementation

ERRAND_COLD inline std::string TaskBase::name() const {
  return has_name() ? identity.details()->name : text({"Task-", number(identity.id())});
}

inline bool TaskBase::cancel(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  note_reason(reason);
  ++requests;
  request(asked_by_task);
  return true;
}

ERRAND_COLD inline void TaskBase::ask_to_end(std::string_view reason) noexcept {
  try {
    note_reason(reason);
  } catch (...) {
  }
  ++requests;
  request(asked_by_task);
}

inline unsigned TaskBase::uncancel() {
  loop->check_thread();
  if (requests > 0 && --requests == 0 && !done()) withdraw();
  return requests;
}

/// It was the first to observe the task.
inline const Observer* TaskBase::membership() const noexcept {
  const Observer* const observer = first_observer();
  return observer && observer->group() ? observer : nullptr;
}

ERRAND_COLD inline void TaskBase::requested_with_group() noexcept {
  ++requests;
  try {
    const Branches& of = *group();
    note_reason(of.chain()->reason_of_request(of.was_asked_by_task()));
  } catch (...) {  // no memory: it goes without the reason
  }
}

ERRAND_COLD inline void TaskBase::halted_with_group() noexcept {
  if (done()) return;
  set_cancelled();
  loop->put_off.add_member(*this);
}

inline void TaskBase::destroyed_with_group() noexcept {
  destroy_work();
  finish();
}

/// That of the request which is to be thrown, and so of the first.
ERRAND_COLD inline void TaskBase::note_reason(std::string_view reason) {
  if ((identity.details() || !reason.empty()) && !is_asked_by_task()) {
    details().request_reason = std::string(reason);
  }
}

inline bool TaskBase::is_around_step() const noexcept {
  const Chain* inner = loop->current ? &loop->current->root() : nullptr;
  while (inner && inner != this) {
    const Branches* const of = loop->members > 0 ? inner->group() : nullptr;
    inner = of ? &of->chain()->root() : nullptr;
  }
  return inner == this;
}

inline bool TaskBase::abort(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  if (may_have_step_inside() && is_around_step()) [[unlikely]]
    raise<InvalidState>({"task '", name(), "' cannot be aborted from inside"});
  if (is_special || !reason.empty()) details().end_reason = reason;
  abort_pending();
  return true;
}

inline void TaskBase::abort_if_pending() noexcept {
  if (!done()) abort_pending();
}

inline void TaskBase::abort_pending() noexcept {
  set_cancelled();
  if (Destruction::has_to_wait(*this)) [[unlikely]] {
    loop->put_off.add(*this);
  } else if (loop->thread_calls > 0 && halt()) {
    loop->put_off.add_in_use(*this);
  } else {
    destroy_and_finish();
  }
}

inline void TaskBase::destroy_and_finish() noexcept {
  const Destruction destruction(*this);
  destroy();
  if (flags & has_work) destroy_work();
  if (loop->current == this) loop->current = nullptr;
  finish();
}

inline void TaskBase::abort_with_scope() noexcept {
  if (has_ended()) return;
  loop->check_thread_in_destructor("a ScopedTask is destroyed on another thread than that of its task");
  if (is_around_caller()) {
    if (!done()) ask_to_end({});
    return;
  }
  abort_blocking();
}

inline void TaskBase::abort_blocking() noexcept {
  if (!done()) set_cancelled();
  if (loop->thread_calls > 0 && halt()) block();
  destroy_and_finish();
}

/// Cancelled before it started.
ERRAND_COLD inline bool TaskBase::begin() noexcept {
  if (TaskDetails* has = identity.details()) has->end_reason = std::move(has->request_reason);
  abort_if_pending();
  return false;
}

ERRAND_COLD inline std::string TaskBase::end_reason() {
  if (const std::exception_ptr thrown = error()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Cancelled& cancelled) {
      return cancelled.reason();
    } catch (...) {
    }
  }
  return identity.details() ? identity.details()->end_reason : std::string();
}

ERRAND_COLD inline void TaskBase::throw_failure() {
  look();
  if (status == TaskStatus::failed) std::rethrow_exception(error());
  throw TaskCancelled(name(), end_reason());
}

ERRAND_COLD inline std::exception_ptr TaskBase::failure() {
  look();
  if (status != TaskStatus::cancelled) return error();
  try {
    throw_failure();
  } catch (...) {
    return std::current_exception();
  }
}

ERRAND_COLD inline void TaskBase::throw_taken() const {
  raise<InvalidState>({"the result was taken from task '", name(), "'"});
}

ERRAND_COLD inline void TaskBase::throw_pending() const {
  raise<InvalidState>({"task '", name(), "' is pending: it has no result yet"});
}

ERRAND_COLD inline void TaskBase::report() noexcept {
  look();
  loop->host->report(this, error());
}

ERRAND_NOINLINE inline bool TaskBase::is_still_needed() noexcept {
  if (status == TaskStatus::failed && !seen && loop->app) {
    ++references_;
    report();
    if (--references_ > 0) return true;
  }
  return is_registered();
}

ERRAND_NOINLINE inline void TaskBase::finish_special() noexcept {
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

ERRAND_INLINE void TaskBase::finish_step(Loop& its_loop) noexcept {
  its_loop.current = nullptr;
  wake_awaiters();
}

ERRAND_INLINE void TaskBase::finish() noexcept {
  Loop& its_loop = *loop;
  wake_awaiters();
  if (its_loop.notices & Loop::drains_wait) [[unlikely]]
    its_loop.check_drains();
}

ERRAND_INLINE void TaskBase::wake_awaiters() noexcept {
  TaskLink::unlink();
  if (is_special) [[unlikely]]
    finish_special();
  while (!awaiters.empty()) {
    Waiter& waiter = static_cast<Waiter&>(awaiters.front());
    if (waiter.kind != Kind::observer) [[likely]] {
      waiter.wake();
    } else {
      waiter.unlink();
      static_cast<Observer&>(waiter).task_ended(*this);
    }
  }
  release();
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
