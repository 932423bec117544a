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

/// The tasks of an object, or of a function, which end with it. It stands below what they use: as the last member of a
/// class, or as the last local variable.
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
/// **TaskScope or TaskGroup?** A `TaskGroup` is awaited: it belongs to one `co_await`, and a failure of one member ends
/// all. A `TaskScope` belongs to an object: its tasks run until the object goes, and do not know of each other. The
/// failure of one is its own, and is reported as that of any task, unless somebody awaits the handle.
///
/// **`close` or the destructor?** `close` gives the tasks time to clean up. The destructor cannot wait: it aborts what
/// is pending, the last added first. That destroys a task where it stands: its destructors run, its clean-up code does
/// not. A thread call that has begun is asked to stop, and the destructor blocks until it has returned, because it may
/// use what goes next.
///
/// A task that destroys its own scope (itself, in a branch, or through a member of a `TaskGroup` that it waits for)
/// cannot be destroyed there: it is asked to end in place of that, as by `Task::cancel`, and is no longer the scope's.
///
/// Belongs to the App's thread: its members throw `WrongThread` on another one. If tasks are pending then, its
/// destructor ends the program with a message. A scope may outlive its App, which has ended the tasks.
class TaskScope {
 public:
  /// Without tasks. Those that are added run on this App. (`App::current()` throws `InvalidState` outside an App.)
  explicit TaskScope(App& app = App::current()) noexcept;
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  /// Aborts what is pending. Never throws.
  ~TaskScope();

  /// Starts a task of this scope, from a Coro or a callable, as `App::add_task` does. What is added before `run` runs
  /// on worker 0 alone. A task that `NameTaken::keep` gives stays whose it was.
  ///
  /// Throws what `App::add_task` throws, and `InvalidState` if the scope is closed or the App is gone; the work is
  /// destroyed unrun then.
  template <class Work>
  TaskOf<Work&&> add(Work&& work, std::string name = {}, NameTaken taken = NameTaken::fail);

  /// How many of its tasks are pending.
  std::size_t size() const {
    loop_.get().check_thread();
    return size_;
  }
  /// Whether none is.
  bool empty() const { return size() == 0; }

  /// Asks all its tasks to end, as `Task::cancel` does, in the order added. More may be added. Throws `std::bad_alloc`;
  /// none has been asked then.
  void cancel(std::string_view reason = {});
  /// `co_await scope.join()` waits until all its tasks have ended, those that are added meanwhile too. Does not throw
  /// what they end with. If the caller is asked to end, `Cancelled` comes out, and the tasks run on. Throws
  /// `InvalidState` in a task of the scope or of another App, and if the scope is destroyed meanwhile.
  Coro<> join();
  /// `co_await scope.close("bye")` closes the scope: from the beginning of the await on, `add` throws `InvalidState`.
  /// Asks all its tasks to end that have not been asked, and waits as `join` does, under the same rules. If the scope
  /// is closed already, it only waits.
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
  detail::List members_;  // the tasks whose frames are not gone, in the order added
  std::size_t size_ = 0;  // how many of them are pending
  bool is_closed_ = false;
  detail::WaitList joining_;
};

// Implementation

/// One of the tasks. It is the task's observer, and so goes with its end.
class TaskScope::Member final : public detail::Observer, public detail::Pooled {
 public:
  explicit Member(TaskScope& scope) noexcept : scope_(scope) { entry_.member = this; }
  ~Member() {
    if (!entry_.linked()) return;
    entry_.unlink();
    scope_.size_ -= is_pending_;
    if (scope_.members_.empty()) scope_.joining_.wake_all();
  }
  /// From now on the task is one of the scope's.
  void join(detail::TaskBase& task) noexcept {
    task_ = &task;
    task.awaiters.push_front(*this);
    scope_.members_.push_back(entry_);
    ++scope_.size_;
  }
  static Member& of(const detail::Link& entry) noexcept { return *static_cast<const Entry&>(entry).member; }
  /// The one that makes the task one of this scope; null if none does.
  static Member* of(const detail::Chain& task, const TaskScope& scope) noexcept {
    detail::Observer* const observer = static_cast<const detail::TaskBase&>(task).first_observer();
    return observer && observer->scope() == &scope ? static_cast<Member*>(observer) : nullptr;
  }
  detail::TaskBase& task() const noexcept { return *task_; }

  bool is_around_end = false;  // what destroys the scope runs inside the task
  /// Stands there in place of among the members.
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

/// The wait until there are no tasks.
class TaskScope::Wait : public detail::Waiter {
 public:
  Wait(TaskScope& scope, detail::Chain& chain) noexcept : Waiter(detail::Kind::scope, chain), scope_(scope) {}

  bool await_ready() const noexcept { return scope_.members_.empty(); }
  void await_suspend(std::coroutine_handle<>) { suspend(scope_.joining_.list()); }
  void await_resume() { resumed(); }

 private:
  TaskScope& scope_;
};

/// The same, which asks tasks to end as soon as it stands in the list: what runs meanwhile may destroy the scope.
class TaskScope::Closing : public Wait {
 public:
  Closing(CloseOf& close, detail::Chain& chain) : Wait(close.scope, chain), close_(close) {}

  void await_suspend(std::coroutine_handle<> awaiting) {
    Wait::await_suspend(awaiting);
    const auto asked = std::move(close_.asked);  // not kept: who has a handle may be about to look at a failure
    for (const auto& task : asked) {
      if (!task.get().done() && task.get().requests == 0) task.get().ask_to_end(close_.reason);
    }
  }

 private:
  CloseOf& close_;
};

inline TaskScope::TaskScope(App& app) noexcept : loop_(*app.loop_) {}

/// What can go at once does, and all thread calls that are left are asked to stop before the first is waited for.
inline TaskScope::~TaskScope() {
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

/// Work that its task need not copy.
template <class T, class Work>
detail::TaskHandle TaskScope::add_here(Work&& work, std::string_view name, NameTaken taken) {
  check_open();  // the copy of a callable may have closed it
  App& app = *loop_.get().app;
  if (detail::TaskBase* kept = app.check_name(name, taken, nullptr)) return detail::typed_handle<T>(*kept, name);
  detail::Owner<Member> member(new Member(*this));
  detail::TaskHandle task = app.add_new(std::forward<Work>(work), name, taken);
  if (task.get().done()) return task;  // the App is ending: the work is gone, and with it the scope, if it owned that
  if (is_closed_) {                    // by the move of the callable
    task.get().abort_if_pending();
    throw_closed();
  }
  member.release()->join(task.get());
  return task;
}

/// To ask a task may run a `std::stop_callback` of a thread call, and so change the list of members.
inline std::vector<detail::TaskHandle> TaskScope::handles() const {
  std::vector<detail::TaskHandle> all;
  for (auto* link = members_.begin(); link != members_.end(); link = link->next) {
    all.emplace_back(Member::of(*link).task());
  }
  return all;
}

inline void TaskScope::check_open() const {
  loop_.get().check();
  if (is_closed_) throw_closed();
}

inline void TaskScope::cancel(std::string_view reason) {
  loop_.get().check_thread();
  for (const auto& task : handles()) task.get().cancel(reason);
}

inline void TaskScope::check_waiter() const {
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

inline Coro<> TaskScope::join() {
  check_waiter();
  co_await detail::WaitOn<Wait, TaskScope>(*this);  // nothing behind it: the scope may be gone by then
}

inline Coro<> TaskScope::close(std::string reason) {
  check_waiter();
  CloseOf close{*this, reason, {}};
  if (!is_closed_) close.asked = handles();
  is_closed_ = true;
  co_await detail::WaitOn<Closing, CloseOf>(close);
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
