// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/coro/callback.hpp>
#include <errand/detail/loop/identity.hpp>
#include <errand/detail/task/follower.hpp>

namespace errand::detail {

/// The place of a task in a list of its loop, such as `Loop::pending`.
struct TaskLink : Link {};

/// The state of a task, to which its handles refer. It counts references: each handle has one, and the loop has one
/// until the task ends. The registry has none, so that a task without references is one that nobody can be waiting for.
///
/// The destructor of a task is never called: `dispose` destroys the members that need it, and frees the memory. The
/// README of this room has a table of the functions that end a task.
class TaskBase : public Chain, public TaskLink, public Pooled {
 public:
  explicit TaskBase(Loop& its_loop) noexcept : Chain(&its_loop) {}
  /// Appends the task to a list of its loop, in which it stands until it ends. From now on the loop stays alive.
  void join(List& tasks) noexcept {
    loop->retain();
    tasks.push_back(static_cast<TaskLink&>(*this));
  }

  /// Tells the observer of this new task, which has its name now. Does nothing if the observer knows the task.
  void announce() noexcept {
    if (loop->probe && !done() && !(flags & tells_when_woken)) [[unlikely]]
      loop->probe->added(*this);
  }

  void retain() noexcept { ++references_; }
  /// Gives a reference back. The last one frees the task, and reports a failure that nobody has looked at.
  ERRAND_INLINE void release() noexcept {
    if (--references_ == 0) [[unlikely]]
      release_last();
  }
  /// Called by the registry when it has forgotten one of the names of the task.
  void unregistered() noexcept {
    if (--details().registrations == 0 && references_ == 0) dispose();
  }

  bool done() const noexcept { return status != TaskStatus::pending; }
  /// Returns true if the task is done and its frames are gone, so that an await goes on at once. An aborted task is
  /// done before its frames are gone, and stays in a list until then.
  bool has_ended() const noexcept { return done() && (status != TaskStatus::cancelled || !TaskLink::linked()); }
  std::string name() const;
  /// Sets `name` to the name of the task.
  void get_name(std::string& name) const;
  /// Returns the details of the task, which it makes if there are none. Throws `std::bad_alloc`.
  TaskDetails& details() {
    TaskDetails& has = identity.make_details();
    is_special = true;
    return has;
  }
  /// Returns the extras of the task, which it makes if there are none. Throws `std::bad_alloc`.
  TaskExtras& make_extras();
  /// Returns the value that a `TaskLocal` has in this task; null if it has none.
  const LocalValue* find_local(std::size_t id) const noexcept {
    const TaskExtras* const has = extras();
    return has && has->locals ? has->locals->find(id) : nullptr;
  }
  /// Sets the value that a `TaskLocal` has in this task. Throws `std::bad_alloc`.
  void set_local(std::size_t id, std::shared_ptr<const LocalValue> value);
  /// Returns copies of these values for a new task; null if there are none. Throws what a copy throws.
  Owner<TaskLocals> copy_locals() const {
    const TaskExtras* const has = extras();
    return has && has->locals ? has->locals->copy() : Owner<TaskLocals>();
  }
  bool has_name() const noexcept { return identity.details() && !identity.details()->name.empty(); }
  /// Sets the note of `Task::note`. Throws `std::bad_alloc`; the note is as it was then.
  void set_note(std::string text);
  std::string note() const;
  bool is_report() const noexcept { return identity.details() && identity.details()->is_report; }
  bool is_registered() const noexcept { return identity.details() && identity.details()->registrations > 0; }
  ERRAND_ONCE std::string request_reason() const override;
  Chain& root() noexcept final { return *this; }

  bool cancel(std::string_view reason);
  /// Like `cancel`, but does not throw. The task must not be done. If there is no memory for the reason, the task is
  /// asked to end without a reason.
  void ask_to_end(std::string_view reason) noexcept;
  bool abort(std::string_view reason);
  unsigned uncancel();
  /// Returns true if the step that is under way is one of this task, or of a member of a group inside it.
  bool is_around_step() const noexcept;
  /// Returns true if the caller runs inside this task: in such a step, or in a destructor of a frame inside the task.
  bool is_around_caller() const noexcept { return is_around_step() || Destruction::is_inside(*this); }
  /// Returns true if a step of this task, or of a branch of it, is under way.
  bool is_running() const noexcept {
    return loop->current && status == TaskStatus::pending && &loop->current->root() == this;
  }

  /// Notes that somebody looks at how the task ended: a failure need not be reported any more.
  void look() noexcept { seen = true; }
  /// Returns the exception with which the work of the task ended; null if there is none. An aborted task has none.
  virtual std::exception_ptr error() const noexcept = 0;
  /// Returns the reason of the `Cancelled` that ended the task. If nothing was thrown, returns the reason of the
  /// `abort`, or of the request that came before the first step.
  std::string end_reason();
  /// Throws the exception that awaiters of this task get. The task must have failed, or be cancelled.
  [[noreturn]] void throw_failure();
  /// Returns the exception that `throw_failure` would throw; null if the task has succeeded.
  std::exception_ptr failure();
  /// Throws `InvalidState`: the task has succeeded, but somebody has taken its result.
  [[noreturn]] void throw_taken() const;
  [[noreturn]] void throw_pending() const;

  /// Sets the status before the frames are destroyed, and tells the follower of the group or the scope. The reason is
  /// that of the abort; those of earlier requests are forgotten.
  void set_cancelled(Owner<std::string>&& reason = {}) noexcept {
    status = TaskStatus::cancelled;
    if (TaskExtras* const has = extras()) has->reason = std::move(reason);
    if (Follower* const follower = first_follower()) follower->task_cancelled();
  }
  /// Returns true if this type is the `TaskState` of the task.
  virtual bool is_a(const std::type_info& type) const noexcept = 0;
  /// Called when the task has no reference left: frees the task and its result, unless the task `is_still_needed`.
  virtual void dispose() noexcept = 0;
  /// Ends a pending task as cancelled, without running it any further. Its coroutine must not be running. The frames
  /// go later if something inside the task is being destroyed, or is used by another thread.
  void abort_if_pending() noexcept;
  /// Destroys the frames and the callable of a task whose status is set, and tells everyone that the task has ended.
  void destroy_and_finish() noexcept;
  /// Called by `~ScopedTask`: aborts the task at once, because what the task uses is destroyed next. Blocks until no
  /// thread call uses the frames. If the caller runs inside the task, the task is asked to end instead.
  void abort_with_scope() noexcept;
  /// Like `abort_with_scope`, for a caller that does not run inside the task. Called by `~TaskScope` too.
  void abort_blocking() noexcept;

  /// Returns the first of the awaiters if it is a follower, else null. The follower of a group or a scope, if the task
  /// belongs to one, is always the first.
  Follower* first_follower() const noexcept {
    if (awaiters.empty()) return nullptr;
    Waiter& first = static_cast<Waiter&>(const_cast<Link&>(*awaiters.begin()));
    return first.kind == Kind::follower ? static_cast<Follower*>(&first) : nullptr;
  }
  Branches* group() const noexcept override {
    const Follower* const member = membership();
    return member ? member->group() : nullptr;
  }
  Chain* next_member() const noexcept override {
    const Follower* const member = membership();
    return member ? member->next_member() : nullptr;
  }
  ERRAND_ONCE void requested_with_group() noexcept override;
  ERRAND_ONCE void halted_with_group() noexcept override;
  ERRAND_ONCE void destroyed_with_group() noexcept override;

  ERRAND_ONCE bool begin() noexcept override;
  void ended_by_exception(TaskStatus) noexcept final { has_error = is_special = true; }
  ERRAND_NOINLINE ERRAND_ONCE void coroutine_ended() noexcept final;
  /// Called by `Loop::resume` in place of `coroutine_ended` if the task has no callable. The loop itself looks after
  /// those who wait for the end of all tasks.
  ERRAND_INLINE void finish_without_callable(Loop& its_loop) noexcept;
  /// Makes a task with a copy of the callable for another worker. Returns null if no callable can be copied.
  virtual TaskBase* copy_for(Loop&) const { return nullptr; }

  List awaiters;  // waits for the end of this task, done-callbacks, and other followers
  Identity identity;

 protected:
  std::uint32_t references_ = 1;  // this one is the loop's, until the task ends

 public:
  bool seen = false;   // somebody has looked at its failure
  bool taken = false;  // its result was moved out
  bool has_error = false;
  bool is_special = false;  // it has details or an error, is observed, or has awaiters that are to throw `Cancelled`

 protected:
  ~TaskBase() = default;
  ERRAND_NOINLINE void release_last() noexcept { dispose(); }
  /// Called by `dispose` if the task is special: reports a failure that nobody has looked at. Returns true if the task
  /// must stay, because the report has left a handle, or because the task still has a registered name.
  bool is_still_needed() noexcept;
  /// Called by `dispose` before the memory goes: frees the details, and leaves the list and the loop.
  void leave_loop() noexcept {
    identity.clear();
    if (TaskLink::linked()) TaskLink::unlink();
    loop->release();
  }
  /// Destroys the callable from which the task was made, if there is one.
  virtual void destroy_work() noexcept {}
  /// Called when the status is set and the frames are gone: tells everyone. The task may be freed meanwhile.
  ERRAND_INLINE void finish() noexcept;
  /// Does the same for a task that has ended without an exception, but cancelled.
  void finish_cancelled() noexcept {
    ++loop->counts.cancelled;
    is_special |= !awaiters.empty();
    finish();
  }

  /// Returns true if one handle is left and no registered name, so that the result may be moved out.
  bool may_move_result_out() const noexcept { return references_ == 1 && !is_registered(); }

 private:
  /// Returns the follower that makes the task a member of a group; null if the task is in no group.
  const Follower* membership() const noexcept;
  void abort_pending(Owner<std::string>&& reason = {}) noexcept;
  static Owner<std::string> owned(std::string_view text) {
    return text.empty() ? Owner<std::string>() : Owner<std::string>(new std::string(text));
  }
  std::string noted_reason() const;
  TaskExtras* extras() const noexcept {
    const TaskDetails* const has = identity.details();
    return has && has->extras ? &*has->extras : nullptr;
  }
  void note_reason(std::string_view reason);
  /// Takes the task out of its list, wakes its awaiters, tells its followers, and gives back the loop's reference.
  ERRAND_INLINE void wake_awaiters() noexcept;
  /// Destroys the values of the `TaskLocal`s, of which there must be some. Their destructors find a task that has ended
  /// and has no such values.
  void destroy_locals() noexcept;
  /// Called by `wake_awaiters` if the task is special: destroys its `TaskLocal`s, tells the registry, marks the
  /// awaiters that are to throw the failure, and reports a failure for which nobody can be waiting.
  void finish_special() noexcept;
  void count_end() noexcept;
  /// Reports the failure, because nobody can look at it any more.
  void report() noexcept;
};

/// Returns the task whose place in a list of tasks this is.
inline TaskBase& task_of(Link& link) noexcept { return static_cast<TaskBase&>(static_cast<TaskLink&>(link)); }

// Implementation

ERRAND_INLINE void TaskBase::finish_without_callable(Loop& its_loop) noexcept {
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
  ++loop->counts.ended;
  TaskLink::unlink();
  if (is_special) [[unlikely]]
    finish_special();
  while (!awaiters.empty()) {
    Waiter& waiter = static_cast<Waiter&>(awaiters.front());
    if (waiter.kind != Kind::follower) [[likely]] {
      waiter.wake();
    } else {
      waiter.unlink();
      static_cast<Follower&>(waiter).task_ended(*this);
    }
  }
  release();
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE std::string TaskBase::noted_reason() const {
  const TaskExtras* const has = extras();
  return has && has->reason ? *has->reason : std::string();
}

ERRAND_COLD ERRAND_ONCE std::string TaskBase::request_reason() const { return noted_reason(); }

ERRAND_COLD ERRAND_ONCE void TaskBase::get_name(std::string& name) const {
  if (has_name()) {
    name = identity.details()->name;
  } else {
    name = "Task-";
    name += number(identity.id());
  }
}

ERRAND_COLD ERRAND_ONCE std::string TaskBase::name() const {
  std::string name;
  get_name(name);
  return name;
}

ERRAND_COLD ERRAND_ONCE TaskExtras& TaskBase::make_extras() {
  TaskDetails& has = details();
  if (!has.extras) has.extras = Owner(new TaskExtras);
  return *has.extras;
}

ERRAND_COLD ERRAND_ONCE void TaskBase::set_note(std::string text) {
  if (text.empty() && !extras()) return;
  Owner<std::string> note;
  if (!text.empty()) note = Owner<std::string>(new std::string(std::move(text)));
  make_extras().note = std::move(note);
}

ERRAND_COLD ERRAND_ONCE std::string TaskBase::note() const {
  const TaskExtras* const has = extras();
  return has && has->note ? *has->note : std::string();
}

ERRAND_ONCE bool TaskBase::cancel(std::string_view reason) {
  loop->check_thread();
  if (done()) return false;
  note_reason(reason);
  ++requests;
  request(asked_by_task);
  return true;
}

ERRAND_COLD ERRAND_ONCE void TaskBase::ask_to_end(std::string_view reason) noexcept {
  try {
    note_reason(reason);
  } catch (...) {
  }
  ++requests;
  request(asked_by_task);
}

ERRAND_ONCE unsigned TaskBase::uncancel() {
  loop->check_thread();
  if (requests > 0 && --requests == 0 && !done()) withdraw();
  return requests;
}

ERRAND_ONCE const Follower* TaskBase::membership() const noexcept {
  const Follower* const follower = first_follower();
  return follower && follower->group() ? follower : nullptr;
}

ERRAND_COLD ERRAND_ONCE void TaskBase::requested_with_group() noexcept {
  ++requests;
  if (done()) return;  // it was aborted, and a thread call still uses its frames: the reason is that of the abort
  try {
    const Branches& of = *group();
    note_reason(of.chain()->reason_of_request(of.was_asked_by_task()));
  } catch (...) {  // no memory: the member is asked to end without the reason
  }
}

/// Keeps the reason of a new request. If an earlier request is still to be thrown, the reason of that request stays.
ERRAND_COLD ERRAND_ONCE void TaskBase::note_reason(std::string_view reason) {
  if ((extras() || !reason.empty()) && !is_asked_by_task()) make_extras().reason = owned(reason);
}

ERRAND_ONCE void TaskBase::set_local(std::size_t id, std::shared_ptr<const LocalValue> value) {
  TaskExtras& has = make_extras();
  if (!has.locals) has.locals = Owner(new TaskLocals);
  loop->note_locals();
  has.locals->set(id, std::move(value));
}

#endif

}  // namespace errand::detail

// The rest of the implementation, which needs the complete class
#include <errand/detail/task/task_ends.hpp>

#include <errand/detail/epilogue.hpp>
