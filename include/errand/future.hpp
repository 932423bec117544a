// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/coro/future_state.hpp>
#include <errand/detail/coro/remote.hpp>

namespace errand {

namespace detail {

template <class T>
class SharedState;
template <class T>
class SharedWait;

}  // namespace detail

/// A result that somebody will set: the bridge from callbacks to tasks. Any number of tasks of one App may await it, as
/// often as they like. It can be neither copied nor moved, and belongs to the App's thread. `Future<T>::shared()` makes
/// a future that any thread may set.
///
/// `co_await future` gives a reference to the value, and `co_await std::move(future)` moves the value out: later awaits
/// get, without an error, what the move has left. Both throw the exception that was set, `TaskCancelled` if the future
/// was cancelled, and `Cancelled` if the task is asked to end, which leaves the future as it is. If the future is
/// destroyed while tasks wait, their awaits throw `InvalidState`.
///
/// The future must live until nobody can set it any more. If a callback may come after the waiting task was cancelled,
/// let the callback share the future:
///
///     const auto reply = std::make_shared<errand::Future<Reply>>();
///     client.ask(question, [reply](Reply r) { reply->set_result(std::move(r)); });
///     show(co_await *reply);
template <class T = void>
class Future {
 public:
  class Shared;

  Future() noexcept = default;
  Future(const Future&) = delete;
  Future& operator=(const Future&) = delete;

  /// Sets the value, and wakes the tasks that await it. Returns false and does nothing if the future is done, or if
  /// this is called by the copy or the move of the value that is being set. Throws what the copy or the move of the
  /// value throws; the future is not done then.
  template <class... Args>
    requires detail::SetsFuture<T, Args&&...>
  bool set_result(Args&&... value) {
    if (done() || is_being_set_) return false;
    {
      const detail::WhileSet being_set(is_being_set_);
      state_.set_value(std::forward<Args>(value)...);
    }
    waiters_.hand_over_all();
    return true;
  }
  /// Sets the exception that the awaits throw, and wakes the tasks that wait. `error` is any exception, or a
  /// `std::exception_ptr`. Returns false as `set_result` does. Throws `InvalidState` if the pointer is null.
  template <class E>
  bool set_exception(E&& error) {
    std::exception_ptr thrown = detail::to_exception(std::forward<E>(error));
    if (done() || is_being_set_) return false;
    state_.set_error(std::move(thrown));
    waiters_.fail_all();
    return true;
  }
  /// Cancels the future: the awaits throw `TaskCancelled` with this reason. Returns false as `set_result` does.
  bool cancel(std::string_view reason = {}) {
    if (done() || is_being_set_) return false;
    state_.cancel(std::string(reason));
    waiters_.fail_all();
    return true;
  }
  /// Returns true if the future has a value or an exception, or is cancelled.
  bool done() const {
    waiters_.check_thread();
    return state_.done();
  }

  template <bool take>
  class Wait;
  /// Waits until the future is done, and gives a `const T&` to the value: `co_await future`. If `T` is a reference,
  /// gives that reference.
  Wait<false> awaited_by(detail::Chain& chain) & {
    waiters_.check_thread();
    return Wait<false>(*this, chain);
  }
  /// Waits until the future is done, and moves the value out: `co_await std::move(future)`.
  Wait<true> awaited_by(detail::Chain& chain) && {
    waiters_.check_thread();
    return Wait<true>(*this, chain);
  }

  /// Makes a future that any thread may set. It is a handle that you may copy: see `Shared`.
  static Shared shared() { return Shared(); }

 private:
  detail::FutureState<T> state_;
  detail::WaitList waiters_;
  bool is_being_set_ = false;
};

/// A future that any thread may set. It is a counted handle: all copies refer to the same future, which exists as long
/// as one of them does.
///
/// Tasks of any App may `co_await` it. The await throws what the await of a `Future` throws, and `std::bad_alloc`. A
/// handle that was moved from is empty: all its members throw `InvalidState`.
///
///     auto reply = errand::Future<Reply>::shared();
///     std::thread([reply]() mutable { reply.set_result(ask()); }).detach();
///     show(co_await reply);
template <class T>
class Future<T>::Shared {
 public:
  /// Makes a new future, which nobody has set.
  Shared() : state_(std::make_shared<detail::SharedState<T>>()) {}

  /// Sets the value, as `Future::set_result` does, from any thread. If another thread is just making a value for this
  /// future, waits until that thread has finished.
  template <class... Args>
    requires detail::SetsFuture<T, Args&&...>
  bool set_result(Args&&... value) const {
    return get()->set([&](auto& state) { state.set_value(std::forward<Args>(value)...); });
  }
  /// Sets the exception that the awaits throw, as `Future::set_exception` does, from any thread.
  template <class E>
  bool set_exception(E&& error) const {
    std::exception_ptr thrown = detail::to_exception(std::forward<E>(error));
    return get()->set([&](auto& state) { state.set_error(std::move(thrown)); });
  }
  /// Cancels the future, as `Future::cancel` does, from any thread.
  bool cancel(std::string_view reason = {}) const {
    return get()->set([&](auto& state) { state.cancel(std::string(reason)); });
  }
  /// Returns true if the future has a value or an exception, or is cancelled. Any thread may ask.
  bool done() const { return get()->done(); }

  /// Waits until the future is done, and gives a reference to the value, which is kept as long as a handle exists.
  detail::SharedWait<T> awaited_by(detail::Chain& chain) const { return {get(), chain}; }

 private:
  /// Returns a pointer that keeps the state, because this handle may go while the value is being made, or as soon as
  /// the value is set. Throws `InvalidState` if the handle is empty.
  std::shared_ptr<detail::SharedState<T>> get() const {
    if (!state_) throw InvalidState("this handle of a shared Future was moved from");
    return state_;
  }

  std::shared_ptr<detail::SharedState<T>> state_;
};

// Implementation

template <class T>
template <bool take>
class Future<T>::Wait final : public detail::FailingWaiter {
 public:
  Wait(Future& future, detail::Chain& chain) noexcept : FailingWaiter(detail::Kind::future, chain), future_(future) {}

  bool await_ready() {
    if (!future_.done()) return false;
    chain_->check_earlier_awaits();
    if (future_.state_.has_failed()) throw_failure();
    future_.waiters_.keep(*this);
    return true;
  }
  void throw_failure() override { future_.state_.throw_failure(); }
  void await_suspend(std::coroutine_handle<>) { suspend(future_.waiters_.list()); }
  decltype(auto) await_resume() {
    resumed();
    if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
      return future_.state_.get();
    } else if constexpr (take) {
      return T(std::move(future_.state_.get()));
    } else {
      return static_cast<const T&>(future_.state_.get());
    }
  }

 private:
  Future& future_;
};

namespace detail {

/// The wake-up for one await of a shared future.
class SharedNotice final : public RemoteWake {
 private:
  void destroy() noexcept override { delete this; }
};

/// The state to which all handles of a shared future, and all its waits, refer.
template <class T>
class SharedState {
 public:
  bool done() const noexcept { return done_.load(std::memory_order_acquire); }

  /// Calls `set_it` to make the value, and wakes those who wait. Returns false if the future is done. `set_it` runs
  /// code of the user's, which may use the future, or end a task that waits for it. So it is not called under the
  /// mutex. If it throws, the future is not done, and the next thread that waits to set it goes on.
  template <class Set>
  bool set(Set set_it) {
    if (!begin_set()) return false;
    try {
      set_it(state_);
    } catch (...) {
      end_set(false);
      throw;
    }
    NodeQueue notices;
    notices.splice_back(end_set(true));
    while (!notices.empty()) first(notices).post();
    return true;
  }

  /// Adds a wake-up, to be posted when the future is set. Returns false if the future is done by now.
  bool add(SharedNotice& notice) {
    std::lock_guard lock(mutex_);
    if (done()) return false;
    notices_.push_back(notice);
    return true;
  }
  /// Removes a wake-up. Returns false if the future is done: the wake-up is being posted then.
  bool remove(SharedNotice& notice) noexcept {
    std::lock_guard lock(mutex_);
    if (done()) return false;
    notice.unlink();
    return true;
  }
  bool has_failed() const noexcept { return state_.has_failed(); }
  [[noreturn]] void throw_failure() const { state_.throw_failure(); }
  decltype(auto) get() { return state_.get(); }

  ~SharedState() {
    while (!notices_.empty()) first(notices_).release();
  }

 private:
  static SharedNotice& first(NodeQueue& notices) noexcept { return static_cast<SharedNotice&>(notices.pop_front()); }

  /// Begins to set the future. Returns false if it is done, or if this thread is setting it already. If another thread
  /// is setting it, waits until that thread has finished.
  bool begin_set() {
    std::unique_lock lock(mutex_);
    if (setter_ == &this_thread()) return false;
    has_set_.wait(lock, [this] { return !setter_; });
    if (done()) return false;
    setter_ = &this_thread();
    return true;
  }
  /// Ends the setting. If `is_done`, the future is done from here on, and no wake-up is added any more to the list that
  /// is returned.
  NodeQueue& end_set(bool is_done) noexcept {
    std::lock_guard lock(mutex_);
    setter_ = nullptr;
    if (is_done) done_.store(true, std::memory_order_release);
    has_set_.notify_all();
    return notices_;
  }

  std::mutex mutex_;
  std::condition_variable has_set_;
  const ThreadState* setter_ = nullptr;  // the thread that is making the value
  FutureState<T> state_;
  NodeQueue notices_;
  std::atomic<bool> done_ = false;
};

/// The wait of a task for a shared future.
template <class T>
class SharedWait final : public OutsideWait {
 public:
  SharedWait(std::shared_ptr<SharedState<T>> state, Chain& chain) noexcept
      : OutsideWait(Kind::future, chain), state_(std::move(state)) {}
  ~SharedWait() { leave(); }

  bool await_ready() const {
    if (!state_->done()) return false;
    chain_->check_earlier_awaits();
    if (state_->has_failed()) state_->throw_failure();
    return true;
  }
  bool await_suspend(std::coroutine_handle<>) {
    if (!may_suspend()) return false;
    Owner notice(new SharedNotice);
    notice->bind(*chain_->loop);
    if (!state_->add(*notice)) {  // the future was set meanwhile
      if (state_->has_failed()) state_->throw_failure();
      return false;
    }
    notice_ = notice.release();
    begin();
    notice_->attach(*this);
    return true;
  }
  bool give_up() noexcept override { return true; }
  bool has_failed() const noexcept override { return state_->has_failed(); }
  void throw_failure() override { state_->throw_failure(); }
  decltype(auto) await_resume() {
    leave();
    resumed();
    if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
      return state_->get();
    } else {
      return static_cast<const T&>(state_->get());
    }
  }

 private:
  void leave() noexcept {
    if (!notice_) return;
    if (state_->remove(*notice_)) notice_->release();
    std::exchange(notice_, nullptr)->detach();
  }

  std::shared_ptr<SharedState<T>> state_;
  SharedNotice* notice_ = nullptr;
};

}  // namespace detail

}  // namespace errand

#include <errand/detail/epilogue.hpp>
