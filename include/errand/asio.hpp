// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <optional>

#include <errand/detail/coro/operation.hpp>
#include <errand/errand.hpp>

// The Asio that was included before: the standalone one, Boost's, or both. If none was, Boost's.
#if defined(ASIO_DETAIL_CONFIG_HPP)
#include <asio/version.hpp>
#if ASIO_VERSION < 102200
#error "errand/asio.hpp needs Asio 1.22 or later, because older versions cannot cancel a single operation well"
#endif
#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error_code.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/system_error.hpp>
#endif
#if defined(BOOST_ASIO_DETAIL_CONFIG_HPP) || !defined(ASIO_DETAIL_CONFIG_HPP)
#include <boost/asio/version.hpp>
#if BOOST_ASIO_VERSION < 102600
#error "errand/asio.hpp needs Boost 1.81 or later, because older versions cannot cancel a single operation well"
#endif
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#endif

namespace errand {

/// Runs an `io_context` of Asio whenever the App would sleep. So the App is the main loop, with its signals and its
/// stop, and the handlers of Asio run on its thread, between its turns.
///
///     asio::io_context io(1);
///     errand::AsioReactor reactor(io);
///     errand::App app("server", {.reactor = &reactor});
///
/// The `io_context` must outlive the reactor, and the reactor must outlive the App. Nobody else may run the
/// `io_context` while the App runs. If a handler throws, `App::run` ends with this exception.
class AsioReactor : public Reactor {
 public:
  /// Runs this `io_context`, Boost's or the standalone Asio's.
  template <class IoContext>
    requires requires(IoContext& io) { io.run_one_for(std::chrono::seconds(1)); }
  explicit AsioReactor(IoContext& io) noexcept : io_(&io), run_(run<IoContext>), stop_(stop<IoContext>) {}

  /// Sleeps until a handler has run, and runs the others that are ready.
  inline void wait(std::optional<Clock::time_point> until) override;
  /// Ends the `wait` that is under way, or else the next one.
  void wake() noexcept override { stop_(io_); }

 private:
  using Limit = std::optional<std::chrono::nanoseconds>;
  template <class IoContext>
  static void run(void* context, Limit limit);
  template <class IoContext>
  static void stop(void* context) noexcept {
    static_cast<IoContext*>(context)->stop();
  }

  void* io_;
  void (*run_)(void*, Limit);
  void (*stop_)(void*) noexcept;
};

/// The type of `use_errand`.
struct UseErrand {};

/// The completion token that makes an asynchronous operation of Asio, or of a library on top of it such as Boost.Beast,
/// an awaitable of errand:
///
///     const std::size_t count = co_await socket.async_read_some(buffer, errand::use_errand);
///     co_await errand::wait_for(asio::async_read_until(socket, input, '\n', errand::use_errand), 30s);
///
/// The operation begins when it is awaited, and can be awaited once. It converts to a `Coro`, which `add_task` takes.
/// The task goes on on the App's thread, whatever thread the operation completes on. The await gives the results of the
/// operation: nothing, one value, or a `std::tuple` of several. If the operation ends with an `error_code`, the await
/// throws it as a `system_error`, and if it ends with a `std::exception_ptr`, throws that. It throws `InvalidState` if
/// Asio drops the operation, for instance because the `io_context` is destroyed; and what the start of the operation
/// throws, such as `std::bad_alloc`.
///
/// If the task is asked to end, or a time-out or a combinator asks, `cancellation_type::all` is emitted to this
/// operation alone. Others on the same socket go on. The await waits for the end of the operation, because the
/// operation may use a buffer of the task. If the operation then ends with an `error_code`, `Cancelled` is thrown. If
/// it completes all the same, its result is given, and the next await that suspends throws the request. (In a race, the
/// result of an operation that completes although it has lost is destroyed: a socket that was accepted is closed.) An
/// operation that does not hear a cancellation, such as that of a resolver, is waited for; if it has a socket, a
/// clean-up may close the socket.
///
/// `abort`, and the end of the App, emit too, but do not wait. So if a task may be aborted while the `io_context` runs
/// on, the buffers of its operations must not be locals of the task: they must live until Asio has run the handlers.
/// The object of an operation, such as the socket, must not be moved or destroyed while a task awaits the operation. It
/// may be closed.
///
/// The `io_context` may be that of an `AsioReactor`. It may also be run by the host that polls the App, or by other
/// threads. But Asio's rules hold for such threads. If the operation has several steps, as `async_read` has, a task
/// that waits for it may then neither be asked to end nor be aborted, because the cancellation is emitted on the App's
/// thread.
///
/// Inside adapters, such as `asio::as_tuple(use_errand)` or `asio::bind_executor(strand, use_errand)`, it behaves as
/// any other token. With `redirect_error`, a cancelled operation only sets the variable, and the next await throws. A
/// slot of your own, by `bind_cancellation_slot`, takes the place of the one of the task.
inline constexpr UseErrand use_errand;

// Implementation

void AsioReactor::wait(std::optional<Clock::time_point> until) {
  constexpr std::chrono::nanoseconds longest = std::chrono::hours(1);  // Asio adds it to the time
  if (!until) return run_(io_, {});
  detail::Loop* const loop = detail::this_thread().loop;  // null if a host calls this
  const auto limit = *until - (loop ? loop->now() : Clock::now());
  run_(io_, limit < longest ? limit : longest);
}

template <class IoContext>
void AsioReactor::run(void* context, Limit limit) {
  IoContext& io = *static_cast<IoContext*>(context);
  {
    const auto working = make_work_guard(io.get_executor());  // without work, Asio would not wait
    if (limit) {
      io.run_one_for(*limit);
    } else {
      io.run_one();
    }
    io.restart();  // because wake has stopped it
    // There is a limit, because handlers may make further handlers ready without end, and tasks have to run too.
    for (int left = 1000; left > 0 && io.poll_one() > 0; --left) continue;
  }
  io.restart();  // because wake has stopped it again, or no work is left
}

namespace detail {

#if defined(ASIO_DETAIL_CONFIG_HPP)
struct StandaloneAsio {
  using Signal = ::asio::cancellation_signal;
  using Slot = ::asio::cancellation_slot;
  using ErrorCode = ::asio::error_code;
  using SystemError = ::asio::system_error;
  static constexpr ::asio::cancellation_type all = ::asio::cancellation_type::all;
};
#endif

#if defined(BOOST_ASIO_DETAIL_CONFIG_HPP)
struct BoostAsio {
  using Signal = ::boost::asio::cancellation_signal;
  using Slot = ::boost::asio::cancellation_slot;
  using ErrorCode = ::boost::system::error_code;
  using SystemError = ::boost::system::system_error;
  static constexpr ::boost::asio::cancellation_type all = ::boost::asio::cancellation_type::all;
};
#endif

}  // namespace detail

}  // namespace errand

#if defined(ASIO_DETAIL_CONFIG_HPP)
template <class R, class... Results>
class asio::async_result<errand::UseErrand, R(Results...)>
    : public errand::detail::AsioResult<errand::detail::StandaloneAsio, R(Results...)> {};
#endif
#if defined(BOOST_ASIO_DETAIL_CONFIG_HPP)
template <class R, class... Results>
class boost::asio::async_result<errand::UseErrand, R(Results...)>
    : public errand::detail::AsioResult<errand::detail::BoostAsio, R(Results...)> {};
#endif

#include <errand/detail/epilogue.hpp>
