// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include <errand/detail/callback.hpp>
#include <errand/detail/spawn.hpp>
#include <errand/detail/storage.hpp>
#include <errand/detail/thread_pool.hpp>

namespace errand {

namespace detail {
template <class F, class... Args>
class ToThread;
}  // namespace detail

/// Runs a blocking call on a thread of the App's pool: `co_await errand::to_thread(f, args…)` gives what `f(args…)`
/// returns, and throws what it throws. `f` may take a `std::stop_token` first. The call begins at the `co_await`.
/// Threads are made as they are needed, up to `AppConfig::max_threads`, and end with the App. Throws
/// `std::system_error` where there is none and none can be made; a call with a name may then be awaited again. One that
/// has begun cannot: `InvalidState`.
///
/// Where the task is asked to end meanwhile, a stop is requested through the token, `Cancelled` is thrown at once, and
/// the call is left to itself; the App's end waits for it. `f` and its arguments are copied or moved, and destroyed on
/// the App's thread.
///
///     std::string text = co_await errand::to_thread(read_file, path);
template <class F, class... Args>
detail::ToThread<std::decay_t<F>, std::decay_t<Args>...> to_thread(F&& f, Args&&... args);

// Implementation

namespace detail {

/// A call on its way through the pool, with its result.
template <class F, class... Args>
class ThreadCall final : public PoolCall {
 public:
  static constexpr bool takes_token = !std::is_invocable_v<F, Args...> && std::is_invocable_v<F, StopToken, Args...>;
  static_assert(takes_token || std::is_invocable_v<F, Args...>,
                "to_thread cannot call this function with these arguments, nor "
                "with a StopToken before them");

  using Plain = typename std::conditional_t<takes_token, std::invoke_result<F, StopToken, Args...>,
                                            std::invoke_result<F, Args...>>::type;
  using T = std::conditional_t<std::is_rvalue_reference_v<Plain>, std::remove_cvref_t<Plain>, std::remove_cv_t<Plain>>;
  static_assert(GivesNoAwaitable<Plain>,
                "this function returns a coroutine or an awaitable, which "
                "would not run on the "
                "thread: use add_task");

  static Plain call(F& f, StopToken token, Args&... args) {
    if constexpr (takes_token) {
      return std::invoke(std::move(f), std::move(token), std::move(args)...);
    } else {
      (void)token;
      return std::invoke(std::move(f), std::move(args)...);
    }
  }

  static_assert(keeps_alignment<T>,
                "the alignment of a thread call's result may not be above the default one: return a std::unique_ptr");
  static_assert((keeps_alignment<Args> && ...),
                "the alignment of an argument may not be above the default one: pass a std::unique_ptr");

  template <class G, class... As>
  explicit ThreadCall(G&& f, As&&... args) : f_(std::forward<G>(f)), args_(std::forward<As>(args)...) {}

  bool has_failed() const noexcept { return has_error_; }
  [[noreturn]] void throw_error() { std::rethrow_exception(storage_.error); }
  /// What the call gave.
  T take() {
    if constexpr (std::is_lvalue_reference_v<T>) {
      return storage_.get();
    } else if constexpr (!std::is_void_v<T>) {
      return T(std::move(storage_.get()));
    }
  }

 private:
  ~ThreadCall() {
    if (has_value_) storage_.destroy_value();
    if (has_error_) storage_.destroy_error();
  }
  void destroy() noexcept override { delete this; }

  void execute() noexcept override {
    try {
      std::apply(
          [this](Args&... args) {
            if constexpr (std::is_void_v<T>) {
              call(f_, stop_token(), args...);
              storage_.set_value();
            } else if constexpr (std::is_lvalue_reference_v<T>) {
              storage_.set_value(std::addressof(call(f_, stop_token(), args...)));
            } else {
              storage_.set_value(call(f_, stop_token(), args...));
            }
          },
          args_);
      has_value_ = true;
    } catch (...) {
      storage_.set_error(std::current_exception());
      has_error_ = true;
    }
  }

  F f_;
  std::tuple<Args...> args_;
  Storage<T> storage_;
  bool has_value_ = false;
  bool has_error_ = false;
};

/// A call that is to be made: once.
template <class F, class... Args>
class [[nodiscard("co_await it")]] ToThread {
  using Call = ThreadCall<F, Args...>;

 public:
  explicit ToThread(Call& call) noexcept : call_(&call) {}
  ToThread(ToThread&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  ~ToThread() {
    if (!call_) return;
    call_->release();
    call_->detach();
  }

  class Wait;
  Wait awaited_by(Chain& chain) noexcept { return Wait(call_, chain); }

 private:
  Call* call_;  // until it begins
};

/// The call begins when it is awaited, unless the task is asked to end.
template <class F, class... Args>
class ToThread<F, Args...>::Wait : public FailingWait {
 public:
  Wait(Call*& call, Chain& chain) noexcept : FailingWait(Kind::thread, chain), from_(call) {}
  ~Wait() {
    if (!call_) return;
    call_->request_stop();
    call_->detach();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) {
    if (!from_) throw InvalidState("this thread call has been awaited already");
    if (!may_suspend()) return false;
    ThreadPool<>::of(*chain_->loop).start(*from_);
    call_ = std::exchange(from_, nullptr);
    begin();
    call_->attach(*this);
    return true;
  }
  bool has_failed() const noexcept override { return call_->has_failed(); }
  void throw_failure() override { call_->throw_error(); }
  typename Call::T await_resume() {
    if (call_) call_->forget();
    resumed();
    return call_->take();
  }

 private:
  Call*& from_;
  Call* call_ = nullptr;
};

}  // namespace detail

template <class F, class... Args>
detail::ToThread<std::decay_t<F>, std::decay_t<Args>...> to_thread(F&& f, Args&&... args) {
  detail::check_awaited_callable<F&&>();
  using Call = detail::ThreadCall<std::decay_t<F>, std::decay_t<Args>...>;
  return detail::ToThread<std::decay_t<F>, std::decay_t<Args>...>(
      *new Call(std::forward<F>(f), std::forward<Args>(args)...));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
