// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/detail/base/owner.hpp>
#include <errand/task.hpp>

namespace errand {

/// The result of `wait_any` and `wait_all`: which tasks were done, and which were not, when the awaiter resumed.
template <class T>
struct Waited {
  std::vector<Task<T>> done;     ///< in the order given
  std::vector<Task<T>> pending;  ///< in the order given
};

/// Waits until one of the tasks is done, and returns which of them are done and which are pending. The tasks are only
/// observed: they run on, whatever happens. A task that failed or was cancelled is done like any other, and its error
/// is left to whoever looks at the task. If the tasks have different results, the type is `Waited<void>`.
///
/// Throws `InvalidState` if there is no task at all, if a handle is empty, and if a task is the caller or belongs to
/// another App. Throws `Cancelled` if the caller is asked to end.
///
///     auto [done, pending] = co_await errand::wait_any(a, b);
template <class H, class... Hs>
  requires(detail::is_task_handle<std::remove_cvref_t<H>> && (detail::is_task_handle<std::remove_cvref_t<Hs>> && ...))
auto wait_any(H&& first, Hs&&... rest);
/// Waits until one of the tasks in a vector is done, like `wait_any` of several tasks.
template <class T>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks);
/// Waits until one of the tasks in a vector is done, but no longer than `timeout`. When that is over, returns even if
/// no task is done.
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout);

/// Waits until all of the tasks are done, under the rules of `wait_any`, but returns at once if there is no task.
template <class... Hs>
  requires(detail::is_task_handle<std::remove_cvref_t<Hs>> && ...)
auto wait_all(Hs&&... tasks);
/// Waits until all tasks in a vector are done, like `wait_all` of several tasks.
template <class T>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks);
/// Waits until all tasks in a vector are done, but no longer than `timeout`. Throws no `TimeoutError`.
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout);

/// Tasks in the order in which they end, as `as_completed` returns them. Can be moved while no `next` is awaited.
template <class T>
class Completions {
 public:
  /// Takes the tasks, like `as_completed`.
  explicit Completions(std::vector<Task<T>> tasks);

  class Next;
  /// Waits until a further task is done, and gives it: `co_await completions.next()`. Gives an empty optional when all
  /// tasks have been given. Throws `Cancelled` if the awaiting task is asked to end; a later `next` then returns the
  /// task that ends next. The first `next` throws `InvalidState` if a handle is empty, and if a task is the caller or
  /// belongs to another App.
  Next next() noexcept;

 private:
  class State;
  detail::Owner<State> state_;
};

/// Returns the tasks one by one, in the order in which they end: `next` waits for each. If the task that awaits `next`
/// is cancelled, or its wait times out, the tasks run on and none is lost.
///
///     auto done = errand::as_completed(tasks);
///     while (auto task = co_await done.next()) show(co_await *task);
template <class T>
Completions<T> as_completed(std::vector<Task<T>> tasks);

// Implementation

namespace detail {

/// Throws `InvalidState` if the running task cannot wait for this one.
void check_observable(const TaskBase& task);

/// The wait of `wait_any` and `wait_all`: until `needed` tasks have ended, or the time-out is over.
class TasksWait : public TimedWait {
 public:
  TasksWait(std::size_t needed, Nanoseconds timeout) noexcept
      : TimedWait(Kind::tasks), needed_(needed), timeout_(timeout) {}

  /// Observes a task, which must be pending.
  void add(TaskBase& task) {
    Watched& watched = *watched_.emplace_back(Owner(new Watched(*this)));
    task.awaiters.push_back(watched);
  }
  void reserve(std::size_t count) { watched_.reserve(count); }

  bool await_ready() const noexcept { return needed_ == 0; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    chain_ = awaiting.promise().chain;
    if (timeout_ <= Nanoseconds::zero()) {
      yield();
    } else if (timeout_ == Nanoseconds::max()) {
      suspend();
    } else {
      const Clock::time_point until = chain_->loop->deadline(timeout_);
      if (needed_ > 0) suspend_until(until);  // a clock of the user's may have ended the tasks
    }
  }
  void await_resume() { resumed(); }

 private:
  struct Watched final : Follower, Pooled {
    explicit Watched(TasksWait& its_watch) noexcept : watch(its_watch) {}
    void task_ended(TaskBase&) noexcept override {
      if (watch.needed_ == 0 || --watch.needed_ > 0) return;
      if (!watch.chain_ || watch.chain_->state != Chain::State::waiting || watch.chain_->waiting != &watch) return;
      watch.leave();
      watch.chain_->woken();
    }
    TasksWait& watch;
  };

  std::size_t needed_;
  Nanoseconds timeout_;
  std::vector<Owner<Watched>> watched_;
};

template <class T>
Coro<Waited<T>> wait_some(std::vector<Task<T>> tasks, bool all, Nanoseconds timeout) {
  if (tasks.empty() && !all) throw InvalidState("wait_any of no tasks would never end");
  std::size_t pending = 0;
  for (const Task<T>& task : tasks) {
    check_observable(task.handle().get());
    pending += !task.handle().state()->has_ended();
  }
  if (all ? pending > 0 : pending == tasks.size()) {
    TasksWait watch(all ? pending : 1, timeout);
    watch.reserve(pending);
    for (const Task<T>& task : tasks) {
      if (!task.handle().state()->has_ended()) watch.add(*task.handle().state());
    }
    co_await watch;
  }
  Waited<T> waited;
  for (Task<T>& task : tasks)
    (task.handle().state()->has_ended() ? waited.done : waited.pending).push_back(std::move(task));
  co_return waited;
}

/// Returns the tasks as a vector: of their common type if they have one, else of `Task<>`.
template <class T, class... Ts>
auto same_tasks(const Task<T>& first, const Task<Ts>&... rest) {
  using Common = std::conditional_t<(std::is_same_v<T, Ts> && ...), Task<T>, Task<>>;
  std::vector<Common> tasks;
  tasks.reserve(1 + sizeof...(rest));
  tasks.push_back(first);
  (tasks.push_back(rest), ...);
  return tasks;
}

}  // namespace detail

template <class T>
class Completions<T>::State {
 public:
  explicit State(std::vector<Task<T>> tasks) : left_(tasks.size()), tasks_(std::move(tasks)) {}
  ~State() {
    while (!ended_.empty()) ended_.pop_front();
  }

  /// Called by each `next`. The first call begins to observe the tasks.
  void begin() {
    if (tasks_.empty()) return;
    for (const Task<T>& task : tasks_) detail::check_observable(task.handle().get());
    watched_.reserve(tasks_.size());
    for (const Task<T>& task : tasks_) watched_.push_back(detail::Owner(new Watched(*this, task)));
    tasks_.clear();
    for (const auto& watched : watched_) {
      detail::TaskBase& task = *watched->task.handle().state();
      if (task.has_ended()) {
        ended_.push_back(*watched);
      } else {
        task.awaiters.push_back(*watched);
      }
    }
  }
  /// Returns true if `next` need not wait, because a task has ended or none is left.
  bool is_ready() const noexcept { return !ended_.empty() || left_ == 0; }
  std::optional<Task<T>> take() noexcept {
    if (ended_.empty()) return std::nullopt;
    --left_;
    return std::move(static_cast<Watched&>(ended_.pop_front()).task);
  }
  /// Called if a wait has taken a task and cannot give it to its awaiter: another `next` gets it.
  void give_back(Task<T> task) noexcept {
    for (const auto& watched : watched_) {
      if (watched->task) continue;
      watched->task = std::move(task);
      ended_.push_front(*watched);
      ++left_;
      give();
      return;
    }
  }

  detail::WaitList waiters;

 private:
  struct Watched final : detail::Follower, detail::Pooled {
    Watched(State& its_state, Task<T> its_task) noexcept : state(its_state), task(std::move(its_task)) {}
    void task_ended(detail::TaskBase&) noexcept override {
      state.ended_.push_back(*this);
      state.give();
    }
    State& state;
    Task<T> task;
  };

  /// Gives each ended task to the next waiter. When no task is left to give, the waiters that remain get an empty
  /// optional.
  void give() noexcept {
    while (!waiters.empty() && is_ready()) {
      auto& next = waiters.template first<typename Next::Wait>();
      next.task_ = take();
      waiters.hand_over(next);
    }
  }

  std::size_t left_;  // how many tasks have not been given yet
  std::vector<Task<T>> tasks_;
  detail::List ended_;
  std::vector<detail::Owner<Watched>> watched_;
};

template <class T>
class [[nodiscard("co_await it")]] Completions<T>::Next {
 public:
  explicit Next(State& state) noexcept : state_(state) {}

  class Wait : public detail::Waiter {
   public:
    Wait(State& state, detail::Chain& chain) noexcept : Waiter(detail::Kind::tasks, chain), state_(state) {}
    ~Wait() {
      leave();
      if (task_ && ending != detail::Ending::broken) state_.give_back(std::move(*task_));
    }

    bool await_ready() {
      chain_->check_earlier_awaits();
      state_.begin();
      if (!state_.is_ready()) return false;
      task_ = state_.take();
      state_.waiters.keep(*this);
      return true;
    }
    void await_suspend(std::coroutine_handle<>) { suspend(state_.waiters.list()); }
    std::optional<Task<T>> await_resume() {
      resumed();
      return std::exchange(task_, std::nullopt);
    }

   private:
    friend State;

    State& state_;
    std::optional<Task<T>> task_;
  };
  /// For the library's own use: makes the wait of a `co_await`.
  Wait awaited_by(detail::Chain& chain) const noexcept { return Wait(state_, chain); }

 private:
  State& state_;
};

template <class T>
Completions<T>::Completions(std::vector<Task<T>> tasks) : state_(new State(std::move(tasks))) {}

template <class T>
typename Completions<T>::Next Completions<T>::next() noexcept {
  return Next(*state_);
}

template <class T>
Completions<T> as_completed(std::vector<Task<T>> tasks) {
  return Completions<T>(std::move(tasks));
}

template <class T>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks) {
  return detail::wait_some(std::move(tasks), false, detail::Nanoseconds::max());
}
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout) {
  return detail::wait_some(std::move(tasks), false, detail::to_nanoseconds(timeout));
}
template <class H, class... Hs>
  requires(detail::is_task_handle<std::remove_cvref_t<H>> && (detail::is_task_handle<std::remove_cvref_t<Hs>> && ...))
auto wait_any(H&& first, Hs&&... rest) {
  (detail::check_named<H>(), (detail::check_named<Hs>(), ...));
  return errand::wait_any(detail::same_tasks(first, rest...));
}

template <class T>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks) {
  return detail::wait_some(std::move(tasks), true, detail::Nanoseconds::max());
}
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout) {
  return detail::wait_some(std::move(tasks), true, detail::to_nanoseconds(timeout));
}
template <class... Hs>
  requires(detail::is_task_handle<std::remove_cvref_t<Hs>> && ...)
auto wait_all(Hs&&... tasks) {
  (detail::check_named<Hs>(), ...);
  if constexpr (sizeof...(Hs) == 0) {
    return errand::wait_all(std::vector<Task<>>());
  } else {
    return errand::wait_all(detail::same_tasks(tasks...));
  }
}

#if ERRAND_DEFINES

ERRAND_ONCE void detail::check_observable(const TaskBase& task) {
  if (task.loop != this_thread().loop) raise<InvalidState>({"task '", task.name(), "' belongs to another App"});
  if (task.is_running()) raise<InvalidState>({"task '", task.name(), "' awaits itself"});
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
