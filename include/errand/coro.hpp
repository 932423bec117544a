// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/coro/promise.hpp>

namespace errand {

/// A coroutine that has not started, as a coroutine function returns it. It can be moved but not copied, and runs once:
/// inside the task that awaits it, or as a task of its own if it is given to `App::add_task`.
///
/// `T` is the type of the result: `void`, a type that can be moved, or an lvalue reference.
///
///     errand::Coro<int> twice(int n) {
///       co_await errand::sleep(1s);
///       co_return 2 * n;
///     }
///     int n = co_await twice(21);
///
/// `co_await` starts the coroutine at once and returns its result. If the Coro stands in a variable, write
/// `co_await std::move(coro)`. Throws any exception that leaves the coroutine, or that the move of the result throws,
/// and `InvalidState` if the Coro is empty. The coroutine becomes a part of the task that awaits it: if the task is
/// asked to end, `Cancelled` is thrown out of the innermost await. A Coro may be made on any thread and then moved to
/// the App's thread.
///
/// If a Coro is destroyed before it has started, the coroutine and its arguments are destroyed, and no line of its body
/// runs. Coros that hold each other as arguments are destroyed in constant stack: from a depth of 32 on, the inner
/// Coros are destroyed after the outer ones.
///
/// The locals of a coroutine do not get an alignment above the default one, because compilers ignore it there.
template <class T = void>
class [[nodiscard("a Coro does nothing until it is awaited, or given to add_task")]] Coro {
  static_assert(detail::Result<T>,
                "a coroutine's result must be void, an lvalue reference, or an "
                "object type that can be moved");

 public:
  /// For the compiler: the promise of the coroutine.
  using promise_type = detail::Promise<T>;
  /// The type of the result.
  using value_type = T;

  /// Makes an empty Coro: an await of it throws `InvalidState`.
  Coro() noexcept = default;
  /// Takes the coroutine of `other`, which is empty afterwards.
  Coro(Coro&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
  /// Destroys the coroutine that was here, and takes the one of `other`, which is empty afterwards.
  Coro& operator=(Coro&& other) noexcept {
    Coro old(std::move(*this));
    promise_ = std::exchange(other.promise_, nullptr);
    return *this;
  }
  ~Coro() {
    if (promise_) [[unlikely]]
      promise_->drop();
  }

  /// Returns true if it holds a coroutine. False if it is empty by default, was moved from, was awaited, or was given
  /// to `add_task` or the like.
  explicit operator bool() const noexcept { return promise_ != nullptr; }

  class Awaiter;
  /// For the library's own use: the awaiter that `co_await` uses. Its await throws `InvalidState` if this is empty.
  Awaiter awaited_by(detail::Chain& chain) &&;

  /// For the library's own use: returns the coroutine, which stays here.
  promise_type* get() const noexcept { return promise_; }
  /// For the library's own use: returns the coroutine, which belongs to the caller from now on.
  promise_type* release() noexcept { return std::exchange(promise_, nullptr); }

 private:
  friend promise_type;
  explicit Coro(promise_type& promise) noexcept : promise_(&promise) {}

  promise_type* promise_ = nullptr;
};

// Implementation

/// The await of a Coro. From the await on, the coroutine belongs to the chain, which goes on with it, and destroys it
/// if it does not come to its end. At its end, the coroutine writes its result into this awaiter.
template <class T>
class Coro<T>::Awaiter : public detail::OwnAwaitable {
  using Has = typename detail::AwaitedResult<T>::Has;

 public:
  Awaiter(Coro& coro, detail::Chain& chain) noexcept : coro_(coro), chain_(chain) {}
  Awaiter(const Awaiter&) = delete;
  ~Awaiter() {
    if (must_destroy()) [[unlikely]]
      destroy();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) {
    chain_.check_earlier_awaits();
    promise_type* const promise = coro_.get();
    if (!promise) [[unlikely]]
      detail::throw_empty_coro();
    coro_.release();
    promise->result = &result_;
    chain_.enter(*promise);
  }
  T await_resume() {
    if (result_.has == Has::error) [[unlikely]]
      throw_error();
    if constexpr (is_value_noted) result_.has = Has::nothing;
    return result_.take();
  }

 private:
  static constexpr bool is_value_noted = !std::is_trivially_destructible_v<typename detail::Stored<T>::type>;

  /// Inlined into the coroutine that awaits, because each function that an exception passes costs thousands of
  /// instructions (W11).
  [[noreturn]] ERRAND_INLINE void throw_error() {
    chain_.clear_failure();
    result_.has = Has::nothing;
    result_.throw_error();
  }
  /// Returns true if the result is still here, because another part of the expression has thrown before `await_resume`.
  bool must_destroy() const noexcept {
    return is_value_noted ? result_.has != Has::nothing : result_.has == Has::error;
  }
  /// Destroys the result, or the error.
  ERRAND_NOINLINE void destroy() noexcept {
    if (result_.has == Has::value) {
      result_.destroy_value();
    } else {
      chain_.clear_failure(result_.error);
      result_.destroy_error();
    }
  }

  Coro& coro_;
  detail::Chain& chain_;
  detail::AwaitedResult<T> result_;
};

template <class T>
typename Coro<T>::Awaiter Coro<T>::awaited_by(detail::Chain& chain) && {
  return Awaiter(*this, chain);
}

namespace detail {

template <class T>
Coro<T> Promise<T>::get_return_object() noexcept {
  static_assert(keeps_alignment<T>,
                "the alignment of a coroutine's result may not be above the "
                "default one: return a std::unique_ptr");
  return Coro<T>(*this);
}

template <class T>
Coro<T&> Promise<T&>::get_return_object() noexcept {
  return Coro<T&>(*this);
}

inline Coro<void> Promise<void>::get_return_object() noexcept { return Coro<void>(*this); }

}  // namespace detail

}  // namespace errand

#include <errand/detail/epilogue.hpp>
