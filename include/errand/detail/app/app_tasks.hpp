// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/app.hpp>  // NOLINT(misc-header-include-cycle): it includes this header at its end

#if ERRAND_DEFINES
#include <errand/detail/app/engine.hpp>
#include <errand/detail/task/drain.hpp>
#endif

namespace errand {

// Implementation: the members of App that add its tasks and find them again.

template <class Work>
ERRAND_INLINE TaskOf<Work&&> App::add_task(Work&& work) {
  detail::Loop& loop = *loop_;
  loop.check_thread();
  if constexpr (!detail::is_task_handle<std::remove_cvref_t<Work>>) {
    if (loop.takes_short_way) [[likely]]
      return TaskOf<Work&&>{detail::TaskHandle(detail::start_work(loop, std::forward<Work>(work)))};
  }
  return add_any(std::forward<Work>(work), {}, NameTaken::fail);
}

template <class Work>
TaskOf<Work&&> App::add_task(Work&& work, std::string name, NameTaken taken) {
  loop_->check_thread();
  return add_any(std::forward<Work>(work), name, taken);
}

/// Called by `add_task` if there is a name, if the work is a task already, if the App has not started yet or is ending,
/// or if a task has set a `TaskLocal`.
template <class Work>
ERRAND_NOINLINE TaskOf<Work&&> App::add_any(Work&& work, std::string_view name, NameTaken taken) {
  using T = typename detail::WorkTraits<Work&&>::Value;
  using Handle = TaskOf<Work&&>;
  if constexpr (detail::is_task_handle<std::remove_cvref_t<Work>>) {
    detail::TaskBase& task = work.handle().get();
    if (task.loop != loop_) detail::raise<InvalidState>({"task '", task.name(), "' belongs to another App"});
    if (name.empty()) return Handle(work.handle());
    if (detail::TaskBase* kept = check_name(name, taken, &task)) return Handle(detail::typed_handle<T>(*kept, name));
    register_task(task, name, taken);
    return Handle(work.handle());
  } else {
    if (detail::TaskBase* kept = check_name(name, taken, nullptr)) return Handle(detail::typed_handle<T>(*kept, name));
    return Handle(add_new(std::forward<Work>(work), name, taken));
  }
}

/// Makes a task of new work. `check_name` has allowed the name.
template <class Work>
detail::TaskHandle App::add_new(Work&& work, std::string_view name, NameTaken taken) {
  const std::uint64_t before = names_added();
  detail::TaskBase& task = detail::make_task(*loop_, std::forward<Work>(work));
  const detail::TaskHandle handle(task);
  register_and_start(task, name, taken, names_added() != before);
  return handle;
}

template <class T>
Task<T> App::get_task(std::string_view name) const {
  loop_->check_thread();
  detail::TaskBase* task = find_registered(name);
  if (!task) throw TaskNotFound(std::string(name));
  return Task<T>(detail::typed_handle<T>(*task, name));
}

template <class T>
Task<T> App::find_task(std::string_view name) const {
  loop_->check_thread();
  detail::TaskBase* task = find_registered(name);
  return task ? Task<T>(detail::typed_handle<T>(*task, name)) : Task<T>();
}

#if ERRAND_DEFINES

ERRAND_ONCE detail::TaskBase* App::find_registered(std::string_view name) const noexcept {
  return engine_->registry.find(name);
}

ERRAND_ONCE std::uint64_t App::names_added() const noexcept { return engine_->registry.added(); }

/// Registers a new task, and starts it or keeps it for the start of the run. `check_again` is true if the copy or the
/// move of the callable has registered a name (see `Registry::added`). Then the name is checked again. Because the new
/// task is made already, `keep` cannot give the other task any more, and counts as `fail`.
ERRAND_NOINLINE ERRAND_ONCE void App::register_and_start(detail::TaskBase& task, std::string_view name, NameTaken taken,
                                                         bool check_again) {
  const bool before_start = !loop_->open && !loop_->closing;
  try {
    if (before_start) {
      engine_->life.listeners.add(Phase::before_server_start, *new detail::StartTask(detail::TaskHandle(task)));
    }
    if (!name.empty()) {  // last, so that nobody has lost the name if this throws
      if (check_again) check_name(name, taken == NameTaken::keep ? NameTaken::fail : taken, nullptr);
      register_task(task, name, taken);
    }
  } catch (...) {
    task.abort_if_pending();
    throw;
  }
  if (before_start) {
    task.announce();
  } else {
    detail::queue_task(task);
  }
}

ERRAND_NOINLINE ERRAND_ONCE detail::TaskBase* App::check_name(std::string_view name, NameTaken taken,
                                                              const detail::TaskBase* wanted) const {
  detail::TaskBase* old = name.empty() ? nullptr : engine_->registry.find(name);
  if (!old || old->done()) return nullptr;
  if (taken == NameTaken::keep || old == wanted) return old;
  if (taken == NameTaken::fail) detail::throw_name_in_use(name);
  return nullptr;
}

ERRAND_NOINLINE ERRAND_ONCE void App::register_task(detail::TaskBase& task, std::string_view name, NameTaken taken) {
  const detail::TaskHandle old = engine_->registry.add(name, task);
  if (old.state() && taken == NameTaken::cancel) old.state()->cancel({});
}

ERRAND_ONCE CancelTask App::cancel_task(std::string_view name, std::string_view reason) {
  loop_->check_thread();
  detail::TaskBase* task = engine_->registry.find(name);
  if (!task) throw TaskNotFound(std::string(name));
  return CancelTask::ask(*task, reason);
}

ERRAND_COLD ERRAND_ONCE std::size_t App::purge_tasks() {
  loop_->check_thread();
  return engine_->registry.purge();
}

ERRAND_COLD ERRAND_ONCE std::vector<Task<>> App::tasks() const {
  loop_->check_thread();
  return engine_->registry.tasks();
}

ERRAND_COLD ERRAND_ONCE std::vector<Task<>> App::all_tasks() const {
  loop_->check_thread();
  std::vector<Task<>> all;
  for (detail::Link* link = loop_->pending.begin(); link != loop_->pending.end(); link = link->next) {
    all.push_back(Task<>(detail::TaskHandle(detail::task_of(*link))));
  }
  return all;
}

ERRAND_COLD ERRAND_ONCE Coro<std::size_t> App::shutdown_all(detail::LoopRef of, std::chrono::nanoseconds timeout) {
  detail::Loop& loop = of.get();
  loop.check();
  if (detail::this_thread().loop != &loop) throw InvalidState("shutdown_tasks is for a task of the App itself");
  auto* caller = &static_cast<detail::TaskBase&>(loop.current->root());
  constexpr std::chrono::nanoseconds least(1);
  detail::Limit limit(loop, loop.deadline(timeout < least ? least : timeout));
  bool in_time = true;
  while (in_time && detail::ask_all(loop, caller)) {
    in_time = co_await detail::Limited<detail::Drained>(limit, loop, caller);
  }
  std::size_t left = 0;
  for (detail::Link* link = loop.pending.begin(); link != loop.pending.end(); link = link->next) {
    left += &detail::task_of(*link) != caller;
  }
  co_return left;
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
