// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include <errand/detail/destruction.hpp>
#include <errand/detail/storage.hpp>

namespace errand {
template <class T>
class Coro;
template <class T>
class Task;
}  // namespace errand

namespace errand::detail {

/// An awaitable of the library that is not the wait: the wait is made for each await.
template <class A>
concept MadeAtAwait = requires(A&& awaitable, Chain& chain) { static_cast<A&&>(awaitable).awaited_by(chain); };

/// What `co_await` in this chain makes of an awaitable. An `operator co_await` of the user's may give one of the
/// library.
template <class A>
decltype(auto) awaiter_of(A&& awaitable, Chain& chain) {
  if constexpr (MadeAtAwait<A>) {
    return static_cast<A&&>(awaitable).awaited_by(chain);
  } else if constexpr (requires { static_cast<A&&>(awaitable).operator co_await(); }) {
    if constexpr (MadeAtAwait<decltype(static_cast<A&&>(awaitable).operator co_await())>) {
      return static_cast<A&&>(awaitable).operator co_await().awaited_by(chain);
    } else {
      return static_cast<A&&>(awaitable).operator co_await();
    }
  } else if constexpr (requires { operator co_await(static_cast<A&&>(awaitable)); }) {
    if constexpr (MadeAtAwait<decltype(operator co_await(static_cast<A&&>(awaitable)))>) {
      return operator co_await(static_cast<A&&>(awaitable)).awaited_by(chain);
    } else {
      return operator co_await(static_cast<A&&>(awaitable));
    }
  } else {
    return static_cast<A&&>(awaitable);
  }
}

template <class A>
using Awaiter = decltype(detail::awaiter_of(std::declval<A>(), std::declval<Chain&>()));

/// Something to be waited for, as a primitive gives it: the wait itself is made where it is awaited, as often as it is.
template <class Wait, class Of>
class [[nodiscard("co_await it")]] WaitOn {
 public:
  WaitOn(Of& of) noexcept : of_(of) {}  // NOLINT(google-explicit-constructor)
  Wait awaited_by(Chain& chain) const noexcept { return Wait(of_, chain); }

 private:
  Of& of_;
};

/// Something of the library's that may be awaited: its awaiter is marked, and needs no bridge.
template <class A>
concept LibraryAwaitable = std::derived_from<std::remove_cvref_t<Awaiter<A>>, OwnAwaitable>;

/// Something that may be awaited and is not the library's. It must take any coroutine.
template <class A>
concept ForeignAwaitable =
    !LibraryAwaitable<A> && requires(std::remove_reference_t<Awaiter<A>>& awaiter, std::coroutine_handle<> handle) {
      { awaiter.await_ready() } -> std::convertible_to<bool>;
      awaiter.await_suspend(handle);
      awaiter.await_resume();
    };

template <class A>
concept Awaitable = LibraryAwaitable<A> || ForeignAwaitable<A>;

/// What `co_await` gives.
template <class A>
using Awaited = decltype(std::declval<std::remove_reference_t<Awaiter<A>>&>().await_resume());

template <class>
inline constexpr bool is_coro = false;
template <class T>
inline constexpr bool is_coro<Coro<T>> = true;

/// Whether a callable, given as `F&` or `F&&`, can be created inside an awaited expression.
template <class F>
inline constexpr bool is_safe_in_await = !frees_temporaries_twice || std::is_lvalue_reference_v<F> ||
                                         std::is_trivially_destructible_v<std::remove_cvref_t<F>>;

/// Refuses one that GCC up to 12 destroys twice there, and one that its frame would not hold well.
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

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
