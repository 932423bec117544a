// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <memory>
#include <type_traits>
#include <utility>

#include <errand/task.hpp>

namespace errand::detail {

/// How `add_task` treats work that it is given as `Work`, a reference type: the type of the result, the type of the
/// handle that it returns, and how the task is made. This one is for callables.
template <class Work>
struct WorkTraits {
  using Callable = std::decay_t<Work>;
  using Value = typename TaskResult<typename WorkResult<Callable>::type>::type;
  static_assert(Result<Value>,
                "a task's result must be void, an lvalue reference, or an "
                "object type that can be moved");
  using Handle = std::conditional_t<is_safe_in_await<Work>, Task<Value>, TaskToName<Value>>;

  static TaskState<Value>* make(Loop& loop, Work&& work) {
    static_assert(std::is_constructible_v<Callable, Work>,
                  "this callable cannot be copied: std::move it into add_task");
    return new CallableTask<Value, Callable>(loop, std::forward<Work>(work));
  }
};
/// For a Coro that is moved in.
template <class T>
struct WorkTraits<Coro<T>&&> {
  using Value = T;
  using Handle = Task<T>;

  static TaskState<T>* make(Loop& loop, Coro<T>&& coro) {
    if (!coro) throw_empty_coro();
    coro.get()->check_frame();
    return new TaskState<T>(loop, *coro.release());
  }
};
/// For a Coro that is not moved in, which does not compile.
template <class Work>
  requires is_coro<std::remove_cvref_t<Work>> && (!std::is_same_v<Work, std::remove_cvref_t<Work> &&>)
struct WorkTraits<Work> {
  static_assert(!is_coro<std::remove_cvref_t<Work>>, "a Coro runs once: write add_task(std::move(coro))");
  using Value = typename std::remove_cvref_t<Work>::value_type;
  using Handle = Task<Value>;
};
/// For a task, which `add_task` only registers under a further name.
template <class Work>
  requires is_task_handle<std::remove_cvref_t<Work>>
struct WorkTraits<Work> {
  using Value = typename std::remove_cvref_t<Work>::value_type;
  using Handle = Task<Value>;
};

/// Gives a new task its id, and appends it to the pending tasks of the loop.
inline void enter_task(Loop& loop, TaskBase& task) noexcept {
  task.identity.take_id(loop.ids);
  task.join(loop.pending);
}

/// Enters a new task, which begins with copies of the `TaskLocal`s of the running task. While they are copied, code of
/// the user's cannot reach the new task. Throws what a copy throws, and `std::bad_alloc`: the task has ended unrun
/// then.
void enter_task_with_locals(Loop& loop, TaskBase& task);

/// Enters a new task that `make_task` has made.
void enter_made_task(Loop& loop, TaskBase& task);

/// Makes a task of this work, which is not queued yet: see `queue_task`. Throws `std::bad_alloc`, and what the copy or
/// the move of a callable, or the copy of a `TaskLocal`, throws; there is no task then.
template <class Work>
inline TaskState<typename WorkTraits<Work&&>::Value>& make_task(Loop& loop, Work&& work) {
  auto* task = WorkTraits<Work&&>::make(loop, std::forward<Work>(work));
  detail::enter_made_task(loop, *task);
  return *task;
}

/// Makes a task of a coroutine in this memory, and queues it.
template <class T>
ERRAND_INLINE TaskBase& start_coroutine_at(void* place, Loop& loop, Promise<T>& promise) noexcept {
  TaskState<T>& task = *std::construct_at(static_cast<TaskState<T>*>(place), loop, promise);
  detail::enter_task(loop, task);
  loop.make_ready(task);
  return task;
}
/// Makes the task in a new block of memory, because this thread has kept no block of that size.
template <class T>
ERRAND_NOINLINE TaskBase& start_coroutine_in_new_block(Loop& loop, Promise<T>& promise) {
  return detail::start_coroutine_at(allocate_from_slab(sizeof(TaskState<T>)), loop, promise);
}
template <class T>
TaskBase& start_coroutine(Loop& loop, Promise<T>& promise);
/// Corrects the frame, which GCC has laid out wrongly, and then starts the coroutine.
template <class T>
ERRAND_NOINLINE TaskBase& start_skewed_coroutine(Loop& loop, Promise<T>& promise) {
  promise.correct_frame();
  return start_coroutine(loop, promise);
}
/// Makes a task of a coroutine, and queues it. Throws `std::bad_alloc`; the coroutine stays the caller's then.
template <class T>
ERRAND_NOINLINE TaskBase& start_coroutine(Loop& loop, Promise<T>& promise) {
  if (promise.has_skewed_frame()) [[unlikely]]
    return start_skewed_coroutine(loop, promise);
  void* const kept = allocate_kept(sizeof(TaskState<T>));
  return kept ? detail::start_coroutine_at(kept, loop, promise) : detail::start_coroutine_in_new_block(loop, promise);
}
/// Makes a task of this work, and queues it. Called by `add_task` for work without a name after the start.
template <class Work>
inline TaskBase& start_work(Loop& loop, Work&& work) {
  TaskBase& task = detail::make_task(loop, std::forward<Work>(work));
  loop.make_ready(task);
  return task;
}
template <class T>
inline TaskBase& start_work(Loop& loop, Coro<T>&& coro) {
  if (!coro) throw_empty_coro();
  TaskBase& task = detail::start_coroutine(loop, *coro.get());
  coro.release();
  return task;
}

/// Queues a task that `make_task` has made. If the run of the App is over, or the App is being destroyed, the task ends
/// without having run.
inline void queue_task(TaskBase& task) noexcept {
  task.announce();
  if (task.loop->closing) {
    task.abort_if_pending();
  } else if (!task.done()) {  // code of the user's may have aborted it since it was made
    task.loop->make_ready(static_cast<Chain&>(task));
  }
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_NOINLINE ERRAND_ONCE void enter_task_with_locals(Loop& loop, TaskBase& task) {
  bool has_entered = false;
  try {
    Owner<TaskLocals> locals;
    if (loop.current) locals = static_cast<const TaskBase&>(loop.current->root()).copy_locals();
    detail::enter_task(loop, task);
    has_entered = true;
    if (locals) task.make_extras().locals = std::move(locals);
  } catch (...) {
    if (!has_entered) detail::enter_task(loop, task);
    task.abort_if_pending();
    throw;
  }
}

ERRAND_NOINLINE ERRAND_ONCE void enter_made_task(Loop& loop, TaskBase& task) {
  if (loop.has_locals) [[unlikely]]
    return detail::enter_task_with_locals(loop, task);
  detail::enter_task(loop, task);
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
