// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <string>
#include <type_traits>
#include <utility>

#include <errand/detail/app/worker_copy.hpp>
#include <errand/task.hpp>

namespace errand::detail {

/// Work that a phase calls.
class Listener : public Link {
 public:
  explicit Listener(int its_priority) noexcept : priority(its_priority) {}
  /// Takes this listener out of its list.
  virtual ~Listener() {
    if (linked()) unlink();
  }
  /// Calls the listener. Returns the task that runs it, if it is a coroutine, which is to be awaited.
  virtual TaskHandle call(App& app, const char* phase) = 0;
  virtual WorkerCopy<Listener> copy() const = 0;

  const int priority;
};

/// Makes a task that the user does not see. Its first step is the next one that the loop makes.
template <class T>
ERRAND_COLD TaskHandle start_hidden(Loop& loop, Coro<T> coro, const char* name) {
  auto* task = new TaskState<T>(loop, *coro.release());
  task->is_special = true;  // so that its end is counted apart, also if there is no memory for its details
  task->join(loop.hidden);
  TaskHandle handle(task);
  try {
    task->details().name = std::string(name);
  } catch (...) {
    task->abort_if_pending();
    throw;
  }
  if (loop.closing) {
    task->abort_if_pending();
  } else {
    loop.run_next(*task);
  }
  return handle;
}

template <class F>
class ListenerOf final : public Listener {
  static_assert(keeps_alignment<F>,
                "the alignment of a listener, which is that of its captures, may not be above the default one: keep "
                "such data in a std::unique_ptr");

 public:
  template <class G>
  ListenerOf(G&& f, int its_priority) : Listener(its_priority), f_(std::forward<G>(f)) {}

  TaskHandle call(App& app, const char* phase) override {
    using R = typename WorkResult<F>::type;
    if constexpr (is_coro<std::remove_cvref_t<R>>) {
      return detail::start_hidden(*this_thread().loop, std::remove_cvref_t<R>(detail::call_work(f_, app)), phase);
    } else {
      detail::call_work(f_, app);
      return {};
    }
  }
  WorkerCopy<Listener> copy() const override { return detail::copy_for_worker<Listener, ListenerOf>(f_, priority); }

 private:
  F f_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
