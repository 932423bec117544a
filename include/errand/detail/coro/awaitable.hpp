// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include <errand/detail/base/storage.hpp>
#include <errand/detail/coro/destruction.hpp>
#include <errand/detail/coro/wait_list.hpp>

namespace errand {
template <class T>
class Coro;
template <class T>
class Task;
}  // namespace errand

namespace errand::detail {

/// An awaitable of the library that makes a wait for each await: `awaited_by` returns the wait.
template <class A>
concept MadeAtAwait = requires(A&& awaitable, Chain& chain) { static_cast<A&&>(awaitable).awaited_by(chain); };

/// The wait for an awaitable that an `operator co_await` of the user's has returned by value. Keeps the awaitable,
/// because the wait may refer to it.
template <class Made>
class MadeAwaiter;

/// Returns the awaiter for an awaitable that an `operator co_await` has returned. `give` calls that operator.
template <class Give>
decltype(auto) awaiter_of_given(Give give, Chain& chain) {
  using Given = decltype(give());
  if constexpr (!MadeAtAwait<Given>) {
    return give();
  } else if constexpr (std::is_reference_v<Given>) {
    return give().awaited_by(chain);
  } else {
    return MadeAwaiter<Given>(give, chain);
  }
}

/// Returns the awaiter that `co_await` in this chain uses for an awaitable. An `operator co_await` of the user's may
/// return an awaitable of the library.
template <class A>
decltype(auto) awaiter_of(A&& awaitable, Chain& chain) {
  if constexpr (MadeAtAwait<A>) {
    return static_cast<A&&>(awaitable).awaited_by(chain);
  } else if constexpr (requires { static_cast<A&&>(awaitable).operator co_await(); }) {
    return detail::awaiter_of_given([&]() -> decltype(auto) { return static_cast<A&&>(awaitable).operator co_await(); },
                                    chain);
  } else if constexpr (requires { operator co_await(static_cast<A&&>(awaitable)); }) {
    return detail::awaiter_of_given([&]() -> decltype(auto) { return operator co_await(static_cast<A&&>(awaitable)); },
                                    chain);
  } else {
    return static_cast<A&&>(awaitable);
  }
}

template <class A>
using Awaiter = decltype(detail::awaiter_of(std::declval<A>(), std::declval<Chain&>()));

template <class Made>
class MadeAwaiter : public OwnAwaitable {
 public:
  template <class Give>
  MadeAwaiter(Give& give, Chain& chain) : made_(give()), wait_(static_cast<Made&&>(made_).awaited_by(chain)) {}
  MadeAwaiter(const MadeAwaiter&) = delete;

  bool await_ready() { return wait_.await_ready(); }
  template <class P>
  auto await_suspend(std::coroutine_handle<P> awaiting) {
    return wait_.await_suspend(awaiting);
  }
  decltype(auto) await_resume() { return wait_.await_resume(); }

 private:
  Made made_;
  Awaiter<Made> wait_;
};

/// The awaitable that a member function of a primitive returns. Each `co_await` of it makes a `Wait` for the primitive.
/// It refers to the primitive, which must still exist when it is awaited.
template <class Wait, class Of>
class [[nodiscard("co_await it")]] WaitOn {
 public:
  WaitOn(Of& of) noexcept : of_(of) {}  // NOLINT(google-explicit-constructor)
  Wait awaited_by(Chain& chain) const noexcept { return Wait(of_, chain); }

 private:
  Of& of_;
};

/// An awaitable of the library: its awaiter is marked as an `OwnAwaitable`, and is awaited directly.
template <class A>
concept LibraryAwaitable = std::derived_from<std::remove_cvref_t<Awaiter<A>>, OwnAwaitable>;

/// An awaitable that is not the library's. Its `await_suspend` must take a handle of any coroutine.
template <class A>
concept ForeignAwaitable =
    !LibraryAwaitable<A> && requires(std::remove_reference_t<Awaiter<A>>& awaiter, std::coroutine_handle<> handle) {
      { awaiter.await_ready() } -> std::convertible_to<bool>;
      awaiter.await_suspend(handle);
      awaiter.await_resume();
    };

template <class A>
concept Awaitable = LibraryAwaitable<A> || ForeignAwaitable<A>;

/// The type of the result of `co_await`.
template <class A>
using Awaited = decltype(std::declval<std::remove_reference_t<Awaiter<A>>&>().await_resume());

template <class>
inline constexpr bool is_coro = false;
template <class T>
inline constexpr bool is_coro<Coro<T>> = true;

/// True if a callable, given as `F&` or `F&&`, may be created inside an awaited expression.
template <class F>
inline constexpr bool is_safe_in_await = !frees_temporaries_twice || std::is_lvalue_reference_v<F> ||
                                         std::is_trivially_destructible_v<std::remove_cvref_t<F>>;

/// Does not compile for a callable that GCC up to 12 would destroy twice if it is created inside an awaited expression,
/// or whose alignment a frame does not keep.
template <class F>
constexpr void check_awaited_callable() noexcept {
  check_alignment<std::decay_t<F>>();
  static_assert(is_coro<std::remove_cvref_t<F>> || is_safe_in_await<F>,
                "this compiler destroys a callable twice that is created inside an awaited expression (GCC 98401): "
                "give it a name first, auto f = [...]{...}; and pass that");
}

template <class T>
class TaskToName;

template <class>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;

template <class A>
inline constexpr bool is_task_handle = is_task<A>;
template <class T>
inline constexpr bool is_task_handle<TaskToName<T>> = true;

/// Does not compile for the task of a callable, unless the task stands in a variable: GCC up to 12 would destroy the
/// callable twice if it is created inside an awaited expression.
template <class A>
constexpr void check_named() noexcept {
  static_assert(is_task<std::remove_cvref_t<A>> || std::is_lvalue_reference_v<A>,
                "this compiler destroys a callable twice that is created inside an awaited expression (GCC 98401): "
                "name the task first, auto task = app.add_task(...); and await or pass that");
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
