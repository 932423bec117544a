// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/coro/future_state.hpp>
#include <errand/detail/coro/shared_state.hpp>

namespace errand {

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
  class Settable;
  class Shared;
  class Setter;

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
  /// Returns true if the future is cancelled.
  bool cancelled() const {
    waiters_.check_thread();
    return state_.cancelled();
  }
  /// Returns a reference to the value. Throws what `co_await` would throw, and `InvalidState` if the future is not
  /// done.
  decltype(auto) result() const& {
    check_done();
    state_.check();
    return state_.value();
  }
  /// Returns the value, which is moved out. Later calls and awaits get, without an error, what the move has left.
  /// Throws what `co_await` would throw, and `InvalidState` if the future is not done.
  T result() && {
    check_done();
    state_.check();
    return state_.take();
  }
  /// Returns the exception that `co_await` would throw: null if there is a value, a `TaskCancelled` if the future is
  /// cancelled. Throws `InvalidState` if the future is not done.
  std::exception_ptr exception() const {
    check_done();
    return state_.exception();
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
  void check_done() const {
    if (!done()) state_.throw_not_done();
  }

  detail::FutureState<T> state_;
  detail::WaitList waiters_;
  bool is_being_set_ = false;
};

/// The members that set a future from any thread: the common part of `Shared` and `Setter`.
template <class T>
class Future<T>::Settable {
 public:
  /// Sets the value, as `Future::set_result` does, from any thread. If another thread is just making a value for this
  /// future, waits until that thread has finished.
  template <class... Args>
    requires detail::SetsFuture<T, Args&&...>
  bool set_result(Args&&... value) const {
    return state()->set([&](auto& state) { state.set_value(std::forward<Args>(value)...); });
  }
  /// Sets the exception that the awaits throw, as `Future::set_exception` does, from any thread.
  template <class E>
  bool set_exception(E&& error) const {
    std::exception_ptr thrown = detail::to_exception(std::forward<E>(error));
    return state()->set([&](auto& state) { state.set_error(std::move(thrown)); });
  }
  /// Cancels the future, as `Future::cancel` does, from any thread.
  bool cancel(std::string_view reason = {}) const {
    return state()->set([&](auto& state) { state.cancel(std::string(reason)); });
  }
  /// Returns true if the future has a value or an exception, or is cancelled. Any thread may ask.
  bool done() const { return state()->done(); }

 protected:
  /// The state of the future, which all handles share.
  using State = std::shared_ptr<detail::SharedState<T>>;
  /// Makes a handle of this state.
  explicit Settable(State state) noexcept : state_(std::move(state)) {}
  ~Settable() = default;
  /// Makes one more handle of the same future.
  Settable(const Settable&) = default;
  /// Takes the place of another handle, which is empty afterwards.
  Settable(Settable&&) = default;
  /// Becomes a handle of the other future.
  Settable& operator=(const Settable&) = default;
  /// Takes the place of another handle, which is empty afterwards.
  Settable& operator=(Settable&&) = default;

  /// Returns a pointer that keeps the state, because this handle may go while the value is being made, or as soon as
  /// the value is set. Throws `InvalidState` if the handle is empty.
  State state() const {
    if (!state_) throw InvalidState("this handle of a shared Future was moved from");
    return state_;
  }

  State state_;  ///< null if the handle is empty
};

/// A future that any thread may set. It is a counted handle: all copies refer to the same future, which exists as long
/// as one of them does.
///
/// Tasks of any App may `co_await` it. The await throws what the await of a `Future` throws, and `std::bad_alloc`. A
/// handle that was moved from is empty: all its members throw `InvalidState`.
///
///     auto reply = errand::Future<Reply>::shared();
///     std::thread([reply] { reply.set_result(ask()); }).detach();
///     show(co_await reply);
template <class T>
class Future<T>::Shared : public Settable {
 public:
  /// Makes a new future, which nobody has set.
  Shared() : Settable(std::make_shared<detail::SharedState<T>>()) {}

  /// Returns true if the future is cancelled. Any thread may ask.
  bool cancelled() const {
    const auto state = this->state();
    return state->done() && state->result().cancelled();
  }
  /// Returns a reference to the value, which is kept as long as a handle exists. Throws what `co_await` would throw,
  /// and `InvalidState` if the future is not done. Any thread may ask.
  decltype(auto) result() const {
    const auto state = this->state();
    const detail::FutureState<T>& result = state->result();
    result.check();
    return result.value();
  }
  /// Returns the exception that `co_await` would throw, as `Future::exception` does. Any thread may ask.
  std::exception_ptr exception() const { return this->state()->result().exception(); }

  /// Returns a handle that can only set the future. From now on somebody has to: if the last setter goes and the future
  /// is not done, the awaits throw `InvalidState`, and nobody can set the future any more.
  Setter setter() const { return Setter(this->state()); }

  /// Waits until the future is done, and gives a reference to the value, which is kept as long as a handle exists.
  detail::SharedWait<T> awaited_by(detail::Chain& chain) const { return {this->state(), chain}; }
};

/// A handle of a shared future that can only set it: `Shared::setter` makes it. It may be copied, used and dropped on
/// any thread, also after the end of the App. If a thread, or a callback, that was to set the future goes without
/// setting it, nobody waits in vain: the end of the last setter sets an `InvalidState`. A handle that was moved from is
/// empty, and does not count.
///
///     auto reply = errand::Future<Reply>::shared();
///     client.ask(question, [setter = reply.setter()](Reply r) { setter.set_result(std::move(r)); });
///     show(co_await reply);   // throws InvalidState if the client drops the callback
template <class T>
class [[nodiscard("dropping the last setter ends the future")]] Future<T>::Setter : public Settable {
 public:
  /// Makes one more setter of the same future.
  Setter(const Setter& other) noexcept : Settable(other) { count(); }
  /// Takes the place of `other`, which is empty afterwards.
  Setter(Setter&& other) noexcept = default;
  /// Gives up the setter that this object was, and becomes a copy of `other`.
  Setter& operator=(const Setter& other) noexcept {
    *this = Setter(other);
    return *this;
  }
  /// Gives up the setter that this object was, and takes the place of `other`.
  Setter& operator=(Setter&& other) noexcept {
    Setter given(std::move(other));
    this->state_.swap(given.state_);
    return *this;
  }
  /// Gives up this setter. If it was the last one and the future is not done, the awaits throw `InvalidState`.
  ~Setter() {
    if (this->state_) this->state_->remove_setter();
  }

 private:
  friend Shared;
  explicit Setter(typename Settable::State state) noexcept : Settable(std::move(state)) { count(); }
  void count() const noexcept {
    if (this->state_) this->state_->add_setter();
  }
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
    if constexpr (take) {
      return future_.state_.take();
    } else {
      return future_.state_.value();
    }
  }

 private:
  Future& future_;
};

}  // namespace errand

#include <errand/detail/epilogue.hpp>
