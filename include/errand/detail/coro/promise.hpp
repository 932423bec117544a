// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/base/pool.hpp>
#include <errand/detail/base/storage.hpp>
#include <errand/detail/coro/awaitable.hpp>
#include <errand/detail/coro/bridge.hpp>

namespace errand::detail {

/// Refers to an awaiter that stands elsewhere. `await_transform` returns this instead of a reference to the awaiter,
/// because GCC up to 12 would copy the awaiter.
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

/// A promise whose coroutine may await. The default arguments note the file of the coroutine, and the line of each
/// await.
///
/// `await_transform` makes the wait from the awaitable. So every wait of the library stands in the frame that awaits
/// it, and is destroyed with that frame. Users can give a name to an awaitable, but not to a wait.
template <class Base = PromiseBase>
struct AwaitingPromise : Base, Pooled {
  std::suspend_always initial_suspend(const char* in_file = __builtin_FILE()) noexcept {
    this->file = in_file;
    return {};
  }

  template <class A>
  auto await_transform(A&& awaitable, std::uint32_t at_line = __builtin_LINE()) {
    using Plain = std::remove_cvref_t<A>;
    static_assert(!(is_coro<Plain> && std::is_lvalue_reference_v<A>),
                  "a Coro runs once: write co_await std::move(coro)");
    static_assert(Awaitable<A> || is_coro<Plain>,
                  "this cannot be awaited: it is no Coro, no Task, no "
                  "awaitable of errand, and no awaitable whose "
                  "await_suspend takes a std::coroutine_handle<>");
    this->line = at_line;
    if constexpr (LibraryAwaitable<A>) {
      if constexpr (!std::is_reference_v<Awaiter<A>>) {
        return detail::awaiter_of(static_cast<A&&>(awaitable), *this->chain);
      } else {
        return AwaiterRef<std::remove_reference_t<Awaiter<A>>>(awaitable);
      }
    } else if constexpr (ForeignAwaitable<A>) {
      return Bridged<A>(static_cast<A&&>(awaitable), *this->chain);
    }
  }
};

/// How every Coro begins and ends. Only `return_value` and `return_void` stand in the classes below, because they
/// differ between the kinds of results. A Coro writes its result directly to `result`. It does not suspend at its end,
/// so its frame is destroyed before any other coroutine runs.
template <class T>
struct CoroPromise : AwaitingPromise<> {
  Storage<T>* result;  // set when it starts; an `AwaitedResult` if it has a parent

  ~CoroPromise() { take_back(); }

  /// Makes this coroutine the outermost one of a chain, which keeps the result in `its_result`. `check_frame` must have
  /// been called before. Returns the handle that becomes the leaf of the chain.
  PromiseBase::Handle begin_chain(Storage<T>& its_result) noexcept {
    parent = nullptr;
    result = &its_result;
    return handle();
  }

  std::suspend_never final_suspend() noexcept {
    return_to_parent();
    if constexpr (has_to_take_back) {
      if (parent && status == TaskStatus::succeeded) {
        static_cast<AwaitedResult<T>*>(result)->has = AwaitedResult<T>::Has::value;
      }
      status = TaskStatus::pending;
    }
    return {};
  }
  ERRAND_NOINLINE void unhandled_exception() noexcept {
    take_back();
    result->set_error(std::current_exception());
    status = handling<Cancelled>() ? TaskStatus::cancelled : TaskStatus::failed;
    if (parent) {
      static_cast<AwaitedResult<T>*>(result)->has = AwaitedResult<T>::Has::error;
      chain->fail(result->error);
    } else {
      chain->ended_by_exception(status);
    }
  }
  template <class... Args>
  void succeed(Args&&... args) {
    take_back();
    result->set_value(std::forward<Args>(args)...);
    status = TaskStatus::succeeded;
  }

 private:
  static constexpr bool has_to_take_back = !std::is_trivially_destructible_v<typename Storage<T>::Value>;

  /// Destroys the value of a `co_return`, if there is one, because it is not the result: the destructor of a local has
  /// thrown after the `co_return`.
  void take_back() noexcept {
    if constexpr (has_to_take_back) {
      if (std::exchange(status, TaskStatus::pending) == TaskStatus::succeeded) result->destroy_value();
    }
  }
};

template <class T>
class Promise final : public CoroPromise<T> {
 public:
  Coro<T> get_return_object() noexcept;

  template <class U = T>
    requires ReturnableAs<U&&, T>
  void return_value(U&& value) {
    this->succeed(detail::returned<T, U>(std::forward<U>(value)));
  }
};

template <class T>
class Promise<T&> final : public CoroPromise<T&> {
 public:
  Coro<T&> get_return_object() noexcept;
  template <class U>
    requires ReturnableAsReference<U&&, T>
  void return_value(U&& value) {
    T& given = std::forward<U>(value);
    this->succeed(std::addressof(given));
  }
};

template <>
class Promise<void> final : public CoroPromise<void> {
 public:
  Coro<void> get_return_object() noexcept;
  void return_void() noexcept { succeed(); }
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
