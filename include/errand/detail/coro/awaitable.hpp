// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include <errand/detail/base/storage.hpp>
#include <errand/detail/coro/destruction.hpp>

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

/// The wait for what an `operator co_await` of the user's has made, and which the wait may refer to.
template <class Made>
class MadeAwaiter;

/// What `co_await` in this chain makes of what an `operator co_await` gave, which `give` returns.
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

/// What `co_await` in this chain makes of an awaitable. An `operator co_await` of the user's may give one of the
/// library.
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

/// Refuses the task of a callable that GCC up to 12 destroys twice where it is given on within an awaited expression.
template <class A>
constexpr void check_named() noexcept {
  static_assert(is_task<std::remove_cvref_t<A>> || std::is_lvalue_reference_v<A>,
                "this compiler destroys a callable twice that is created inside an awaited expression (GCC 98401): "
                "name the task first, auto task = app.add_task(...); and await or pass that");
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
