// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include <errand/detail/promise.hpp>
#include <errand/outcome.hpp>

namespace errand {

namespace detail {
template <class T>
class GeneratorPromise;
}

/// A coroutine that gives values one after the other, and may await in between. It is lazy, can be moved but not
/// copied, and runs inside the task that asks for the next value.
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
/// Dropping it destroys the coroutine where it stands, or, where that is just running, where it suspends next: an await
/// of the next value throws `InvalidState` then. A reference is given as a `std::reference_wrapper`.
template <class T>
class [[nodiscard("a generator does nothing until next() is awaited")]] AsyncGenerator {
 public:
  /// For the library.
  using promise_type = detail::GeneratorPromise<T>;
  /// What `next` gives an optional of.
  using value_type = typename Outcome<T>::value_type;

  AsyncGenerator() noexcept = default;
  /// The other one is empty afterwards.
  AsyncGenerator(AsyncGenerator&& other) noexcept { take(other); }
  /// Drops the coroutine that was here.
  AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
    AsyncGenerator old(std::move(*this));
    take(other);
    return *this;
  }
  ~AsyncGenerator() {
    if (promise_) promise_->drop();
  }

  class Next;
  /// `co_await generator.next()` gives the next value, and an empty optional when there is none any more. Throws what
  /// the coroutine throws, once; `Cancelled` goes through the coroutine as through any Coro; `InvalidState` where the
  /// next value is being waited for already.
  detail::WaitOn<Next, AsyncGenerator> next() noexcept { return *this; }

 private:
  friend promise_type;
  explicit AsyncGenerator(promise_type& promise) noexcept : promise_(&promise) { promise.owner = &promise_; }
  void take(AsyncGenerator& other) noexcept {
    promise_ = std::exchange(other.promise_, nullptr);
    if (promise_) promise_->owner = &promise_;
  }
  promise_type& promise() const noexcept { return static_cast<promise_type&>(*promise_); }

  detail::GeneratorBase* promise_ = nullptr;
};

// Implementation

namespace detail {

/// What a generator gives to the one who asked, where that one has it: the generator may go at any time.
template <class T>
struct GeneratedValue {
  std::optional<typename Outcome<T>::value_type> value;  // empty if there is none any more
  std::exception_ptr error;
};

template <class T>
class GeneratorPromise final : public AwaitingPromise<GeneratorBase> {
 public:

  AsyncGenerator<T> get_return_object() noexcept {
    static_assert(alignof(GeneratedValue<T>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                  "the alignment of a generator's values may not be above the default one: give a std::unique_ptr");
    return AsyncGenerator<T>(*this);
  }
  auto final_suspend() noexcept { return Pass(); }
  template <class U = T>
  auto yield_value(U&& given) {
    asked->value.emplace(std::forward<U>(given));
    return Pass();
  }
  void return_void() noexcept { is_over = true; }
  void unhandled_exception() noexcept {
    asked->error = std::current_exception();
    is_over = true;
  }

  GeneratedValue<T>* asked = nullptr;  // while somebody waits for the next value
  bool is_over = false;

 private:
  /// Hands control back to who asked.
  struct Pass {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<GeneratorPromise> self) const noexcept {
      self.promise().is_asked = false;
      self.promise().leave();
    }
    void await_resume() const noexcept {}
  };
};

}  // namespace detail

template <class T>
class AsyncGenerator<T>::Next : public detail::OwnAwaitable {
 public:
  explicit Next(AsyncGenerator& generator) noexcept : generator_(generator) {}

  bool await_ready() const {
    if (!generator_.promise_) return true;
    if (generator_.promise().is_asked)
      throw InvalidState("the next value of this generator is being waited for already");
    return generator_.promise().is_over;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) noexcept {
    chain_ = awaiting.promise().chain;
    promise_type& promise = generator_.promise();
    promise.asked = &given_;
    promise.is_asked = true;
    awaiting.promise().enter(promise);
  }
  std::optional<value_type> await_resume() {
    if (chain_) chain_->check_resumed();
    if (given_.error) std::rethrow_exception(std::exchange(given_.error, nullptr));
    return std::move(given_.value);
  }

 private:
  AsyncGenerator& generator_;  // until the await, during which it may be moved
  detail::Chain* chain_ = nullptr;
  detail::GeneratedValue<T> given_;
};

}  // namespace errand
