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

#include <errand/detail/task/callable_task.hpp>

namespace errand {

template <class T = void>
class Task;

namespace detail {

/// A counted pointer to a task's state; `Task<T>` is this and the type of the result.
class TaskHandle {
 public:
  TaskHandle() noexcept = default;
  explicit TaskHandle(TaskBase& state) noexcept : state_(&state) { state.retain(); }
  explicit TaskHandle(TaskBase* state) noexcept : state_(state) {
    if (state_) state_->retain();
  }
  TaskHandle(const TaskHandle& other) noexcept : TaskHandle(other.state_) {}
  TaskHandle(TaskHandle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  TaskHandle& operator=(const TaskHandle& other) noexcept { return *this = TaskHandle(other); }
  TaskHandle& operator=(TaskHandle&& other) noexcept {
    TaskHandle taken(std::move(other));
    std::swap(state_, taken.state_);
    return *this;
  }
  ERRAND_INLINE ~TaskHandle() {
    if (state_) state_->release();
  }

  TaskBase* state() const noexcept { return state_; }
  /// Throws `InvalidState` where it is empty.
  TaskBase& get() const {
    if (!state_) empty();
    return *state_;
  }

 private:
  [[noreturn]] ERRAND_NOINLINE static void empty() { throw InvalidState("this Task handle is empty"); }

  TaskBase* state_ = nullptr;
};

template <class T, bool take>
class TaskAwaiter;

}  // namespace detail

/// A handle to a coroutine that an App runs, and that goes on whether or not anyone holds a handle or awaits it.
/// Copyable: all handles to a task are equal. `Task<>` observes a task of any result, and every `Task<T>` converts to
/// it.
///
/// A default-constructed handle is empty: all but `operator bool`, `==` and assignment throw `InvalidState` then.
/// A task whose result cannot be moved to where it is kept has failed, with what the move threw. Where a copy or a move
/// on the way out throws, the result stays.
///
/// Everything here belongs to the App's thread; called from another one while the App runs, it throws `WrongThread`
/// where that can be seen.
///
///     auto task = app.add_task(work(), "work");
///     int n = co_await task;   // as often as you like, from as many places as you like
template <class T>
class Task {
 public:
  /// The type of its result.
  using value_type = T;

  Task() noexcept = default;
  /// `Task<>` from any task.
  template <class U>
    requires(std::is_void_v<T> && !std::is_void_v<U>)
  Task(const Task<U>& other) noexcept : handle_(other.handle()) {}
  /// The same; the other handle is empty afterwards.
  template <class U>
    requires(std::is_void_v<T> && !std::is_void_v<U>)
  Task(Task<U>&& other) noexcept : handle_(std::move(other).handle()) {}

  /// Whether it refers to a task.
  explicit operator bool() const noexcept { return handle_.state() != nullptr; }
  /// Whether both refer to the same task.
  template <class U>
  bool operator==(const Task<U>& other) const noexcept {
    return handle_.state() == other.handle().state();
  }

  /// 1, 2, 3, … in the order in which the App was given its tasks.
  std::uint64_t id() const { return task().identity.id(); }
  /// As given, else "Task-<id>".
  std::string name() const { return task().name(); }
  /// How it ended, or `TaskStatus::pending`.
  TaskStatus status() const { return task().status; }
  /// Whether it is no longer pending.
  bool done() const { return task().done(); }
  /// Whether it ended by cancellation.
  bool cancelled() const { return status() == TaskStatus::cancelled; }

  /// Asks the task to end: `Cancelled`, with this reason, is thrown out of the await where it is suspended, or else out
  /// of its next await that suspends; what it awaited and has completed is not undone. Requests made before the first
  /// is thrown make one throw, with the first one's reason. A task that has not started never runs a line of its body.
  ///
  /// Returns false, and does nothing, where the task is done. It only asks: the task may clean up, and await meanwhile,
  /// or even go on. Await it, or `App::cancel_task`, to see the end.
  bool cancel(std::string_view reason = {}) { return handle_.get().cancel(reason); }

  /// Ends the task where it stands, without asking: its suspended frames are destroyed, the innermost first.
  /// Destructors run; no `catch` does, and no clean-up that awaits. Nothing is thrown, which makes it much cheaper than
  /// `cancel`. A failure that a combinator or a `finally` inside it was still to throw is reported. If a thread call is
  /// under way inside it, the frames go, and who awaits it goes on, when that has returned.
  ///
  /// Returns false where the task is done. Throws `InvalidState` where it is the task that is running, or one around
  /// it: of a `TaskGroup` whose member is running. From a destructor of what is being destroyed inside it, it takes
  /// effect when that is over. What goes with it must not run or destroy the App.
  bool abort(std::string_view reason = {}) { return handle_.get().abort(reason); }

  /// The number of requests to end that were not taken back.
  unsigned cancelling() const { return task().requests; }
  /// Takes one request back, as one should who swallows a `Cancelled` to go on; how many are left. Taking back the last
  /// one withdraws a request that has not reached an await yet.
  unsigned uncancel() { return handle_.get().uncancel(); }

  /// The result where it stands, as long as a handle lives. Throws what `co_await` would, and `InvalidState` where the
  /// task is pending or its result was taken.
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
  /// The result, moved out where this is the last handle or where it cannot be copied. The handle is empty then.
  T result() && {
    task();
    const Task self(std::move(*this));
    self.look();
    if constexpr (!std::is_void_v<T>) return self.typed().take();
  }

  /// What the task ended with: null after success, a `TaskCancelled` if it was cancelled. Throws `InvalidState` where
  /// it is pending.
  std::exception_ptr exception() const {
    detail::TaskBase& its_task = task();
    if (!its_task.done()) its_task.throw_pending();
    return its_task.failure();
  }

  /// Calls `f(Task<T>)` from the loop after the task is done: in its place among the task's awaiters or, where the task
  /// is done already, as `App::call_soon` would. It may be cancelled by the handle that is returned. What it throws is
  /// reported as the failure of a callback. Throws `InvalidState` where the App is gone.
  template <class F>
  CallHandle add_done_callback(F&& f);

  /// Gives the result where it stands, and throws what the task failed with; `TaskCancelled` where it was cancelled.
  /// Does not suspend where the task is done. Cancelling the awaiter leaves the task running. Throws `InvalidState` in
  /// the task itself, and in a task of another App.
  auto awaited_by(detail::Chain& chain) const& {
    return detail::TaskAwaiter<T, false>(detail::TaskHandle(handle_.get()), chain);
  }
  /// The same, but gives the result away: moved out where no other handle is left, the registry's included, else
  /// copied. A result that cannot be copied is taken: later readers get `InvalidState`. The handle is empty afterwards.
  auto awaited_by(detail::Chain& chain) && { return detail::TaskAwaiter<T, true>(handle_, chain); }

  /// For the library.
  explicit Task(detail::TaskHandle handle) noexcept : handle_(std::move(handle)) {}
  /// For the library.
  const detail::TaskHandle& handle() const& noexcept { return handle_; }
  /// For the library.
  detail::TaskHandle handle() && noexcept { return std::move(handle_); }

 private:
  detail::TaskState<T>& typed() const noexcept { return static_cast<detail::TaskState<T>&>(*handle_.state()); }
  /// Throws `InvalidState` if the handle is empty, and `WrongThread`.
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

/// What `add_task` returns for a callable that GCC up to 12 destroys twice inside an awaited expression.
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

/// The task that is running on this thread; empty in a plain callback, and outside an App.
Task<> current_task();

// Implementation

namespace detail {

/// The handle of a task that is awaited. It is a base of the wait, and the first one: so the wait leaves the list of
/// the task before the handle goes, which may free the task.
struct AwaitedTask {
  TaskHandle task_;
};

/// A wait for the end of a task.
class TaskWait : protected AwaitedTask, public Waiter {
 public:
  ERRAND_INLINE ~TaskWait() = default;

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
  TaskWait(Kind of, TaskHandle task, Chain* chain) noexcept : AwaitedTask{std::move(task)}, Waiter(of, chain) {}

 private:
  ERRAND_COLD void suspend_or_refuse() {
    chain_->check_earlier_awaits();
    if (task().loop != chain_->loop) raise<InvalidState>({"task '", task().name(), "' belongs to another App"});
    if (&task() == &chain_->root()) raise<InvalidState>({"task '", task().name(), "' awaits itself"});
    suspend(task().awaiters);
  }
};

/// However it ends.
class TaskEnd : public TaskWait {
 public:
  explicit TaskEnd(TaskHandle task, Chain* chain = nullptr) noexcept
      : TaskWait(Kind::task_end, std::move(task), chain) {}

  bool await_ready() const { return task_.get().has_ended(); }
  void await_resume() { resumed(); }
};

/// Gives the result where it stands or, if `take`, takes the handle when it is awaited, and then the result out of it.
template <class T, bool take>
class TaskAwaiter final : public TaskWait {
 public:
  TaskAwaiter(TaskHandle task, Chain& chain) noexcept
    requires(!take)
      : TaskWait(Kind::task, std::move(task), &chain) {}
  TaskAwaiter(TaskHandle& from, Chain& chain) noexcept
    requires take
      : TaskWait(Kind::task, TaskHandle(), &chain), from_(&from) {}

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

inline void throw_task_failure(Waiter& waiter) { static_cast<TaskWait&>(waiter).task().throw_failure(); }

/// A handle of this type to that task, which was found under a name.
template <class T>
TaskHandle typed_handle(TaskBase& task, std::string_view name) {
  if constexpr (!std::is_void_v<T>) {
    if (!dynamic_cast<TaskState<T>*>(&task)) throw TaskTypeMismatch(std::string(name));
  }
  return TaskHandle(task);
}

template <class T, class F>
class DoneCallback final : public CallbackOf<F>, public Observer {
 public:
  using CallbackOf<F>::CallbackOf;
  void task_ended(TaskBase& task) noexcept override {
    task_ = TaskHandle(task);
    task.loop->make_ready(*this);
  }

 private:
  void invoke() override { this->callable()(Task<T>(std::move(task_))); }
  void destroy() noexcept override {
    Observer::leave();
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
    task.awaiters.push_back(static_cast<detail::Observer&>(*callback));
  } else if (task.loop->closing) {
    callback->drop();
  } else {
    callback->task_ended(task);
  }
  return handle;
}

inline Task<> current_task() {
  detail::Loop* loop = detail::this_thread().loop;
  if (!loop || !loop->current) return {};
  return Task<>(detail::TaskHandle(static_cast<detail::TaskBase&>(loop->current->root())));
}

}  // namespace errand

template <class T>
struct std::hash<errand::Task<T>> {
  std::size_t operator()(const errand::Task<T>& task) const noexcept {
    return std::hash<errand::detail::TaskBase*>()(task.handle().state());
  }
};

#include <errand/detail/epilogue.hpp>
