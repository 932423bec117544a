// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/base/pool.hpp>
#include <errand/detail/base/storage.hpp>
#include <errand/detail/coro/awaitable.hpp>
#include <errand/detail/loop/call.hpp>
#include <errand/detail/loop/loop.hpp>

namespace errand::detail {

/// A callable that the loop calls once, outside any task. It is reference-counted: the library has one reference until
/// the call was made or dropped, and each `CallHandle` has one.
class Callback : public Call, public Pooled {
 public:
  enum class State : std::uint8_t { pending, done, cancelled };

  explicit Callback(Loop& its_loop) noexcept : loop(&its_loop) {}

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }

  /// Makes `App::run` wait for this callback, until it was called or cancelled. Also keeps the loop: called for a
  /// callback that gets handles, because a handle may outlive the App and asks the loop if the thread is the right one.
  void count() noexcept {
    counted_ = true;
    ++loop->calls;
    loop->retain();
  }

  /// Calls the callable, and destroys it. Reports its exception.
  void run() noexcept final {
    end(State::done);
    std::exception_ptr error;
    try {
      invoke();
    } catch (...) {
      error = std::current_exception();
    }
    destroy();
    if (error) loop->host->report(nullptr, std::move(error));
    release();
  }
  /// Destroys the callable, which is never called.
  void drop() noexcept final {
    end(State::cancelled);
    destroy();
    release();
  }
  /// Returns false, and does nothing, if the callback was called, is being called, or was cancelled before.
  bool cancel() noexcept {
    if (state != State::pending) return false;
    if (linked()) loop->take_out(*this);
    if (armed()) loop->timers.disarm(*this);
    drop();
    return true;
  }

  State state = State::pending;
  Loop* const loop;

 protected:
  virtual ~Callback() {
    if (counted_) loop->release();
  }
  virtual void invoke() = 0;
  /// Destroys the callable.
  virtual void destroy() noexcept = 0;

 private:
  void end(State how) noexcept {
    state = how;
    if (!counted_) return;
    --loop->calls;
    loop->counts.callbacks += how == State::done;
  }

  bool counted_ = false;
  std::uint32_t references_ = 1;
};

/// A callback with its callable. The derived class calls it, with its arguments.
template <class F>
class CallbackOf : public Callback {
 public:
  template <class G>
  CallbackOf(Loop& its_loop, G&& f) : Callback(its_loop) {
    std::construct_at(std::addressof(callable_), std::forward<G>(f));
  }

 protected:
  ~CallbackOf() override {}
  void destroy() noexcept override { std::destroy_at(std::addressof(callable_)); }
  F& callable() noexcept { return callable_; }

 private:
  union {
    F callable_;
  };
};

/// A callback without arguments.
template <class F>
class PlainCallback final : public CallbackOf<F> {
 public:
  using CallbackOf<F>::CallbackOf;

 private:
  void invoke() override { this->callable()(); }
};

template <class R>
concept GivesNoAwaitable = std::is_void_v<R> || (!is_coro<std::remove_cvref_t<R>> && !Awaitable<R>);

/// Does not compile for a callable that returns a coroutine or an awaitable, because the loop could only drop it.
template <class F, class... Args>
constexpr void check_callback() noexcept {
  check_alignment<F>();
  static_assert(std::is_invocable_v<F&, Args...>, "this callback cannot be called with what it would be given");
  if constexpr (std::is_invocable_v<F&, Args...>) {
    using R = std::invoke_result_t<F&, Args...>;
    static_assert(GivesNoAwaitable<R> || is_task<std::remove_cvref_t<R>>,
                  "a callback is a plain function, and this one returns a "
                  "coroutine or an awaitable: use add_task");
  }
}

}  // namespace errand::detail

namespace errand {

/// A handle to a callback, as `App::call_later` returns it. It can be copied, and is empty by default. If the handle is
/// destroyed, the callback still runs.
class CallHandle {
 public:
  CallHandle() noexcept = default;
  /// Refers to the same callback.
  CallHandle(const CallHandle& other) noexcept : callback_(other.callback_) {
    if (callback_) callback_->retain();
  }
  /// Refers to the same callback; `other` is empty afterwards.
  CallHandle(CallHandle&& other) noexcept : callback_(std::exchange(other.callback_, nullptr)) {}
  /// Refers to the same callback. The callback that it referred to before still runs.
  CallHandle& operator=(const CallHandle& other) noexcept { return *this = CallHandle(other); }
  /// Refers to the same callback; `other` is empty afterwards. The callback that this referred to before still runs.
  CallHandle& operator=(CallHandle&& other) noexcept {
    CallHandle taken(std::move(other));
    std::swap(callback_, taken.callback_);
    return *this;
  }
  ~CallHandle() {
    if (callback_) callback_->release();
  }

  /// Cancels the callback: it never runs, even if it is already due, and its callable is destroyed. Returns false, and
  /// does nothing, if the callback has run, is running, or was cancelled before, and for an empty handle. Throws
  /// `WrongThread` if another thread is inside the App.
  bool cancel() {
    if (!callback_) return false;
    callback_->loop->check_thread();
    return callback_->cancel();
  }
  /// Returns true if the callback was cancelled, or if its App ended before it ran; false for an empty handle. Throws
  /// `WrongThread` if another thread is inside the App.
  bool cancelled() const {
    if (!callback_) return false;
    callback_->loop->check_thread();
    return callback_->state == detail::Callback::State::cancelled;
  }

  /// For the library's own use: a handle to this callback.
  explicit CallHandle(detail::Callback& callback) noexcept : callback_(&callback) { callback.retain(); }

 private:
  detail::Callback* callback_ = nullptr;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
