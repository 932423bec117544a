// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/base/owner.hpp>
#include <errand/detail/base/storage.hpp>
#include <errand/detail/coro/awaitable.hpp>
#include <errand/detail/coro/remote.hpp>

namespace errand::detail {

/// What a foreign await gives, kept until the task takes it: an rvalue reference becomes a value.
template <class A>
using BridgeResult =
    std::conditional_t<std::is_rvalue_reference_v<Awaited<A>>, std::remove_cvref_t<Awaited<A>>, Awaited<A>>;

/// What is between a task that awaits an awaitable which is not the library's, and the coroutine in which that is
/// awaited. Each of the two is an owner of it, and may go first.
template <class T>
class BridgeState final : public RemoteWake {
 public:
  enum class Outcome { none, value, error };

  ~BridgeState() {
    if (outcome_ == Outcome::value) storage_.destroy_value();
    if (outcome_ == Outcome::error) storage_.destroy_error();
  }

  /// On the App's thread. True if the awaitable did not suspend.
  bool start(Loop& loop) {
    bind(loop);
    home_ = &this_thread();
    is_starting_ = true;
    frame_.resume();
    is_starting_ = false;
    return has_ended_at_once_;
  }
  bool has_failed() const noexcept { return outcome_ != Outcome::value; }
  /// Throws what the awaitable threw.
  [[noreturn]] ERRAND_COLD void throw_failure() const {
    if (outcome_ == Outcome::error) std::rethrow_exception(storage_.error);
    throw InvalidState("the coroutine that waited here was destroyed by a foreign loop");
  }
  /// What the awaitable gave.
  decltype(auto) get() { return storage_.get(); }

  // Of the coroutine
  void begin(std::coroutine_handle<> frame) noexcept { frame_ = frame; }
  template <class... Args>
  void set_value(Args&&... args) {
    storage_.set_value(std::forward<Args>(args)...);
    outcome_ = Outcome::value;
  }
  void set_error(std::exception_ptr error) noexcept {
    storage_.set_error(std::move(error));
    outcome_ = Outcome::error;
  }
  /// It has come to its end, but stays: what it gave may refer to what stands in it.
  void ended() noexcept {
    has_ended_ = true;
    wake();
  }
  /// It is being destroyed. If that is not done from here, a foreign loop does it, on whatever thread.
  void frame_goes() noexcept {
    if (!std::exchange(frame_, nullptr)) return;
    if (!std::exchange(has_ended_, true)) wake();
  }

 private:
  void wake() noexcept {
    if (&this_thread() == home_ && is_starting_) {
      has_ended_at_once_ = true;
      release();
    } else {
      post();
    }
  }
  void destroy() noexcept override {
    if (const auto frame = std::exchange(frame_, nullptr)) frame.destroy();
    delete this;
  }

  Storage<T> storage_;
  Outcome outcome_ = Outcome::none;
  std::coroutine_handle<> frame_ = nullptr;  // until it is being destroyed
  const ThreadState* home_ = nullptr;
  bool is_starting_ = false;
  bool has_ended_at_once_ = false;
  bool has_ended_ = false;
};

/// The coroutine in which an awaitable that is not the library's is awaited, with its awaiter. It refers to nothing of
/// the task, so that the task's frames can go at any time; it stays until the awaitable resumes it, on whatever thread,
/// and then posts the task's wake-up to the loop.
template <class T>
struct Bridge {
  class promise_type {
   public:
    template <class A>
    promise_type(BridgeState<T>& state, A&&) noexcept : state_(state) {
      state_.begin(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    promise_type(const promise_type&) = delete;
    promise_type& operator=(const promise_type&) = delete;
    ~promise_type() { state_.frame_goes(); }

    Bridge get_return_object() const noexcept { return {}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    auto final_suspend() const noexcept {
      struct Ended {
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> bridge) const noexcept {
          bridge.promise().state_.ended();
        }
        void await_resume() const noexcept {}
      };
      return Ended{};
    }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { state_.set_error(std::current_exception()); }

   private:
    BridgeState<T>& state_;
  };
};

template <class A, class T>
Bridge<T> bridge(BridgeState<T>& state, A awaitable) {
  if constexpr (std::is_void_v<T>) {
    co_await static_cast<A&&>(awaitable);
    state.set_value();
  } else if constexpr (std::is_lvalue_reference_v<T>) {
    state.set_value(std::addressof(co_await static_cast<A&&>(awaitable)));
  } else {
    state.set_value(co_await static_cast<A&&>(awaitable));
  }
}

/// The wait for an awaitable that is not the library's. `A` is a reference where it was an lvalue: that one stays where
/// it is.
template <class A>
class Bridged final : public OutsideWait {
  using T = BridgeResult<A&&>;
  static_assert(std::is_lvalue_reference_v<A> || std::is_move_constructible_v<A>,
                "this awaitable cannot be moved: give it a name, and await that");
  static_assert(keeps_alignment<A> && keeps_alignment<std::remove_cvref_t<Awaiter<A&&>>> && keeps_alignment<T>,
                "the alignment of an awaitable, its awaiter and its result may not be above the default one");

 public:
  Bridged(A&& awaitable, Chain& chain) : OutsideWait(Kind::foreign, chain) {
    Owner state(new BridgeState<T>);
    detail::bridge<A, T>(*state, static_cast<A&&>(awaitable));
    state_ = state.release();
  }
  ~Bridged() {
    if (!started_) state_->release();
    state_->detach();
  }

  /// Nobody knows how to take it back: a request is thrown when it resumes.
  bool give_up() noexcept override { return false; }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) {
    chain_->check_earlier_awaits();
    started_ = true;
    Loop& loop = *chain_->loop;
    if (state_->start(loop)) {
      if (has_failed()) throw_failure();
      return false;
    }
    if (!suspend()) return false;
    state_->attach(*this);
    return true;
  }
  bool has_failed() const noexcept override { return state_->has_failed(); }
  void throw_failure() override { state_->throw_failure(); }
  T await_resume() {
    resumed();
    if constexpr (std::is_void_v<T> || std::is_lvalue_reference_v<T>) {
      return state_->get();
    } else {
      return T(std::move(state_->get()));
    }
  }

 private:
  BridgeState<T>* state_ = nullptr;
  bool started_ = false;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
