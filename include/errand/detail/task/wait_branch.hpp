// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/task/branch.hpp>
#include <errand/task.hpp>

namespace errand::detail {

/// The type that a callable without arguments returns if it is called as a variable.
template <class F>
using CallResult = std::invoke_result_t<std::decay_t<F>&>;

/// A callable without arguments that returns a Coro.
template <class F>
concept GivesCoro = !LibraryAwaitable<F> && std::is_invocable_v<std::decay_t<F>&> &&
                    is_coro<std::remove_cvref_t<CallResult<F>>> && !std::is_lvalue_reference_v<CallResult<F>>;

template <class A>
struct BranchResultOf {};
template <GivesCoro F>
struct BranchResultOf<F> {
  using type = typename std::remove_cvref_t<CallResult<F>>::value_type;
};
template <LibraryAwaitable A>
struct BranchResultOf<A> {
  using type = Awaited<A>;
};
template <LibraryAwaitable A>
  requires(!is_task_handle<std::remove_cvref_t<A>> && !is_coro<std::remove_cvref_t<A>> &&
           std::is_lvalue_reference_v<Awaited<A>> && std::is_const_v<std::remove_reference_t<Awaited<A>>>)
struct BranchResultOf<A> {
  using type = std::remove_cvref_t<Awaited<A>>;
};
template <LibraryAwaitable A>
  requires(is_task_handle<std::remove_cvref_t<A>> || is_coro<std::remove_cvref_t<A>>)
struct BranchResultOf<A> {
  using type = typename std::remove_cvref_t<A>::value_type;
};

/// The type of the result that an argument of a combinator gives: the result of the Coro or the Task, or the type that
/// `co_await` gives for any other awaitable of the library. A `const T&` of such an awaitable becomes a copy, a `T`.
template <class A>
using BranchResult = typename BranchResultOf<A>::type;

/// An argument that a combinator takes: a Coro, which then belongs to the combinator, a Task, which it only observes,
/// or another awaitable of the library, which stands for a Coro of its result. Or a callable without arguments that
/// returns a Coro: the combinator calls it when it is about to begin that Coro.
template <class A>
concept Branchable = LibraryAwaitable<A> || GivesCoro<A>;

/// An awaitable whose wait can be a branch by itself, without a coroutine that awaits it.
template <class A>
concept WaitsAlone =
    LibraryAwaitable<A> && !is_task_handle<std::remove_cvref_t<A>> && std::derived_from<Awaiter<A>, Suspension>;

/// An argument of a combinator that waits without a coroutine. `A` is a reference if the awaitable stays where it is.
template <class A>
struct WaitWork {
  A awaitable;
};

/// A branch that is a wait and has no coroutine. It takes the result as soon as the wait has ended, as a coroutine
/// would. If it `is_raced`, it takes the result only when the race goes on with this branch: until then, an item or a
/// permit that was handed to the wait can still be given back.
template <class A, bool is_raced>
class WaitBranch final : public ResultBranch<BranchResult<A>> {
  static_assert(keeps_alignment<A>, "the alignment of an awaitable may not be above the default one");
  using T = BranchResult<A>;
  using Wait = Awaiter<A>;
  using State = Chain::State;

 public:
  explicit WaitBranch(WaitWork<A>& work) : awaitable_(static_cast<A&&>(work.awaitable)) {
    this->flags |= Chain::has_work | (is_raced ? Chain::tells_when_woken : 0);
    this->BranchBase::is_raced = is_raced;
  }
  ~WaitBranch() { destroyed(); }

  T take() {
    if constexpr (is_raced) {
      if (!this->has_error()) return static_cast<T>(wait_.await_resume());
    }
    return ResultBranch<T>::take();
  }

 private:
  /// Called by the loop for the first step, and again when the wait has ended. There is never a coroutine to resume.
  bool begin() noexcept override {
    this->step = Step::first;
    if (this->state == State::created) {
      look();
    } else {
      wait_.settle();
      end_wait();
    }
    return false;
  }
  void coroutine_ended() noexcept override {}
  void destroyed() noexcept override {
    if (std::exchange(has_wait_, false)) std::destroy_at(std::addressof(wait_));
  }

  /// The first step. Ends the branch at once if there is nothing to wait for. A race looks at all its waits before one
  /// of them begins, because a wait can change what another one sees: a `get` lets in the item of a `put`.
  ERRAND_NOINLINE void look() noexcept {
    const bool may_begin = this->combinator->may_begin(*this);
    this->state = State::running;
    if (!may_begin) {
      this->cancel(this->combinator->not_begun(*this));
      return this->tell_combinator();
    }
    try {
      ::new (static_cast<void*>(std::addressof(wait_))) Wait(detail::awaiter_of(static_cast<A&&>(awaitable_), *this));
      has_wait_ = true;
      if (wait_.await_ready()) return end_ready();
    } catch (...) {
      return end_failed();
    }
    if (suspends_at_once()) return suspend();
    wait_.begin();
    is_looked_at_ = true;
    if (!this->next_is_wait) this->combinator->wait_all();
  }
  void wait() noexcept override {
    if (!std::exchange(is_looked_at_, false) || this->state != State::waiting) return;
    this->state = State::running;
    try {
      if (wait_.await_ready()) return end_ready();
    } catch (...) {
      return end_failed();
    }
    suspend();
  }
  /// Returns true if the wait begins in the first step, without a look at the other waits of a race.
  bool suspends_at_once() const noexcept { return !is_raced || this->is_asked(); }
  /// Returns true if the result, or the error, is taken as soon as the wait has ended.
  bool takes_at_once() const noexcept { return !is_raced || wait_.ending != Ending::reached; }
  /// Ends the branch, because its wait need not wait.
  void end_ready() noexcept {
    if constexpr (is_raced && requires { wait_.keep(); }) wait_.keep();
    end_wait();
  }
  void suspend() noexcept {
    try {
      wait_.await_suspend(std::coroutine_handle<>());
    } catch (...) {
      return end_failed();
    }
    if (this->state == State::running) end_wait();
  }
  /// Ends the branch, because its wait has ended.
  void end_wait() noexcept {
    if (wait_.is_interrupted()) {
      this->cancel(wait_.take_request());
      destroyed();  // because those who wait behind it may go on only then
    } else if (takes_at_once()) {
      try {
        take_without_waiting();
      } catch (...) {
        return end_failed();
      }
    }
    this->tell_combinator();
  }
  void take_without_waiting() {
    if constexpr (std::is_void_v<T>) {
      wait_.await_resume();
      this->storage_.set_value();
    } else if constexpr (std::is_lvalue_reference_v<T>) {
      this->storage_.set_value(std::addressof(wait_.await_resume()));
    } else {
      this->storage_.set_value(wait_.await_resume());
    }
    this->status = TaskStatus::succeeded;
  }
  ERRAND_COLD void end_failed() noexcept {
    this->state = State::running;
    if (handling<Cancelled>()) {
      this->storage_.set_error(std::current_exception());
      this->status = TaskStatus::cancelled;
    } else {
      this->fail(std::current_exception());
    }
    this->tell_combinator();
  }

  A awaitable_;
  union {
    Wait wait_;
  };
  bool has_wait_ = false;
  bool is_looked_at_ = false;  // it was looked at, and does not stand in a list yet
};

/// `co_await ThisChain()` gives the chain of the coroutine that awaits it. It does not suspend.
class ThisChain : public OwnAwaitable {
 public:
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiting) noexcept {
    chain_ = awaiting.promise().chain;
    return false;
  }
  Chain& await_resume() const noexcept { return *chain_; }

 private:
  Chain* chain_ = nullptr;
};

/// Observes a task in a branch: gives the result of the task, which runs on if the branch ends first. Notes in the
/// branch if the task was cancelled, because the `TaskCancelled` that comes out is then no failure to be reported.
template <class T>
Coro<T> observe(Task<T> task) {
  Chain& chain = co_await ThisChain();
  co_await TaskEnd(task.handle(), &chain);
  static_cast<BranchBase&>(chain).observed_cancelled = task.cancelled();
  co_return co_await std::move(task);
}
// Coros that await another awaitable, for `as_work`. It stands in the caller's frame, and is awaited by its name
// (`await_there`) or as an rvalue (`take_there`); or it was moved into the frame of the Coro (`await_here`).

template <class A>
Coro<BranchResult<A&>> await_there(A& awaitable) {
  co_return co_await awaitable;
}
template <class A>
Coro<BranchResult<A>> take_there(A& awaitable) {
  co_return co_await std::move(awaitable);
}
template <class A>
Coro<BranchResult<A>> await_here(A awaitable) {
  static_assert(keeps_alignment<A>, "the alignment of an awaitable may not be above the default one");
  co_return co_await std::move(awaitable);
}

/// Calls a callable, and awaits the Coro that it returns. The callable stands in this frame, because the coroutine of a
/// lambda uses the captures of the lambda object. If this never begins, the callable is destroyed and was not called.
template <class F>
Coro<BranchResult<F>> call_here(F callable) {
  check_alignment<F>();
  co_return co_await std::invoke(callable);
}

/// Makes of an argument, or of an element of a vector, what the combinator keeps until it begins: a Coro, or a
/// `WaitWork`.
template <class A>
auto as_work(A&& awaitable) {
  using Plain = std::remove_cvref_t<A>;
  constexpr bool is_named = std::is_lvalue_reference_v<A> && !(MadeAtAwait<A> && std::is_copy_constructible_v<Plain>);
  if constexpr (is_coro<Plain>) {
    return Plain(std::forward<A>(awaitable));
  } else if constexpr (is_task_handle<Plain>) {
    return detail::observe(Task<typename Plain::value_type>(std::forward<A>(awaitable)));
  } else if constexpr (GivesCoro<A>) {
    return detail::call_here<std::decay_t<A>>(std::forward<A>(awaitable));
  } else if constexpr (is_named && WaitsAlone<A>) {
    return WaitWork<A>{awaitable};
  } else if constexpr (is_named) {
    return detail::await_there(awaitable);
  } else if constexpr (!std::is_move_constructible_v<Plain>) {
    return detail::take_there<Plain>(awaitable);
  } else if constexpr (WaitsAlone<Plain>) {
    return WaitWork<Plain>{std::forward<A>(awaitable)};
  } else {
    return detail::await_here<Plain>(std::forward<A>(awaitable));
  }
}
/// The type that `as_work` makes of this argument.
template <class A>
using WorkOf = decltype(detail::as_work(std::declval<A>()));

/// Like `as_work`, for an argument of a function that is meant to be awaited: does not compile if the compiler would
/// destroy the argument twice.
template <class A>
auto take_argument(A&& argument) {
  if constexpr (is_task_handle<std::remove_cvref_t<A>>) {
    check_named<A>();
  } else if constexpr (GivesCoro<A>) {
    check_awaited_callable<A>();
    static_assert(std::is_constructible_v<std::decay_t<A>, A>,
                  "this callable cannot be copied: std::move it into the call");
  }
  return detail::as_work(std::forward<A>(argument));
}

/// The branch that a combinator makes of such work, and the type of its result. `looks` is true if a race looks at the
/// branch before it waits.
template <class W, bool is_raced = false>
struct BranchFor;
template <class T, bool is_raced>
struct BranchFor<Coro<T>, is_raced> {
  using type = Branch<T>;
  using Result = T;
  static constexpr bool looks = false;
};
template <class A, bool is_raced>
struct BranchFor<WaitWork<A>, is_raced> {
  using type = WaitBranch<A, is_raced>;
  using Result = BranchResult<A>;
  static constexpr bool looks = is_raced;
};
template <class W, bool is_raced = false>
using BranchOf = typename BranchFor<W, is_raced>::type;
template <class W>
using ResultOf = typename BranchFor<W>::Result;

/// Takes the value of a branch as an element of a container: `void` becomes a `std::monostate`, a reference becomes a
/// `std::reference_wrapper`.
template <class B>
auto take_element(B& branch) {
  if constexpr (std::is_void_v<decltype(branch.take())>) {
    branch.take();
    return std::monostate();
  } else {
    using T = decltype(branch.take());
    return typename Outcome<T>::value_type(branch.take());
  }
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
