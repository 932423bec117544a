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

#include <errand/detail/base/storage.hpp>
#include <errand/detail/coro/callback.hpp>
#include <errand/detail/task/spawn.hpp>
#include <errand/detail/task/thread_pool.hpp>

namespace errand {

/// The type of `errand::abandon`.
struct Abandon {
  explicit Abandon() = default;
};
/// Tells `to_thread`, as its first argument, not to wait for the call if the task is asked to end.
inline constexpr Abandon abandon{};

namespace detail {
template <bool may_abandon, class F, class... Args>
class ToThread;
}  // namespace detail

/// Runs a blocking call on a thread of the App's pool: `co_await errand::to_thread(f, args…)` gives what `f(args…)`
/// returns, and throws what it throws. `f` may take a `std::stop_token` as its first parameter.
///
/// The call begins at the `co_await`, and the await ends only when the call has returned. So `f` may use local
/// variables of the awaiting coroutine by reference. `f` and its arguments are copied or moved in, and destroyed on the
/// App's thread. Threads are made when they are needed, up to `AppConfig::max_threads`, and end with the App.
///
/// If the task is asked to end meanwhile, a stop is requested through the token. When the call has returned, its result
/// is given, or its error thrown, and `Cancelled` is thrown out of the next await that would have to wait. If the call
/// still waits for a thread, it is taken back: it never runs, and `Cancelled` is thrown at once.
///
/// `Task::abort` and the end of the App request the stop too. The status of the task is `cancelled` at once, but its
/// frames are destroyed, and its awaiters go on, only when the call has returned. An error of the call is then reported
/// as a failure of the task.
///
/// Throws `std::system_error` if there is no thread and none can be made; if the call stands in a variable, you may
/// await it again then. Awaiting a call that has begun already throws `InvalidState`.
///
///     std::vector<int> numbers = read();
///     int sum = co_await errand::to_thread([&] { return std::accumulate(numbers.begin(), numbers.end(), 0); });
template <class F, class... Args>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Abandon>)
detail::ToThread<false, std::decay_t<F>, std::decay_t<Args>...> to_thread(F&& f, Args&&... args);
/// Runs a blocking call on a thread of the App's pool, but does not wait for it if the task is asked to end or aborted.
/// Then a stop is requested through the token, `Cancelled` is thrown at once, and the call is left to itself. An error
/// that the call throws after that is reported as a failure. The end of the App waits for the call.
///
/// So `f` must own everything that it uses. A `std::reference_wrapper` or a pointer does not compile, except a pointer
/// to a function. A lambda that captures by reference does compile, because the library cannot see the captures.
///
///     auto address = co_await errand::to_thread(errand::abandon, look_up, std::string("example.org"));
template <class F, class... Args>
detail::ToThread<true, std::decay_t<F>, std::decay_t<Args>...> to_thread(Abandon, F&& f, Args&&... args);

// Implementation

namespace detail {

/// A call with its function, its arguments, and the room for its result or its error.
template <class F, class... Args>
class ThreadCall final : public ThreadCallBase {
 public:
  static constexpr bool takes_token = !std::is_invocable_v<F, Args...> && std::is_invocable_v<F, StopToken, Args...>;
  static_assert(takes_token || std::is_invocable_v<F, Args...>,
                "to_thread cannot call this function with these arguments, nor "
                "with a std::stop_token before them");

  using Result =
      std::conditional_t<takes_token, std::invoke_result<F, StopToken, Args...>, std::invoke_result<F, Args...>>;
  using Plain = typename Result::type;
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

  /// Returns the result of the call, which must have succeeded.
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
    if (this->has_error_) storage_.destroy_error();
  }
  void destroy() noexcept override {
    report_failure();
    delete this;
  }
  std::exception_ptr error() const noexcept override { return storage_.error; }

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
      this->has_error_ = true;
      this->is_failure_ = !handling<Cancelled>();
    }
  }

  F f_;
  std::tuple<Args...> args_;
  Storage<T> storage_;
  bool has_value_ = false;
};

/// The awaitable that `to_thread` returns. It holds the call until the await begins it, and can begin it once.
template <bool may_abandon, class F, class... Args>
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
  Call* call_;  // null once the call has begun
};

/// The wait for the call. The call begins when this suspends. If a request to end is pending, it does not begin.
template <bool may_abandon, class F, class... Args>
class ToThread<may_abandon, F, Args...>::Wait final : public ThreadWait {
 public:
  Wait(Call*& to_begin, Chain& chain) noexcept : ThreadWait(may_abandon, chain), to_begin_(to_begin) {}

  bool await_ready() const {
    chain_->check_earlier_awaits();
    if (!to_begin_) throw InvalidState("this thread call has been awaited already");
    return false;
  }
  bool await_suspend(std::coroutine_handle<>) {
    if (!may_suspend()) return false;
    ThreadPool<>::of(*chain_->loop).start(*to_begin_);
    wait(*std::exchange(to_begin_, nullptr));
    return true;
  }
  typename Call::T await_resume() {
    resumed();
    return static_cast<Call&>(call()).take();
  }

 private:
  Call*& to_begin_;  // in the `ToThread`, which is an operand of the await
};

/// True for the type of an argument that may refer to an object that is gone while an abandoned call still uses it.
template <class A>
inline constexpr bool may_dangle = std::is_pointer_v<A> && !std::is_function_v<std::remove_pointer_t<A>>;
template <class T>
inline constexpr bool may_dangle<std::reference_wrapper<T>> = true;

}  // namespace detail

template <class F, class... Args>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Abandon>)
detail::ToThread<false, std::decay_t<F>, std::decay_t<Args>...> to_thread(F&& f, Args&&... args) {
  detail::check_awaited_callable<F&&>();
  using Call = detail::ThreadCall<std::decay_t<F>, std::decay_t<Args>...>;
  return detail::ToThread<false, std::decay_t<F>, std::decay_t<Args>...>(
      *new Call(std::forward<F>(f), std::forward<Args>(args)...));
}

template <class F, class... Args>
detail::ToThread<true, std::decay_t<F>, std::decay_t<Args>...> to_thread(Abandon, F&& f, Args&&... args) {
  static_assert(
      !detail::may_dangle<std::decay_t<F>> && !(detail::may_dangle<std::decay_t<Args>> || ...),
      "a call that may be abandoned outlives what its task holds, and so takes no std::ref and no pointer: give "
      "it a copy, a std::string or a std::shared_ptr, or leave out errand::abandon, so that the task waits");
  detail::check_awaited_callable<F&&>();
  using Call = detail::ThreadCall<std::decay_t<F>, std::decay_t<Args>...>;
  return detail::ToThread<true, std::decay_t<F>, std::decay_t<Args>...>(
      *new Call(std::forward<F>(f), std::forward<Args>(args)...));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
