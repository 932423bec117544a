// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/task/task_state.hpp>

namespace errand::detail {

/// The type that a callable returns. The callable is called with the App if it takes one, else without arguments.
template <class F>
struct WorkResult {
  static_assert(std::is_invocable_v<F&, App&> || std::is_invocable_v<F&>,
                "add_task takes a Coro, a Task, or a callable f(App&) or f(); "
                "bind other arguments in a lambda, or call "
                "the coroutine function and pass the Coro");
  using type = void;
};
template <class F>
  requires std::is_invocable_v<F&, App&>
struct WorkResult<F> {
  using type = std::invoke_result_t<F&, App&>;
};
template <class F>
  requires(!std::is_invocable_v<F&, App&> && std::is_invocable_v<F&>)
struct WorkResult<F> {
  using type = std::invoke_result_t<F&>;
};
/// The type of the result of a task whose callable returns an `R`. If `R` is a Coro, it is the result of the Coro. Any
/// other awaitable is refused, because nobody would await it.
template <class R>
struct TaskResult {
  static_assert(GivesNoAwaitable<R>,
                "this callable returns an awaitable that is no Coro, and "
                "nobody would await it: return a Coro that does");
  using type = std::remove_cv_t<R>;
};
template <class R>
  requires std::is_rvalue_reference_v<R>
struct TaskResult<R> : TaskResult<std::remove_cvref_t<R>> {};
template <class T>
struct TaskResult<Coro<T>> {
  using type = T;
};
template <class T>
struct TaskResult<Coro<T>&&> {
  using type = T;
};

/// Calls the callable of a task.
template <class F>
decltype(auto) call_work(F& work, App& app) {
  if constexpr (std::is_invocable_v<F&, App&>) {
    return std::invoke(work, app);
  } else {
    return std::invoke(work);
  }
}

/// A task made from a callable. The first step of the task calls the callable. The callable lives as long as the
/// coroutine that it returns, because the coroutine of a lambda uses the captures of the lambda object.
template <class T, class F>
class CallableTask final : public TaskState<T> {
  static_assert(keeps_alignment<F>,
                "the alignment of a callable, which is that of its captures, may not be above the default one: keep "
                "such data in a std::unique_ptr");

 public:
  template <class G>
  CallableTask(Loop& its_loop, G&& callable) : TaskState<T>(its_loop) {
    std::construct_at(std::addressof(work_), std::forward<G>(callable));
    this->flags |= Chain::has_work;
    this->step = Step::first;
  }

  TaskBase* copy_for(Loop& other) const override {
    if constexpr (std::is_copy_constructible_v<F>) {
      return new CallableTask(other, work_);
    } else {
      return nullptr;
    }
  }

  /// Called before the first step. Returns true if the callable has returned a Coro, which is to be run now. If not,
  /// the task has ended: with the value or the exception of the callable, or because it was asked to end.
  bool begin() noexcept override {
    if (this->flags & Chain::asked) return TaskBase::begin();
    this->state = Chain::State::running;
    try {
      using R = typename WorkResult<F>::type;
      if constexpr (is_coro<std::remove_cvref_t<R>>) {
        std::remove_cvref_t<R> coro = detail::call_work(work_, *this->loop->app);
        if (!coro) raise<InvalidState>({"the callable of task '", this->name(), "' returned an empty Coro"});
        coro.get()->check_frame();
        this->adopt(*coro.release());
        return true;
      } else if constexpr (std::is_void_v<R>) {
        detail::call_work(work_, *this->loop->app);
        this->succeed();
      } else if constexpr (std::is_lvalue_reference_v<R>) {
        this->succeed(std::addressof(detail::call_work(work_, *this->loop->app)));
      } else {
        this->succeed(detail::call_work(work_, *this->loop->app));
      }
    } catch (...) {
      this->fail(std::current_exception(), handling<Cancelled>());
    }
    this->state = Chain::State::ended;
    this->coroutine_ended();
    return false;
  }

 private:
  ~CallableTask() {}  // never called, but the union needs one
  void dispose() noexcept override { this->template dispose_of<sizeof(CallableTask)>(); }
  void destroy_work() noexcept override {
    if (this->flags & Chain::has_work) std::destroy_at(std::addressof(work_));
    this->flags &= static_cast<std::uint8_t>(~Chain::has_work);
  }

  union {
    F work_;
  };
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
