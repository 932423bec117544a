// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string>
#include <type_traits>
#include <utility>

#include <errand/detail/task/spawn.hpp>
#include <errand/detail/task/wait_branch.hpp>

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

/// Runs work as a task of its own, which goes on if the awaiter is cancelled, and returns its handle. This is
/// `create_task` under the name that users of asyncio look for.
///
/// The work is a Coro, a callable without arguments that returns one, or another awaitable of the library, which the
/// new task awaits. A Task is returned as it is, because an awaiter that is cancelled leaves it running anyway.
///
///     co_await errand::shield(save(document));
template <class Work>
  requires detail::Branchable<Work>
auto shield(Work&& work);

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

template <class Work>
  requires detail::Branchable<Work>
auto shield(Work&& work) {
  using Plain = std::remove_cvref_t<Work>;
  if constexpr (detail::is_task_handle<Plain>) {
    detail::check_named<Work>();
    return Task<typename Plain::value_type>(std::forward<Work>(work));
  } else if constexpr (detail::is_coro<Plain> || detail::GivesCoro<Work>) {
    return errand::create_task(std::forward<Work>(work));
  } else {
    static_assert(std::is_constructible_v<Plain, Work>, "the task must own what it awaits: std::move it into shield");
    return errand::create_task(detail::await_here<Plain>(std::forward<Work>(work)));
  }
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
