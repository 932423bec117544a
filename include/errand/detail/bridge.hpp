// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/awaitable.hpp>
#include <errand/detail/remote.hpp>
#include <errand/detail/storage.hpp>

namespace errand::detail {

/// What a foreign await gives, kept until the task takes it: an rvalue reference becomes a value.
template <class A>
using BridgeResult =
    std::conditional_t<std::is_rvalue_reference_v<Awaited<A>>, std::remove_cvref_t<Awaited<A>>, Awaited<A>>;

/// The frame in which an awaitable that is not the library's is awaited, with its awaiter. It refers to nothing of the
/// task, so that the task's frames can go at any time; it stays until the awaitable resumes it, on whatever thread, and
/// then posts the task's wake-up to the loop.
template <class T>
class Bridge {
 public:
  class promise_type final : public RemoteWake {
   public:
    Bridge get_return_object() noexcept { return Bridge(*this); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    auto final_suspend() const noexcept {
      struct Ended {
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> bridge) const noexcept { bridge.promise().ended(); }
        void await_resume() const noexcept {}
      };
      return Ended{};
    }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept {
      storage.set_error(std::current_exception());
      has_error = true;
    }
    ~promise_type() {
      if (has_value) storage.destroy_value();
      if (has_error) storage.destroy_error();
    }

    /// On the App's thread. True where the awaitable did not suspend.
    bool start(Loop& loop) {
      bind(loop);
      home_ = &this_thread();
      starting_ = true;
      std::coroutine_handle<promise_type>::from_promise(*this).resume();
      starting_ = false;
      return ended_at_once_;
    }

    Storage<T> storage;
    bool has_value = false;
    bool has_error = false;

   private:
    void ended() noexcept {
      if (&this_thread() == home_ && starting_) {
        ended_at_once_ = true;
        release();
      } else {
        post();
      }
    }
    void destroy() noexcept override { std::coroutine_handle<promise_type>::from_promise(*this).destroy(); }

    const ThreadState* home_ = nullptr;
    bool starting_ = false;
    bool ended_at_once_ = false;
  };

  promise_type& promise() const noexcept { return *promise_; }

 private:
  explicit Bridge(promise_type& its_promise) noexcept : promise_(&its_promise) {}

  promise_type* promise_;
};

/// Lets a bridge's coroutine reach its own promise.
template <class T>
struct OwnPromise {
  typename Bridge<T>::promise_type* promise = nullptr;

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<typename Bridge<T>::promise_type> self) noexcept {
    promise = &self.promise();
    return false;
  }
  typename Bridge<T>::promise_type& await_resume() const noexcept { return *promise; }
};

template <class A, class T>
Bridge<T> bridge(A awaitable) {
  auto& promise = co_await OwnPromise<T>();
  if constexpr (std::is_void_v<T>) {
    co_await static_cast<A&&>(awaitable);
    promise.storage.set_value();
  } else if constexpr (std::is_lvalue_reference_v<T>) {
    promise.storage.set_value(std::addressof(co_await static_cast<A&&>(awaitable)));
  } else {
    promise.storage.set_value(co_await static_cast<A&&>(awaitable));
  }
  promise.has_value = true;
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
  Bridged(A&& awaitable, Chain& chain)
      : OutsideWait(Kind::foreign, chain), bridge_(&detail::bridge<A, T>(static_cast<A&&>(awaitable)).promise()) {}
  ~Bridged() {
    if (!started_) bridge_->release();
    bridge_->detach();
  }

  /// Nobody knows how to take it back: a request is thrown when it resumes.
  bool give_up() noexcept override { return false; }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) {
    chain_->throw_failed();
    started_ = true;
    Loop& loop = *chain_->loop;
    if (bridge_->start(loop)) {
      if (has_failed()) throw_failure();
      return false;
    }
    if (!suspend()) return false;
    bridge_->attach(*this);
    return true;
  }
  bool has_failed() const noexcept override { return bridge_->has_error; }
  void throw_failure() override { std::rethrow_exception(bridge_->storage.error); }
  T await_resume() {
    resumed();
    if constexpr (std::is_lvalue_reference_v<T>) {
      return bridge_->storage.get();
    } else if constexpr (!std::is_void_v<T>) {
      return T(std::move(bridge_->storage.get()));
    }
  }

 private:
  typename Bridge<T>::promise_type* bridge_;
  bool started_ = false;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
