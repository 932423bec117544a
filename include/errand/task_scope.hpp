// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/app.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/loop/loop_ref.hpp>
#include <errand/name_taken.hpp>
#include <errand/once.hpp>

namespace errand {

/// The tasks of an object or of a function, which end when it ends. Put the scope below everything that its tasks use:
/// as the last member of a class, or as the last local variable.
///
///     class Sensor {
///      public:
///       explicit Sensor(errand::App& app) : tasks_(app) {
///         tasks_.add([this] { return poll(); });
///       }
///       errand::Coro<> close() { co_await tasks_.close("the sensor is closed"); }
///
///      private:
///       errand::Coro<> poll();
///
///       int readings_ = 0;
///       errand::TaskScope tasks_;  // last: it ends before what its tasks use
///     };
///
/// **TaskScope or TaskGroup?** A `TaskGroup` is awaited: it belongs to one `co_await`, and the failure of one member
/// ends all. A `TaskScope` belongs to an object: its tasks run until the object is destroyed, and do not know of each
/// other. If one of them fails, the others run on, and the failure is reported like that of any task, unless somebody
/// awaits its handle.
///
/// **`close` or the destructor?** `close` gives the tasks time to clean up. The destructor cannot wait, so it aborts
/// the tasks that are pending, the last added first. An aborted task runs no further: its destructors run, its clean-up
/// code does not. If a thread call has begun, the destructor asks it to stop and blocks until it has returned, because
/// the call may use what is destroyed next.
///
/// If the code that destroys a scope runs inside one of its tasks, that task cannot be destroyed. It is asked to end
/// instead, as by `Task::cancel`, and no longer belongs to the scope. "Inside" means also in a branch of the task, or
/// in a member of a `TaskGroup` that the task waits for.
///
/// A scope belongs to the App's thread. On another thread its members throw `WrongThread`, and its destructor ends the
/// program with a message if tasks are pending. A scope may outlive its App, which ends the tasks.
class TaskScope {
 public:
  /// Makes a scope without tasks. Tasks that are added run on this App. (`App::current()` throws `InvalidState` outside
  /// an App.)
  explicit TaskScope(App& app = App::current()) noexcept;
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  /// Aborts the tasks that are pending. Never throws.
  ~TaskScope();

  /// Starts a task of this scope, from a Coro or a callable, and returns its handle, like `App::add_task`. If it is
  /// added before `run`, it runs on worker 0 alone. A task that `NameTaken::keep` returns does not become a task of
  /// this scope.
  ///
  /// Throws what `App::add_task` throws, and `InvalidState` if the scope is closed or the App is gone; the work is
  /// destroyed unrun then.
  template <class Work>
  TaskOf<Work&&> add(Work&& work, std::string name = {}, NameTaken taken = NameTaken::fail);

  /// Returns how many of its tasks are pending.
  std::size_t size() const {
    loop_.get().check_thread();
    return size_;
  }
  /// Returns true if no task is pending.
  bool empty() const { return size() == 0; }

  /// Asks all its tasks to end, in the order added, like `Task::cancel`. Tasks may still be added. Throws
  /// `std::bad_alloc`; some of the tasks may have been asked by then.
  void cancel(std::string_view reason = {});
  /// Waits until all its tasks have ended, including those that are added meanwhile: `co_await scope.join()`. Does not
  /// throw the errors of the tasks. If the caller is asked to end, `Cancelled` comes out, and the tasks run on. Throws
  /// `InvalidState` in a task of the scope or of another App, and if the scope is destroyed meanwhile.
  Coro<> join();
  /// Closes the scope, asks its tasks to end, and waits for them: `co_await scope.close("bye")`. Waits and throws as
  /// `join` does. From the beginning of the await on, `add` throws `InvalidState`. Tasks that have been asked before
  /// are not asked again. If the scope is closed already, it only waits.
  Coro<> close(std::string reason = {});

 private:
  class Member;
  class Wait;
  class Closing;
  struct CloseOf {
    TaskScope& scope;
    const std::string& reason;
    std::vector<detail::TaskHandle> asked;
  };

  template <class T, class Work>
  detail::TaskHandle add_here(Work&& work, std::string_view name, NameTaken taken);
  std::vector<detail::TaskHandle> handles() const;
  void check_open() const;
  [[noreturn]] static void throw_closed() { throw InvalidState("the TaskScope is closed and takes no more tasks"); }
  void check_waiter() const;

  detail::LoopRef loop_;
  detail::List members_;  // one for each task whose frames are not gone, in the order added
  std::size_t size_ = 0;  // how many of these tasks are pending
  bool is_closed_ = false;
  detail::WaitList joining_;
};

// Implementation

/// Ties a task to the scope: it follows the task, and is destroyed when the task ends.
class TaskScope::Member final : public detail::Follower, public detail::Pooled {
 public:
  explicit Member(TaskScope& scope) noexcept : scope_(scope) { entry_.member = this; }
  ~Member() {
    if (!entry_.linked()) return;
    entry_.unlink();
    scope_.size_ -= is_pending_;
    if (scope_.members_.empty()) scope_.joining_.wake_all();
  }
  /// Called by `add_here`: from here on the task belongs to the scope.
  void join(detail::TaskBase& task) noexcept {
    task_ = &task;
    task.awaiters.push_front(*this);
    scope_.members_.push_back(entry_);
    ++scope_.size_;
  }
  static Member& of(const detail::Link& entry) noexcept { return *static_cast<const Entry&>(entry).member; }
  /// Returns the member of this scope that follows this task; null if the task is not one of the scope's.
  static Member* of(const detail::Chain& task, const TaskScope& scope) noexcept {
    detail::Follower* const follower = static_cast<const detail::TaskBase&>(task).first_follower();
    return follower && follower->scope() == &scope ? static_cast<Member*>(follower) : nullptr;
  }
  detail::TaskBase& task() const noexcept { return *task_; }

  bool is_around_end = false;  // the code that destroys the scope runs inside the task
  /// Moves this member from the list of the scope to the front of `list`. Called by the destructor of the scope.
  void move_to(detail::List& list) noexcept {
    entry_.unlink();
    list.push_front(entry_);
  }

 private:
  struct Entry : detail::Link {
    Member* member;
  };

  void task_ended(detail::TaskBase&) noexcept override { delete this; }
  const void* scope() const noexcept override { return &scope_; }
  void task_cancelled() noexcept override { scope_.size_ -= std::exchange(is_pending_, false); }

  TaskScope& scope_;
  detail::TaskBase* task_ = nullptr;
  bool is_pending_ = true;
  Entry entry_;
};

/// The wait of `join`, until the scope has no tasks.
class TaskScope::Wait : public detail::Waiter {
 public:
  Wait(TaskScope& scope, detail::Chain& chain) noexcept : Waiter(detail::Kind::scope, chain), scope_(scope) {}

  bool await_ready() const noexcept { return scope_.members_.empty(); }
  void await_suspend(std::coroutine_handle<>) { suspend(scope_.joining_.list()); }
  void await_resume() { resumed(); }

 private:
  TaskScope& scope_;
};

/// The wait of `close`. It asks the tasks to end only when it stands in the list of waiters: code of the user's that
/// runs meanwhile may destroy the scope, and that must end this wait.
class TaskScope::Closing : public Wait {
 public:
  Closing(CloseOf& close, detail::Chain& chain) : Wait(close.scope, chain), close_(close) {}

  void await_suspend(std::coroutine_handle<> awaiting) {
    const detail::Pin pin(*chain_);  // because a callback of a stop_token, which a cancel calls, may abort this task
    Wait::await_suspend(awaiting);
    const auto asked = std::move(close_.asked);  // local: a handle that is kept would delay the report of a failure
    for (const auto& task : asked) {
      if (!task.get().done() && task.get().requests == 0) task.get().ask_to_end(close_.reason);
    }
  }

 private:
  CloseOf& close_;
};

template <class Work>
TaskOf<Work&&> TaskScope::add(Work&& work, std::string name, NameTaken taken) {
  using Given = std::decay_t<Work>;
  using T = typename detail::WorkTraits<Work&&>::Value;
  static_assert(!detail::is_task_handle<Given>, "a TaskScope takes a Coro or a callable");
  check_open();
  if constexpr (detail::is_coro<Given>) {
    return TaskOf<Work&&>(add_here<T>(std::forward<Work>(work), name, taken));
  } else {
    static_assert(std::is_constructible_v<Given, Work>, "this callable cannot be copied: std::move it into add");
    return TaskOf<Work&&>(add_here<T>(errand::once(std::forward<Work>(work)), name, taken));
  }
}

/// Called by `add` with a Coro, or with a callable that `once` has marked, so that it is moved into the task and never
/// copied for other workers.
template <class T, class Work>
detail::TaskHandle TaskScope::add_here(Work&& work, std::string_view name, NameTaken taken) {
  check_open();  // the copy of a callable may have closed the scope
  App& app = *loop_.get().app;
  if (detail::TaskBase* kept = app.check_name(name, taken, nullptr)) return detail::typed_handle<T>(*kept, name);
  detail::Owner<Member> member(new Member(*this));
  detail::TaskHandle task = app.add_new(std::forward<Work>(work), name, taken);
  if (task.get().done()) return task;  // the App is ending: the work is gone, and this scope too if the work owned it
  if (is_closed_) {                    // the move of the callable has closed the scope
    task.get().abort_if_pending();
    throw_closed();
  }
  member.release()->join(task.get());
  return task;
}

#if ERRAND_DEFINES

ERRAND_ONCE TaskScope::TaskScope(App& app) noexcept : loop_(*app.loop_) {}

/// Tasks that can be destroyed at once are destroyed first, and the thread calls of all others are asked to stop. Only
/// then the destructor waits for the first of these calls.
ERRAND_ONCE TaskScope::~TaskScope() {
  is_closed_ = true;
  if (members_.empty()) return;
  detail::Loop& loop = loop_.get();
  loop.check_thread_in_destructor("a TaskScope is destroyed on another thread than that of its tasks");
  joining_.abandon_all();
  detail::Destruction::visit_tasks_around_caller(loop, [this](detail::Chain& task) {
    if (Member* const own = Member::of(task, *this)) own->is_around_end = true;
  });
  detail::List left;
  while (!members_.empty()) {
    Member& last = Member::of(members_.back());
    last.move_to(left);
    if (!last.is_around_end) last.task().abort_if_pending();
  }
  while (!left.empty()) {
    Member& last = Member::of(left.back());
    detail::TaskBase& task = last.task();
    const bool is_around_end = last.is_around_end;
    delete &last;
    if (!is_around_end) {
      task.abort_blocking();
    } else if (!task.done()) {
      task.ask_to_end({});
    }
  }
}

/// Returns handles to all tasks of the scope. `cancel` and `close` use this copy because asking a task to end may run a
/// `std::stop_callback` of the user's, which may change the list of members.
ERRAND_ONCE std::vector<detail::TaskHandle> TaskScope::handles() const {
  std::vector<detail::TaskHandle> all;
  for (auto* link = members_.begin(); link != members_.end(); link = link->next) {
    all.emplace_back(Member::of(*link).task());
  }
  return all;
}

ERRAND_ONCE void TaskScope::check_open() const {
  loop_.get().check();
  if (is_closed_) throw_closed();
}

ERRAND_ONCE void TaskScope::cancel(std::string_view reason) {
  loop_.get().check_thread();
  for (const auto& task : handles()) task.get().cancel(reason);
}

ERRAND_ONCE void TaskScope::check_waiter() const {
  const detail::Loop& loop = loop_.get();
  loop.check_thread();
  if (members_.empty()) return;
  if (detail::this_thread().loop != &loop) throw InvalidState("this TaskScope belongs to another App");
  detail::Destruction::visit_tasks_around(*loop.current, [this](const detail::Chain& task) {
    if (const Member* const own = Member::of(task, *this)) {
      detail::raise<InvalidState>({"task '", own->task().name(), "' cannot wait for the end of its own TaskScope"});
    }
  });
}

ERRAND_ONCE Coro<> TaskScope::join() {
  check_waiter();
  co_await detail::WaitOn<Wait, TaskScope>(*this);  // nothing follows, because the scope may be gone
}

ERRAND_ONCE Coro<> TaskScope::close(std::string reason) {
  check_waiter();
  CloseOf close{*this, reason, {}};
  if (!is_closed_) close.asked = handles();
  is_closed_ = true;
  co_await detail::WaitOn<Closing, CloseOf>(close);
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
