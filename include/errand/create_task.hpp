// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string>
#include <utility>

#include <errand/detail/task/spawn.hpp>

namespace errand {

/// The task that work becomes: `Task<T>` for a `Coro<T>`, or for a callable `f(App&)` or `f()` that gives a `Coro<T>`
/// or a plain `T`. Some compilers need it to be given a name before it is awaited; it is a class derived from `Task<T>`
/// then.
template <class Work>
using TaskOf = typename detail::WorkTraits<Work>::Handle;

/// Starts work in the background, on `App::current()`, without registering it: like `App::add_task`, but the name is
/// only for people. The App owns the task and ends it with the rest; the handle need not be kept.
///
/// Throws `InvalidState` outside an App, and `std::bad_alloc`; the work is destroyed unrun then.
template <class Work>
TaskOf<Work&&> create_task(Work&& work, std::string name = {});

/// Runs a Coro as a task of its own, which goes on when the awaiter is cancelled: `create_task`, under the name that
/// users of asyncio look for.
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
  detail::start_task(task);
  return handle;
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
