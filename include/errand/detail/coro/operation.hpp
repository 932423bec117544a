// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <coroutine>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/coro/future_state.hpp>
#include <errand/detail/coro/remote.hpp>

// The part of asio.hpp that is the same with Boost's and with the standalone Asio. The template parameter `Asio` is a
// class with the names of one of them.

namespace errand::detail {

/// An operation of Asio that was started. It belongs to both the wait and the handler. `Asio` has the names of the Asio
/// that is used, and `Values` are the types with which the handler is called.
template <class Asio, class... Values>
class AsioCall final : public RemoteWake {
 public:
  using First = std::tuple_element_t<0, std::tuple<Values..., void>>;
  static constexpr bool has_error =
      std::is_same_v<First, typename Asio::ErrorCode> || std::is_same_v<First, std::exception_ptr>;

  /// Starts the operation: `begin` gives the handler to Asio. Returns true if the operation has ended at once.
  template <class Begin>
  bool start(Loop& loop, Begin begin);
  /// Asks the operation to end, unless it has ended. The operation may end inside this call, which may also run code of
  /// the user's. That code may destroy the wait.
  void ask() noexcept {
    if (has_ended_.load(std::memory_order_acquire) || is_asking_) return;
    retain();
    is_asking_ = true;
    try {
      signal_.emit(Asio::all);
    } catch (...) {  // from code of the user's, which nobody awaits
    }
    is_asking_ = false;
    release();
  }

  // Called after the operation has ended:

  /// Returns true if the operation has ended with an error code, or was dropped.
  bool was_cut_short() const noexcept {
    if constexpr (sizeof...(Values) > 0) {
      if (values_) return has_code(std::get<0>(*values_));
    }
    return !values_ && !error_;
  }
  bool has_failed() const noexcept {
    if constexpr (has_error) {
      if (values_) return static_cast<bool>(std::get<0>(*values_));
    }
    return !values_;
  }
  [[noreturn]] ERRAND_COLD void throw_failure() const;
  /// Returns the results: nothing, a value, or a tuple.
  auto take() {
    if constexpr (has_error) {
      return std::apply([](First&, auto&... values) { return results_of(values...); }, *values_);
    } else {
      return std::apply([](auto&... values) { return results_of(values...); }, *values_);
    }
  }

  // Called by the handler, on any thread:

  auto slot() noexcept { return signal_.slot(); }
  void complete(Values&&... values) noexcept {
    try {
      values_.emplace(std::move(values)...);
    } catch (...) {  // from the copy or the move of a value
      error_ = std::current_exception();
    }
    ended();
  }
  /// Asio has destroyed the handler, and has not called it.
  void dropped() noexcept { ended(); }

 private:
  template <class... Args>
  static auto results_of(Args&... values) {
    if constexpr (sizeof...(Args) == 1) {
      return (std::move(values), ...);
    } else if constexpr (sizeof...(Args) > 1) {
      return std::tuple<Args...>(std::move(values)...);
    }
  }

  static bool has_code(const typename Asio::ErrorCode& error) noexcept { return static_cast<bool>(error); }
  static bool has_code(const std::exception_ptr& error) noexcept {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const typename Asio::SystemError&) {
      return true;
    } catch (...) {
    }
    return false;
  }
  /// For `as_tuple`.
  template <class Code, class... Others>
  static bool has_code(const std::tuple<Code, Others...>& values) noexcept {
    return has_code(std::get<0>(values));
  }
  template <class Value>
  static bool has_code(const Value&) noexcept {
    return false;
  }

  void ended() noexcept {
    has_ended_.store(true, std::memory_order_release);
    if (home_ == &this_thread() && is_starting_) {
      has_ended_at_once_ = true;
      release();
    } else {
      come_back();
    }
  }
  void destroy() noexcept override { delete this; }

  typename Asio::Signal signal_;
  std::optional<std::tuple<Values...>> values_;
  std::exception_ptr error_;             // the values could not be stored
  const ThreadState* home_ = nullptr;    // the App's thread
  std::atomic<bool> has_ended_ = false;  // the handler was called, or destroyed
  bool is_starting_ = false;
  bool is_asking_ = false;
  bool has_ended_at_once_ = false;
};

/// The completion handler. If Asio destroys it, and has not called it, the await throws `InvalidState`.
template <class Asio, class... Values>
class AsioHandler {
  using Call = AsioCall<Asio, Values...>;

 public:
  explicit AsioHandler(Call& call) noexcept : call_(&call) {}
  AsioHandler(AsioHandler&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  ~AsioHandler() {
    if (call_) call_->dropped();
  }

  using cancellation_slot_type = typename Asio::Slot;
  cancellation_slot_type get_cancellation_slot() const noexcept {
    return call_ ? call_->slot() : cancellation_slot_type();
  }
  void operator()(Values... values) { std::exchange(call_, nullptr)->complete(std::move(values)...); }

 private:
  Call* call_;
};

template <class Asio, class Initiation, class Signature, class... Args>
class AsioOperation;

template <class Operation>
Coro<typename Operation::T> await_operation(Operation operation) {
  co_return co_await std::move(operation);
}

/// The awaitable that an initiating function of Asio returns for `use_errand`. It keeps all that is needed to start the
/// operation.
template <class Asio, class Initiation, class R, class... Results, class... Args>
class [[nodiscard("co_await it")]] AsioOperation<Asio, Initiation, R(Results...), Args...> {
  using Call = AsioCall<Asio, std::decay_t<Results>...>;
  using Handler = AsioHandler<Asio, std::decay_t<Results>...>;
  static_assert((keeps_alignment<std::decay_t<Results>> && ...),
                "the alignment of an operation's result may not be above the default one");

 public:
  using T = decltype(std::declval<Call&>().take());

  template <class I, class... As>
  explicit AsioOperation(std::in_place_t, I&& initiation, As&&... args)
      : initiation_(std::forward<I>(initiation)), args_(std::forward<As>(args)...) {}
  AsioOperation(AsioOperation&& other) noexcept(std::is_nothrow_move_constructible_v<Initiation> &&
                                                std::is_nothrow_move_constructible_v<std::tuple<Args...>>)
      : initiation_(std::move(other.initiation_)),
        args_(std::move(other.args_)),
        is_left_(std::exchange(other.is_left_, false)) {}

  class Wait;
  Wait awaited_by(Chain& chain) && noexcept { return Wait(*this, chain); }

  /// Makes a Coro that awaits the operation.
  operator Coro<T>() && { return await_operation(std::move(*this)); }  // NOLINT(google-explicit-constructor)

 private:
  void check_left() const {
    if (!is_left_) throw InvalidState("this operation has been awaited already");
  }
  void begin(Handler handler) {
    is_left_ = false;
    std::apply([&](Args&... args) { std::move(initiation_)(std::move(handler), std::move(args)...); }, args_);
  }

  Initiation initiation_;
  std::tuple<Args...> args_;
  bool is_left_ = true;  // it was neither started nor moved away
};

/// The wait for an operation. It starts the operation when it suspends. If a request to end is pending, the operation
/// does not start.
template <class Asio, class Initiation, class R, class... Results, class... Args>
class AsioOperation<Asio, Initiation, R(Results...), Args...>::Wait final : public OutsideWait {
 public:
  Wait(AsioOperation& operation, Chain& chain) noexcept
      : OutsideWait(Kind::operation, chain), operation_(operation), ask_later_(*this) {}
  ~Wait() {
    if (ask_later_.linked()) chain_->loop->take_out(ask_later_);
    if (!call_) return;
    call_->forget();
    call_->ask();  // does nothing if the operation has ended
    call_->release();
  }

  bool await_ready() const {
    chain_->check_earlier_awaits();
    operation_.check_left();
    return false;
  }
  bool await_suspend(std::coroutine_handle<>) {
    if (!may_suspend()) return false;
    call_ = new Call;
    if (call_->start(*chain_->loop, [this](Handler handler) { operation_.begin(std::move(handler)); })) {
      if (chain_->is_asked() && gives_way()) {
        interrupt();
      } else if (has_failed()) {
        throw_failure();
      }
      return false;
    }
    begin();
    call_->attach(*this);
    if (chain_->is_asked()) give_up();  // the start has run code of the user's
    return true;
  }
  T await_resume() {
    resumed();
    return call_->take();
  }

  /// Returns false, because the operation may use objects of the task until it has ended. The loop asks the operation
  /// in the next turn, and not at once, for two reasons. By then Asio has run the handlers that are ready; an operation
  /// with a step that is over, and a handler that has not run, might miss the request. And this function is called in
  /// the middle of a walk through the task, in which no code of the user's may run.
  bool give_up() noexcept override {
    if (!call_) return true;  // a race has only looked at this wait
    if (!ask_later_.linked()) chain_->loop->make_ready(ask_later_);
    return false;
  }
  /// Any error code counts as the end that was asked for, because not every library has `operation_aborted` for it.
  bool gives_way() const noexcept override { return call_->was_cut_short(); }
  bool has_failed() const noexcept override { return call_->has_failed(); }
  void throw_failure() override { call_->throw_failure(); }

 private:
  class AskLater final : public detail::Call {
   public:
    explicit AskLater(Wait& wait) noexcept : wait_(wait) {}
    void run() noexcept override {
      if (wait_.chain_->is_asked()) wait_.call_->ask();  // else the request was taken back
    }
    void drop() noexcept override {}

   private:
    Wait& wait_;
  };

  AsioOperation& operation_;
  Call* call_ = nullptr;  // null until the operation is started
  AskLater ask_later_;
};

template <class Asio, class... Values>
template <class Begin>
bool AsioCall<Asio, Values...>::start(Loop& loop, Begin begin) {
  bind(loop);
  home_ = &this_thread();
  const WhileSet starting(is_starting_);
  begin(AsioHandler<Asio, Values...>(*this));
  return has_ended_at_once_;
}

template <class Asio, class... Values>
void AsioCall<Asio, Values...>::throw_failure() const {
  if constexpr (has_error) {
    if (values_) {
      if constexpr (std::is_same_v<First, std::exception_ptr>) {
        std::rethrow_exception(std::get<0>(*values_));
      } else {
        throw typename Asio::SystemError(std::get<0>(*values_));
      }
    }
  }
  if (error_) std::rethrow_exception(error_);
  throw InvalidState("the operation that was waited for was dropped, perhaps because its io_context is destroyed");
}

/// The base of the specializations of Asio's `async_result`, by which it starts an operation with this token.
template <class Asio, class Signature>
class AsioResult;
template <class Asio, class R, class... Results>
class AsioResult<Asio, R(Results...)> {
 public:
  template <class Initiation, class Token, class... Args>
  static auto initiate(Initiation&& initiation, const Token&, Args&&... args) {
    using Operation = AsioOperation<Asio, std::decay_t<Initiation>, R(Results...), std::decay_t<Args>...>;
    return Operation(std::in_place, std::forward<Initiation>(initiation), std::forward<Args>(args)...);
  }
  /// For adapters of older versions, which need a type that does not depend on the operation.
  using return_type = Coro<decltype(std::declval<AsioCall<Asio, std::decay_t<Results>...>&>().take())>;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
