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

/// The type in which the result of a foreign await is kept until the task takes it. An rvalue reference becomes a
/// value.
template <class A>
using BridgeResult =
    std::conditional_t<std::is_rvalue_reference_v<Awaited<A>>, std::remove_cvref_t<Awaited<A>>, Awaited<A>>;

/// The common state of a task that awaits a foreign awaitable, one that is not the library's, and of the coroutine in
/// which the awaitable is awaited. The two are its owners, and either of them may be destroyed first.
template <class T>
class BridgeState final : public RemoteWake {
 public:
  enum class Outcome { none, value, error };

  ~BridgeState() {
    if (outcome_ == Outcome::value) storage_.destroy_value();
    if (outcome_ == Outcome::error) storage_.destroy_error();
  }

  /// Starts the coroutine. Called on the App's thread. Returns true if the awaitable did not suspend.
  bool start(Loop& loop) {
    bind(loop);
    home_ = &this_thread();
    is_starting_ = true;
    frame_.resume();
    is_starting_ = false;
    return has_ended_at_once_;
  }
  bool has_failed() const noexcept { return outcome_ != Outcome::value; }
  /// Throws the exception that the awaitable threw, or `InvalidState` if a foreign loop has destroyed the coroutine.
  [[noreturn]] ERRAND_COLD void throw_failure() const {
    if (outcome_ == Outcome::error) std::rethrow_exception(storage_.error);
    throw InvalidState("the coroutine that waited here was destroyed by a foreign loop");
  }
  /// Returns the result of the awaitable.
  decltype(auto) get() { return storage_.get(); }

  // Called by the coroutine:
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
  /// The coroutine has come to its end. Its frame stays, because the result may refer to objects in the frame.
  void ended() noexcept {
    has_ended_ = true;
    wake();
  }
  /// The frame is being destroyed. If not `destroy` but a foreign loop does this, on any thread, the task is woken,
  /// unless it was woken before.
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
  std::coroutine_handle<> frame_ = nullptr;  // null from the time when the frame is being destroyed
  const ThreadState* home_ = nullptr;        // the App's thread
  bool is_starting_ = false;
  bool has_ended_at_once_ = false;
  bool has_ended_ = false;
};

/// The coroutine in which a foreign awaitable is awaited. Its frame holds the awaiter and refers to nothing of the
/// task, so that the task's frames can be destroyed at any time. The coroutine stays until the awaitable resumes it, on
/// any thread. Then it posts the task's wake-up to the loop.
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

/// The wait for a foreign awaitable. `A` is a reference if the awaitable was an lvalue: it is not moved then, and must
/// live until the end of the await.
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

  /// Returns false, because the library does not know how to cancel a foreign awaitable: a request is thrown when the
  /// awaitable resumes.
  bool give_up() noexcept override { return false; }
  bool gives_way() const noexcept override { return true; }

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
