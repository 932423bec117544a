// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include <errand/detail/awaitable.hpp>
#include <errand/detail/bridge.hpp>
#include <errand/detail/pool.hpp>
#include <errand/detail/storage.hpp>

namespace errand::detail {

/// An awaiter that stands elsewhere. GCC up to 12 copies an awaiter that `await_transform` returns by reference.
template <class A>
class AwaiterRef {
 public:
  explicit AwaiterRef(A& awaiter) noexcept : awaiter_(awaiter) {}

  bool await_ready() noexcept(noexcept(std::declval<A&>().await_ready())) { return awaiter_.await_ready(); }
  template <class P>
  auto await_suspend(std::coroutine_handle<P> awaiting) {
    return awaiter_.await_suspend(awaiting);
  }
  decltype(auto) await_resume() { return awaiter_.await_resume(); }

 private:
  A& awaiter_;
};

/// A promise whose coroutine may await. The default arguments of `await_transform` note the place of each await.
template <class Base = PromiseBase>
struct AwaitingPromise : Base, Pooled {
  template <class A>
  auto await_transform(A&& awaitable, const char* at_file = __builtin_FILE(),
                       std::uint32_t at_line = __builtin_LINE()) {
    using Plain = std::remove_cvref_t<A>;
    static_assert(!(is_coro<Plain> && std::is_lvalue_reference_v<A>),
                  "a Coro runs once: write co_await std::move(coro)");
    static_assert(Awaitable<A> || is_coro<Plain>,
                  "this cannot be awaited: it is no Coro, no Task, no "
                  "awaitable of errand, and no awaitable whose "
                  "await_suspend takes a std::coroutine_handle<>");
    this->file = at_file;
    this->line = at_line;
    if constexpr (LibraryAwaitable<A>) {
      if constexpr (std::is_reference_v<Awaiter<A>> && std::is_trivially_copyable_v<Plain>) {
        return Plain(awaitable);
      } else if constexpr (std::is_reference_v<Awaiter<A>>) {
        return AwaiterRef<std::remove_reference_t<Awaiter<A>>>(awaitable);
      } else {
        return awaiter_of(static_cast<A&&>(awaitable));
      }
    } else if constexpr (ForeignAwaitable<A>) {
      return Bridged<A>(static_cast<A&&>(awaitable));
    }
  }
};

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> ended) const noexcept {
    ended.promise().leave();
  }
  void await_resume() const noexcept {}
};

/// How every Coro begins and ends.
struct CoroPromise : AwaitingPromise<> {
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept {
    set_error();
    is_cancelled = handling<Cancelled>();
  }
};

/// The promise without `return_value`, which the kinds of results do not share.
template <class T>
struct ResultPromise : CoroPromise {
  union {
    typename Stored<T>::type value;  // where `has_value`
  };

  ResultPromise() noexcept {}
  ~ResultPromise() { destroy_value(); }

  void unhandled_exception() noexcept {
    destroy_value();  // a local's destructor has thrown after co_return
    CoroPromise::unhandled_exception();
  }
  template <class... Args>
  void set_value(Args&&... args) {
    std::construct_at(std::addressof(value), std::forward<Args>(args)...);
    has_value = true;
  }

 private:
  void destroy_value() noexcept {
    if (std::exchange(has_value, false)) std::destroy_at(std::addressof(value));
  }
};

template <class T>
class Promise final : public ResultPromise<T> {
 public:
  Coro<T> get_return_object() noexcept;

  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& result) {
    this->set_value(std::forward<U>(result));
  }
};

template <class T>
class Promise<T&> final : public ResultPromise<T&> {
 public:
  Coro<T&> get_return_object() noexcept;
  void return_value(T& result) noexcept { this->set_value(&result); }
};

template <>
class Promise<void> final : public CoroPromise {
 public:
  Coro<void> get_return_object() noexcept;
  void return_void() noexcept { has_value = true; }
  void unhandled_exception() noexcept {
    has_value = false;
    CoroPromise::unhandled_exception();
  }
};

}  // namespace errand::detail
