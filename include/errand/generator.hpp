// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include <errand/detail/coro/promise.hpp>
#include <errand/outcome.hpp>

namespace errand {

namespace detail {
template <class T>
class GeneratorPromise;
}

/// A coroutine that gives values one after the other, and may await in between. It starts with the first `next`, can be
/// moved but not copied, and runs inside the task that asks for the next value.
///
///     errand::AsyncGenerator<int> ticks(int n) {
///       for (int i = 0; i < n; ++i) {
///         co_await errand::sleep(1s);
///         co_yield i;
///       }
///     }
///     auto generator = ticks(3);
///     while (auto tick = co_await generator.next()) show(*tick);
///
/// If the generator is destroyed, its coroutine is destroyed too. If code inside the coroutine is running, the
/// coroutine is destroyed as soon as that code has suspended. If a task is waiting for the next value, its await throws
/// `InvalidState`. `AsyncGenerator<T&>` gives each reference as a `std::reference_wrapper`.
template <class T>
class [[nodiscard("a generator does nothing until next() is awaited")]] AsyncGenerator {
 public:
  /// For the compiler: the promise of the coroutine.
  using promise_type = detail::GeneratorPromise<T>;
  /// The type of the values: `next` returns a `std::optional` of it.
  using value_type = typename Outcome<T>::value_type;

  /// Makes an empty generator, which has no values.
  AsyncGenerator() noexcept = default;
  /// Takes the coroutine of `other`, which is empty afterwards.
  AsyncGenerator(AsyncGenerator&& other) noexcept { take(other); }
  /// Destroys the coroutine that was here, and takes the one of `other`, which is empty afterwards.
  AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
    AsyncGenerator old(std::move(*this));
    take(other);
    return *this;
  }
  ~AsyncGenerator() {
    if (promise_) promise_->drop();
  }

  class Next;
  /// Waits for the next value, and gives it as a `std::optional`, which is empty if there are no more values:
  /// `co_await generator.next()`. Throws any exception that leaves the coroutine, once: after it there are no more
  /// values. If the task is asked to end meanwhile, `Cancelled` is thrown inside the coroutine, as in any Coro. Throws
  /// `InvalidState` if another await of the next value has not ended, and if `Cancelled` has left the coroutine before.
  detail::WaitOn<Next, AsyncGenerator> next() noexcept { return *this; }

 private:
  friend promise_type;
  explicit AsyncGenerator(promise_type& promise) noexcept : promise_(&promise) { promise.object = &promise_; }
  void take(AsyncGenerator& other) noexcept {
    promise_ = std::exchange(other.promise_, nullptr);
    if (promise_) promise_->object = &promise_;
  }
  promise_type& promise() const noexcept { return static_cast<promise_type&>(*promise_); }

  detail::GeneratorBase* promise_ = nullptr;
};

// Implementation

namespace detail {

template <class T>
class GeneratorPromise final : public AwaitingPromise<GeneratorBase> {
 public:
  using Value = typename Outcome<T>::value_type;

  AsyncGenerator<T> get_return_object() noexcept {
    static_assert(alignof(std::optional<typename Outcome<T>::value_type>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                  "the alignment of a generator's values may not be above the default one: give a std::unique_ptr");
    return AsyncGenerator<T>(*this);
  }
  auto final_suspend() noexcept { return Pass{*this}; }
  template <class U = Value>
    requires ReturnableAs<U&&, Value>
  auto yield_value(U&& given) {
    asked_for->emplace(detail::returned<Value, U>(std::forward<U>(given)));
    return Pass{*this};
  }
  void return_void() noexcept { is_over = true; }
  void unhandled_exception() noexcept {
    next_await->error = std::current_exception();
    chain->fail(next_await->error);
    is_over = true;
    was_cancelled = handling<Cancelled>();
  }

  std::optional<Value>* asked_for = nullptr;  // the next value goes here; valid while an await waits for it
  bool is_over = false;
  bool was_cancelled = false;

 private:
  /// Hands control back to the coroutine that asked for the value.
  struct Pass {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {
      promise.next_await = nullptr;
      promise.return_to_parent();
    }
    void await_resume() const noexcept {}
    GeneratorPromise& promise;
  };
};

}  // namespace detail

template <class T>
class AsyncGenerator<T>::Next : public detail::OwnAwaitable, public detail::GeneratorBase::NextAwait {
 public:
  Next(AsyncGenerator& generator, detail::Chain& chain) noexcept : generator_(generator), chain_(chain) {}
  Next(const Next&) = delete;
  ~Next() {
    if (error) [[unlikely]]
      chain_.clear_failure(error);
  }

  bool await_ready() const {
    if (!generator_.promise_) return true;
    const promise_type& promise = generator_.promise();
    if (promise.next_await || promise.was_cancelled) chain_.check_earlier_awaits();
    if (promise.next_await) throw InvalidState("the next value of this generator is being waited for already");
    if (promise.was_cancelled) throw InvalidState("this generator was cancelled, and has no next value");
    return promise.is_over;
  }
  void await_suspend(std::coroutine_handle<>) {
    chain_.check_earlier_awaits();
    promise_type& promise = generator_.promise();
    promise.next_await = this;
    promise.asked_for = &value_;
    chain_.enter(promise);
  }
  std::optional<value_type> await_resume() {
    if (error) {
      chain_.clear_failure();
      std::rethrow_exception(std::exchange(error, nullptr));
    }
    return std::move(value_);
  }

 private:
  AsyncGenerator& generator_;
  detail::Chain& chain_;
  std::optional<value_type> value_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
