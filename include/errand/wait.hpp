// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/detail/owner.hpp>
#include <errand/event.hpp>
#include <errand/generator.hpp>
#include <errand/task.hpp>

namespace errand {

/// Which tasks were done, and which were not, when the awaiter of `wait_any` or `wait_all` resumed; in the order given.
template <class T>
struct Waited {
  std::vector<Task<T>> done;     ///< in the order given
  std::vector<Task<T>> pending;  ///< likewise
};

/// Waits until one of the tasks is done. It only observes them: whatever happens, they go on; a failed or cancelled one
/// is done like any other, and its error is for who looks. Tasks of different results give `Waited<void>`.
///
/// Throws `InvalidState` for no task at all, for an empty handle, and for tasks of another App; `Cancelled` where the
/// caller is asked to end.
///
///     auto [done, pending] = co_await errand::wait_any(a, b);
template <class T, class... Ts>
auto wait_any(const Task<T>& first, const Task<Ts>&... rest);
/// The same of a vector.
template <class T>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks);
/// No longer than `timeout`; nothing need be done then.
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout);

/// The same until all of the tasks are done; returns at once where there is none.
template <class... Ts>
auto wait_all(const Task<Ts>&... tasks);
/// The same of a vector.
template <class T>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks);
/// No longer than `timeout`.
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout);

/// Gives the tasks in the order in which they end, each when it is done. Cancelling who asks leaves them running. The
/// first `next` throws `InvalidState` for an empty handle, and for tasks of another App.
///
///     auto done = errand::as_completed(tasks);
///     while (auto task = co_await done.next()) show(co_await *task);
template <class T>
AsyncGenerator<Task<T>> as_completed(std::vector<Task<T>> tasks);

// Implementation

namespace detail {

/// Throws where the running task cannot wait for this one.
inline void check_observable(const TaskBase& task) {
  if (task.loop != this_thread().loop) raise<InvalidState>({"task '", task.name(), "' belongs to another App"});
  if (task.is_running()) raise<InvalidState>({"task '", task.name(), "' awaits itself"});
}

/// Waits until so many tasks have ended, or a deadline has come.
class Watch : public TimedWait {
 public:
  Watch(std::size_t needed, Nanoseconds timeout) noexcept
      : TimedWait(Kind::tasks), needed_(needed), timeout_(timeout) {}

  /// A task that is pending.
  void add(TaskBase& task) {
    Watched& watched = *watched_.emplace_back(Owner(new Watched(*this)));
    task.awaiters.push_back(watched);
  }
  void reserve(std::size_t count) { watched_.reserve(count); }

  bool await_ready() const noexcept { return needed_ == 0; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiting) {
    chain_ = awaiting.promise().chain;
    if (timeout_ <= Nanoseconds::zero()) return chain_->yield();
    if (timeout_ == Nanoseconds::max()) return suspend(awaiting.promise());
    const Clock::time_point until = chain_->loop->deadline(timeout_);
    return needed_ > 0 && suspend_until(until);  // a clock of the user's may have ended what it waits for
  }
  void await_resume() { resumed(); }

 private:
  struct Watched final : Observer, Pooled {
    explicit Watched(Watch& its_watch) noexcept : watch(its_watch) {}
    void task_ended(TaskBase&) noexcept override {
      if (watch.needed_ == 0 || --watch.needed_ > 0) return;
      if (!watch.chain_ || watch.chain_->state != Chain::State::waiting) return;
      watch.leave();
      watch.chain_->woken();
    }
    Watch& watch;
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
    Watch watch(all ? pending : 1, timeout);
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

/// The tasks as a vector: of their common type where they have one, else of `Task<>`.
template <class T, class... Ts>
auto same_tasks(const Task<T>& first, const Task<Ts>&... rest) {
  using Common = std::conditional_t<(std::is_same_v<T, Ts> && ...), Task<T>, Task<>>;
  std::vector<Common> tasks;
  tasks.reserve(1 + sizeof...(rest));
  tasks.push_back(first);
  (tasks.push_back(rest), ...);
  return tasks;
}

/// Tasks in the order in which they end.
template <class T>
class Completions {
 public:
  explicit Completions(std::vector<Task<T>> tasks) {
    watched_.reserve(tasks.size());
    for (Task<T>& task : tasks) {
      TaskBase& state = task.handle().get();
      check_observable(state);
      Watched& watched = *watched_.emplace_back(Owner(new Watched(*this, std::move(task))));
      if (state.has_ended()) {
        ended_.push_back(watched);
      } else {
        state.awaiters.push_back(watched);
      }
    }
  }
  ~Completions() {
    while (!ended_.empty()) ended_.pop_front();
  }
  Completions(const Completions&) = delete;

  std::size_t size() const noexcept { return watched_.size(); }
  bool empty() const noexcept { return ended_.empty(); }
  Task<T> pop() noexcept { return std::move(static_cast<Watched&>(ended_.pop_front()).task); }

  Event changed;

 private:
  struct Watched final : Observer, Pooled {
    Watched(Completions& its_completions, Task<T> its_task) noexcept
        : completions(its_completions), task(std::move(its_task)) {}
    void task_ended(TaskBase&) noexcept override {
      completions.ended_.push_back(*this);
      completions.changed.set();
    }
    Completions& completions;
    Task<T> task;
  };

  List ended_;
  std::vector<Owner<Watched>> watched_;
};

}  // namespace detail

template <class T>
AsyncGenerator<Task<T>> as_completed(std::vector<Task<T>> tasks) {
  detail::Completions<T> completions(std::move(tasks));
  for (std::size_t i = 0; i < completions.size(); ++i) {
    while (completions.empty()) {
      completions.changed.clear();
      co_await completions.changed.wait();
    }
    co_yield completions.pop();
  }
}

template <class T>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks) {
  return detail::wait_some(std::move(tasks), false, detail::Nanoseconds::max());
}
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_any(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout) {
  return detail::wait_some(std::move(tasks), false, detail::to_nanoseconds(timeout));
}
template <class T, class... Ts>
auto wait_any(const Task<T>& first, const Task<Ts>&... rest) {
  return wait_any(detail::same_tasks(first, rest...));
}

template <class T>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks) {
  return detail::wait_some(std::move(tasks), true, detail::Nanoseconds::max());
}
template <class T, class Rep, class Period>
Coro<Waited<T>> wait_all(std::vector<Task<T>> tasks, std::chrono::duration<Rep, Period> timeout) {
  return detail::wait_some(std::move(tasks), true, detail::to_nanoseconds(timeout));
}
template <class... Ts>
auto wait_all(const Task<Ts>&... tasks) {
  if constexpr (sizeof...(Ts) == 0) {
    return wait_all(std::vector<Task<>>());
  } else {
    return wait_all(detail::same_tasks(tasks...));
  }
}

}  // namespace errand
