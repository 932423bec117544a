// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <errand/detail/base/what.hpp>
#include <errand/detail/task/callable_task.hpp>
#include <errand/detail/task/task_handle.hpp>

namespace errand {

template <class T = void>
class Task;

namespace detail {

template <class T, bool take>
class TaskAwaiter;

}  // namespace detail

/// A handle to a task, which is a coroutine that an App runs, whether or not anyone holds a handle or awaits it.
///
/// You may copy a handle; all handles to one task are equal. Every `Task<T>` converts to `Task<>`, which refers to a
/// task of any result. A default-constructed handle is empty: it can be tested, compared and assigned, and all its
/// other members throw `InvalidState`.
///
/// If the move of the result into the task throws, the task has failed with that exception. If a copy of the result for
/// you throws, the task keeps the result. A result that is moved out to you is gone, even if that move throws.
///
/// A handle belongs to the App's thread. While a thread is inside `run` or `poll`, the members throw `WrongThread` if
/// another thread calls them. At other times errand cannot detect such a call, and copies, moves and comparisons of
/// handles are never checked.
///
///     auto task = app.add_task(work(), "work");
///     int n = co_await task;   // as often as you like, from as many places as you like
template <class T>
class Task {
 public:
  /// The type of the result of the task.
  using value_type = T;

  Task() noexcept = default;
  /// Makes a `Task<>` from a handle of any type.
  template <class U>
    requires(std::is_void_v<T> && !std::is_void_v<U>)
  Task(const Task<U>& other) noexcept : handle_(other.handle()) {}
  /// Makes a `Task<>` from a handle of any type. `other` is empty afterwards.
  template <class U>
    requires(std::is_void_v<T> && !std::is_void_v<U>)
  Task(Task<U>&& other) noexcept : handle_(std::move(other).handle()) {}

  /// Returns true if the handle refers to a task.
  explicit operator bool() const noexcept { return handle_.state() != nullptr; }
  /// Returns true if both handles refer to the same task, or both are empty.
  template <class U>
  bool operator==(const Task<U>& other) const noexcept {
    return handle_.state() == other.handle().state();
  }

  /// Returns the number of the task: 1, 2, 3, … in the order in which tasks were added to the App.
  std::uint64_t id() const { return task().identity.id(); }
  /// Returns the name that the task was given, or "Task-<id>" if it was given none.
  std::string name() const { return task().name(); }
  /// Returns how the task ended, or `TaskStatus::pending`.
  TaskStatus status() const { return task().status; }
  /// Returns true if the task is no longer pending.
  bool done() const { return task().done(); }
  /// Returns true if the task ended by cancellation.
  bool cancelled() const { return status() == TaskStatus::cancelled; }

  /// Asks the task to end: `Cancelled`, with this reason, is thrown out of the await at which the task is suspended. If
  /// the task is not suspended, or its wait has completed already, `Cancelled` is thrown out of the next await that
  /// would have to wait. So a result that has come is not lost.
  ///
  /// If several requests come before the first one is thrown, `Cancelled` is thrown once, with the reason of the first
  /// request. A task that has not started never runs a line of its body.
  ///
  /// This is only a request: the task may clean up, and await meanwhile, or even go on. Await the task, or
  /// `App::cancel_task`, to see the end. Returns false and does nothing if the task is done.
  bool cancel(std::string_view reason = {}) { return handle_.get().cancel(reason); }

  /// Ends the task without asking: destroys its suspended frames, the innermost first. Destructors run; no `catch`
  /// runs, and no clean-up that awaits. This is much cheaper than `cancel`, because nothing is thrown.
  ///
  /// Returns false if the task is done. Else its status is `cancelled` at once. But if a thread call is under way
  /// inside the task, the frames are destroyed, and awaiters go on, only when the call has returned. If a destructor
  /// that runs inside the task calls this, it takes effect when the destruction that is under way is over. If a
  /// combinator or a `finally` in the task has kept a failure and not thrown it yet, the failure is reported.
  ///
  /// Throws `InvalidState` if the task is running, or if it waits for a `TaskGroup` and a member of that group is
  /// running. The destructors that run must not run or destroy the App.
  bool abort(std::string_view reason = {}) { return handle_.get().abort(reason); }

  /// Returns the number of requests to end that were not taken back. A request that was thrown still counts.
  unsigned cancelling() const { return task().requests; }
  /// Takes one request back, and returns how many are left. Call this if you catch a `Cancelled` and go on. When the
  /// last request is taken back, a request that was not thrown yet is withdrawn.
  unsigned uncancel() { return handle_.get().uncancel(); }

  /// Returns a reference to the result, which is kept as long as a handle exists. Throws what `co_await` would throw,
  /// and `InvalidState` if the task is pending or its result was taken.
  decltype(auto) result() const& {
    const bool succeeded = look();
    (void)succeeded;
    if constexpr (!std::is_void_v<T>) {
      if constexpr (std::is_reference_v<T>) {
        return typed().value();
      } else {
        return static_cast<const T&>(typed().value());
      }
    }
  }
  /// Returns the result, and leaves this handle empty. The result is moved out if this is the last handle and the task
  /// is not registered, or if the result cannot be copied; else it is copied.
  T result() && {
    task();
    const Task self(std::move(*this));
    self.look();
    if constexpr (!std::is_void_v<T>) return self.typed().take();
  }

  /// Returns the exception that `co_await` would throw: null after success, a `TaskCancelled` if the task was
  /// cancelled. Throws `InvalidState` if the task is pending.
  std::exception_ptr exception() const {
    detail::TaskBase& its_task = task();
    if (!its_task.done()) its_task.throw_pending();
    return its_task.failure();
  }
  /// Returns the text of `exception()`, as a `TaskFailure` has it: `what()` of a `std::exception`. Empty after success.
  /// Throws `InvalidState` if the task is pending.
  std::string what() const { return detail::what_of(exception()); }

  /// Sets a note for people, which stands in the table of `App::dump_tasks` and in `TaskInfo`:
  /// `task.set_note("3 of 9")`. It replaces the note that was set before; an empty text takes the note away. A note may
  /// be set after the end of the task, too.
  void set_note(std::string note) { task().set_note(std::move(note)); }
  /// Returns the note; an empty text if there is none. It is kept as long as a handle exists.
  std::string note() const { return task().note(); }

  /// Calls `f(Task<T>)` from the loop after the task has ended. Callbacks and awaiting tasks are served in the order in
  /// which they came. If the task has ended already, `f` is called as by `App::call_soon`. Returns a handle that can
  /// cancel the callback. An exception of `f` is reported as the failure of a callback. Throws `InvalidState` if the
  /// App is gone.
  template <class F>
  CallHandle add_done_callback(F&& f);

  /// Waits until the task has ended, and gives a reference to its result: `const int& n = co_await task`. Does not
  /// suspend if the task has ended already. If the awaiter is cancelled, the task runs on. Throws the exception with
  /// which the task failed, `TaskCancelled` if the task was cancelled, and `InvalidState` in the task itself and in a
  /// task of another App.
  auto awaited_by(detail::Chain& chain) const& {
    return detail::TaskAwaiter<T, false>(detail::TaskHandle(handle_.get()), chain);
  }
  /// Waits until the task has ended, and gives the result itself: `int n = co_await std::move(task)`. Throws as
  /// `co_await task` does. The handle is empty afterwards. The result is moved out if no other handle is left and the
  /// task is not registered, else copied. A result that cannot be copied is always moved out: later readers get
  /// `InvalidState`.
  auto awaited_by(detail::Chain& chain) && { return detail::TaskAwaiter<T, true>(handle_, chain); }

  /// For the library's own use: makes a handle of this type.
  explicit Task(detail::TaskHandle handle) noexcept : handle_(std::move(handle)) {}
  /// For the library's own use: returns the handle without the type of the result.
  const detail::TaskHandle& handle() const& noexcept { return handle_; }
  /// For the library's own use: gives the handle away.
  detail::TaskHandle handle() && noexcept { return std::move(handle_); }

 private:
  detail::TaskState<T>& typed() const noexcept { return static_cast<detail::TaskState<T>&>(*handle_.state()); }
  /// Returns the state. Throws `InvalidState` if the handle is empty, and `WrongThread`.
  detail::TaskBase& task() const {
    detail::TaskBase& its_task = handle_.get();
    its_task.loop->check_thread();
    return its_task;
  }
  bool look() const {
    detail::TaskBase& its_task = task();
    if (!its_task.done()) its_task.throw_pending();
    if (its_task.status != TaskStatus::succeeded) its_task.throw_failure();
    return true;
  }

  detail::TaskHandle handle_;
};

namespace detail {

/// The handle that `add_task` returns for a callable that GCC up to 12 would destroy twice if the call stood inside an
/// awaited expression. It cannot be awaited as an rvalue: give it a name first.
template <class T>
class TaskToName : public Task<T> {
 public:
  using Task<T>::Task;

  auto awaited_by(detail::Chain& chain) const& { return Task<T>::awaited_by(chain); }
  template <class U = T>
  auto awaited_by(detail::Chain& chain) && {
    check_named<TaskToName<U>>();
    return Task<U>::awaited_by(chain);
  }
};

}  // namespace detail

/// Returns the task that is running on this thread. The handle is empty in a plain callback, and outside an App.
Task<> current_task();

// Implementation

namespace detail {

/// The handle of a task that is awaited. It is the first base of the wait, and so is destroyed last: the wait leaves
/// the list of the task before the handle goes, which may free the task.
struct AwaitedTask {
  TaskHandle task_;
};

/// A wait for the end of a task. The classes that derive from it say what the wait gives and throws.
class WaitForTask : protected AwaitedTask, public Waiter {
 public:
  ERRAND_INLINE ~WaitForTask() = default;

  ERRAND_INLINE void await_suspend(std::coroutine_handle<>) {
    TaskBase& its_task = task();
    if (its_task.loop != chain_->loop || &its_task == chain_ || (chain_->flags & (Chain::special | Chain::is_branch)))
        [[unlikely]] {
      suspend_or_refuse();
    } else {
      stand_in(its_task.awaiters);
    }
  }
  TaskBase& task() const noexcept { return *task_.state(); }

 protected:
  WaitForTask(Kind of, TaskHandle task, Chain* chain) noexcept : AwaitedTask{std::move(task)}, Waiter(of, chain) {}

 private:
  void suspend_or_refuse();
};

/// A wait for the end of a task that gives nothing and does not throw the task's error.
class TaskEnd : public WaitForTask {
 public:
  explicit TaskEnd(TaskHandle task, Chain* chain = nullptr) noexcept
      : WaitForTask(Kind::task_end, std::move(task), chain) {}

  bool await_ready() const { return task_.get().has_ended(); }
  void await_resume() { resumed(); }
};

/// A wait for the end of a task that gives its result: a reference to it or, if `take`, the result itself. To take it,
/// the wait takes the handle from the awaited `Task` when it begins.
template <class T, bool take>
class TaskAwaiter final : public WaitForTask {
 public:
  TaskAwaiter(TaskHandle task, Chain& chain) noexcept
    requires(!take)
      : WaitForTask(Kind::task, std::move(task), &chain) {}
  TaskAwaiter(TaskHandle& from, Chain& chain) noexcept
    requires take
      : WaitForTask(Kind::task, TaskHandle(), &chain), from_(&from) {}

  bool await_ready() {
    if constexpr (take) {
      chain_->check_earlier_awaits();
      from_->get();
      task_ = std::move(*from_);
    }
    if (!task().has_ended()) return false;
    if (task().status != TaskStatus::succeeded) throw_failure_of_task();
    return true;
  }
  decltype(auto) await_resume() {
    Suspension::resumed();
    if constexpr (!std::is_void_v<T>) {
      TaskState<T>& state = static_cast<TaskState<T>&>(task());
      if constexpr (take) {
        return state.take();
      } else if constexpr (std::is_reference_v<T>) {
        return state.value();
      } else {
        return static_cast<const T&>(state.value());
      }
    }
  }

 private:
  ERRAND_COLD void throw_failure_of_task() {
    chain_->check_earlier_awaits();
    task().throw_failure();
  }

  struct Nothing {};
  [[no_unique_address]] std::conditional_t<take, TaskHandle*, Nothing> from_;
};

[[noreturn]] void throw_type_mismatch(std::string_view name);

/// Returns a handle to a task that was found by its name. Throws `TaskTypeMismatch` if its result is of another type.
template <class T>
TaskHandle typed_handle(TaskBase& task, std::string_view name) {
  if constexpr (!std::is_void_v<T>) {
    if (!task.is_a(typeid(TaskState<T>))) throw_type_mismatch(name);
  }
  return TaskHandle(task);
}

/// The callback of `add_done_callback`. As a follower of the task it joins the ready queue when its place comes.
template <class T, class F>
class DoneCallback final : public CallbackOf<F>, public Follower {
 public:
  using CallbackOf<F>::CallbackOf;
  void task_ended(TaskBase& task) noexcept override {
    task_ = TaskHandle(task);
    task.loop->make_ready(*this);
  }

 private:
  void invoke() override { this->callable()(Task<T>(std::move(task_))); }
  void destroy() noexcept override {
    Follower::leave();
    task_ = {};
    CallbackOf<F>::destroy();
  }

  TaskHandle task_;
};

}  // namespace detail

template <class T>
template <class F>
CallHandle Task<T>::add_done_callback(F&& f) {
  detail::check_callback<std::decay_t<F>, Task<T>>();
  detail::TaskBase& task = handle_.get();
  task.loop->check();
  auto* callback = new detail::DoneCallback<T, std::decay_t<F>>(*task.loop, std::forward<F>(f));
  const CallHandle handle(*callback);
  callback->count();
  if (!task.has_ended()) {
    task.awaiters.push_back(static_cast<detail::Follower&>(*callback));
  } else if (task.loop->closing) {
    callback->drop();
  } else {
    callback->task_ended(task);
  }
  return handle;
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE void detail::WaitForTask::suspend_or_refuse() {
  chain_->check_earlier_awaits();
  if (task().loop != chain_->loop) raise<InvalidState>({"task '", task().name(), "' belongs to another App"});
  if (&task() == &chain_->root()) raise<InvalidState>({"task '", task().name(), "' awaits itself"});
  suspend(task().awaiters);
}

ERRAND_COLD ERRAND_ONCE void detail::throw_type_mismatch(std::string_view name) {
  throw TaskTypeMismatch(std::string(name));
}

ERRAND_ONCE void detail::throw_task_failure(Waiter& waiter) {
  static_cast<WaitForTask&>(waiter).task().throw_failure();
}

ERRAND_ONCE Task<> current_task() {
  detail::Loop* loop = detail::this_thread().loop;
  if (!loop || !loop->current) return {};
  return Task<>(detail::TaskHandle(static_cast<detail::TaskBase&>(loop->current->root())));
}

#endif

}  // namespace errand

template <class T>
struct std::hash<errand::Task<T>> {
  std::size_t operator()(const errand::Task<T>& task) const noexcept {
    return std::hash<errand::detail::TaskBase*>()(task.handle().state());
  }
};

#include <errand/detail/epilogue.hpp>
