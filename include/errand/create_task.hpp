// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string>
#include <utility>

#include <errand/detail/task/spawn.hpp>

namespace errand {

/// The handle that `add_task` and `create_task` return for work of this type.
///
/// This is `Task<T>` if the work is a `Coro<T>`, or a callable `f(App&)` or `f()` that returns a `Coro<T>` or a plain
/// `T`. With GCC up to 12 it may be a class derived from `Task<T>`, which must get a name before it is awaited.
template <class Work>
using TaskOf = typename detail::WorkTraits<Work>::Handle;

/// Starts work in the background on `App::current()`, and returns a handle to the new task.
///
/// This is like `App::add_task`, but the task is not registered: the name is only for people. The App keeps the task
/// and ends it with the others, so you need not keep the handle.
///
/// Throws `InvalidState` if no App runs on this thread, and `std::bad_alloc`. The work is then destroyed without having
/// run.
template <class Work>
TaskOf<Work&&> create_task(Work&& work, std::string name = {});

/// Runs a Coro as a task of its own, which goes on if the awaiter is cancelled. This is `create_task` under the name
/// that users of asyncio look for.
///
///     co_await errand::shield(save(document));
template <class T>
Task<T> shield(Coro<T> coro) {
  return errand::create_task(std::move(coro));
}

// Implementation

template <class Work>
TaskOf<Work&&> create_task(Work&& work, std::string name) {
  static_assert(!detail::is_task_handle<std::remove_cvref_t<Work>>, "this is a task already");
  detail::Loop* loop = detail::this_thread().loop;
  if (!loop) throw InvalidState("no App runs on this thread");
  detail::TaskBase& task = detail::make_task(*loop, std::forward<Work>(work));
  TaskOf<Work&&> handle{detail::TaskHandle(task)};
  if (!name.empty()) {
    try {
      task.details().name = std::move(name);
    } catch (...) {
      task.abort_if_pending();
      throw;
    }
  }
  detail::queue_task(task);
  return handle;
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
