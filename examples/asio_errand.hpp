// SPDX-License-Identifier: MIT
// Everything that tasks of an App need to use Boost.Asio: a Reactor that runs the io_context when the App would sleep,
// and a completion token that makes an Asio operation a Coro.
#pragma once

#include <chrono>
#include <errand/errand.hpp>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/asio.hpp>  // after <utility>, because the asio.hpp of Boost 1.74 needs it and does not include it
#include <boost/beast/core.hpp>

// [reactor]
class AsioReactor : public errand::Reactor {
 public:
  explicit AsioReactor(boost::asio::io_context& io) : io_(io), keep_running_(io.get_executor()) {}

  void wait(std::optional<errand::Clock::time_point> until) override {
    if (until) {
      io_.run_one_until(*until);
    } else {
      io_.run_one();
    }
    io_.restart();  // because wake has stopped it
    io_.poll();     // runs the other handlers that are ready
  }

  void wake() noexcept override { io_.stop(); }

 private:
  boost::asio::io_context& io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
};
// [reactor]

/// The completion token for asynchronous operations on this socket, stream or acceptor. It makes each operation a
/// `Coro` of its result. The operation begins when the `Coro` is awaited, and throws `boost::system::system_error` if
/// it fails.
///
///     const std::size_t count = co_await socket.async_read_some(buffer, use_errand(socket));
///
/// An operation may use objects that belong to the task, such as the buffer. So a task that is cancelled cancels the
/// operations of this socket, stream or acceptor, and waits until its own operation has ended. (`abort` does not wait.
/// A task that may be aborted must own the socket, so that both are destroyed together.)
template <class Object>
class UseErrand {
 public:
  explicit UseErrand(Object& object) noexcept : object_(&object) {}
  void cancel() {
    boost::system::error_code ignored;  // set if the object is closed already
    boost::beast::get_lowest_layer(*object_).cancel(ignored);
  }

 private:
  Object* object_;
};

template <class Object>
UseErrand<Object> use_errand(Object& object) noexcept {
  return UseErrand<Object>(object);
}

/// Asio uses this specialization to start an operation with the token. `Results` has one type, or none.
template <class Object, class... Results>
class boost::asio::async_result<UseErrand<Object>, void(boost::system::error_code, Results...)> {
  using Result = std::tuple_element_t<0, std::tuple<Results..., void>>;

  /// Shared with the completion handler, because Asio may keep the handler longer than the coroutine lives.
  struct Operation {
    errand::Event has_ended;
    boost::system::error_code error;
    std::optional<std::tuple<Results...>> results;
  };

 public:
  template <class Initiation, class... Args>
  static errand::Coro<Result> initiate(Initiation begin, UseErrand<Object> token, Args... args) {
    const auto operation = std::make_shared<Operation>();
    std::move(begin)(
        [operation](boost::system::error_code error, Results... results) {
          operation->error = error;
          operation->results.emplace(std::move(results)...);
          operation->has_ended.set();
        },
        std::move(args)...);
    errand::Event& has_ended = operation->has_ended;
    const auto end = [&]() -> errand::Coro<> {
      while (!has_ended.is_set()) {
        token.cancel();  // repeated, because a cancel between two steps of the operation has no effect
        co_await errand::race(has_ended.wait(), errand::sleep(std::chrono::milliseconds(10)));
      }
    };
    co_await errand::finally([&]() -> errand::Coro<> { co_await has_ended.wait(); }, end);
    if (operation->error) throw boost::system::system_error(operation->error);
    if constexpr (!std::is_void_v<Result>) co_return std::get<0>(std::move(*operation->results));
  }
};
