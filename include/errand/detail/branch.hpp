// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <exception>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/outcome.hpp>
#include <errand/task.hpp>

namespace errand::detail {

/// A branch, and how it ended. Its frame goes as soon as it has.
template <class T>
class Branch final : public BranchBase {
 public:
  explicit Branch(Coro<T> coro) {
    if (!coro) throw_empty_coro();
    leaf = coro.release()->begin_chain(storage_);
  }
  std::exception_ptr error() const noexcept override { return has_error() ? storage_.error : nullptr; }

  Branch(Branch&&) = delete;
  ~Branch() {
    if (state == State::created && leaf) leaf.destroy();
    if (has_error()) storage_.destroy_error();
    if (status == TaskStatus::succeeded) storage_.destroy_value();
  }

  /// The value of a branch that has ended. Throws what it ended with otherwise.
  T take() {
    if (has_error()) std::rethrow_exception(storage_.error);
    if constexpr (std::is_reference_v<T>) {
      return storage_.get();
    } else if constexpr (!std::is_void_v<T>) {
      return T(std::move(storage_.value));
    }
  }
  /// The same, to stand in a container: a reference as a `std::reference_wrapper`, `void` as a `std::monostate`.
  typename Outcome<T>::value_type take_element() {
    if constexpr (std::is_void_v<T>) {
      take();
      return {};
    } else {
      return take();
    }
  }
  /// How it ended, whatever that is.
  Outcome<T> outcome() {
    if (has_error()) return Outcome<T>(storage_.error, status == TaskStatus::cancelled || observed_cancelled);
    return Outcome<T>(std::in_place, take_element());
  }

 private:
  bool begin() noexcept override {
    state = State::ended;
    std::exchange(leaf, nullptr).destroy();
    storage_.set_error(std::make_exception_ptr(Cancelled(take_request())));
    status = TaskStatus::cancelled;
    owner->ended(*this);
    return false;
  }
  void ended() noexcept override { owner->ended(*this); }

  bool has_error() const noexcept { return status == TaskStatus::failed || status == TaskStatus::cancelled; }

  Storage<T> storage_;
};

template <class A>
struct BranchResultOf {};
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
  requires is_task_handle<std::remove_cvref_t<A>>
struct BranchResultOf<A> {
  using type = typename std::remove_cvref_t<A>::value_type;
};

/// What an argument of a combinator gives: that of a Coro or a Task, or of any other awaitable of the library.
template <class A>
using BranchResult = typename BranchResultOf<A>::type;

/// What a combinator takes: a Coro, which becomes its own, a Task, which it only observes, or another awaitable of the
/// library, which stands for a Coro of its result.
template <class A>
concept Branchable = LibraryAwaitable<A>;

/// Gives the chain of the coroutine that awaits it. Does not suspend.
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

/// Only observes the task, and notes where it was cancelled, which for its observer is an error.
template <class T>
Coro<T> observe(Task<T> task) {
  Chain& chain = co_await ThisChain();
  co_await TaskEnd(task.handle());
  static_cast<BranchBase&>(chain).observed_cancelled = task.cancelled();
  co_return co_await std::move(task);
}
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

/// A Coro that stands for an argument of a combinator.
template <class A>
Coro<BranchResult<A>> as_coro(A&& awaitable) {
  using Plain = std::remove_cvref_t<A>;
  if constexpr (is_coro<Plain>) {
    return std::forward<A>(awaitable);
  } else if constexpr (is_task_handle<Plain>) {
    return detail::observe(Task<typename Plain::value_type>(std::forward<A>(awaitable)));
  } else if constexpr (std::is_lvalue_reference_v<A> && !(MadeAtAwait<A> && std::is_copy_constructible_v<Plain>)) {
    return detail::await_there(awaitable);
  } else if constexpr (!std::is_move_constructible_v<Plain>) {
    return detail::take_there<Plain>(awaitable);
  } else {
    return detail::await_here<Plain>(std::forward<A>(awaitable));
  }
}

}  // namespace errand::detail

namespace errand::detail {

/// Reports an error of a branch that comes out nowhere, under the name of its task: at the end of the step where a
/// branch has just ended, else at once. That an observed task was cancelled is no failure.
inline void report_branch_later(BranchBase& branch) noexcept {
  if (branch.observed_cancelled) return;
  branch.loop->report_later(static_cast<TaskBase&>(branch.root()), branch.error());
}
inline void report_branch(Chain& chain, std::exception_ptr error) noexcept {
  chain.loop->host->report(&static_cast<TaskBase&>(chain.root()), std::move(error));
}
inline void report_branch(BranchBase& branch) noexcept {
  if (!branch.observed_cancelled) report_branch(branch, branch.error());
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
