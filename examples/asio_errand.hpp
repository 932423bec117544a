// SPDX-License-Identifier: MIT
// All that it takes to use Boost.Asio from the tasks of an App: a Reactor which runs the io_context while the App would
// sleep, and a completion token that makes an Asio operation a Coro.
#pragma once

#include <chrono>
#include <errand/errand.hpp>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/asio.hpp>  // after <utility>, which that of Boost 1.74 forgets
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
    io_.restart();  // wake has stopped it
    io_.poll();     // whatever else is ready
  }

  void wake() noexcept override { io_.stop(); }

 private:
  boost::asio::io_context& io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
};
// [reactor]

/// The completion token for operations on this socket, stream or acceptor: they become a `Coro` of their result, begin
/// when that is awaited, and throw `boost::system::system_error`.
///
///     const std::size_t count = co_await socket.async_read_some(buffer, use_errand(socket));
///
/// An operation uses what belongs to the task, such as the buffer. So a task that is cancelled cancels what is under
/// way on the object, and ends when that has ended. (`abort` does not wait: the object must go with the task then.)
template <class Object>
class UseErrand {
 public:
  explicit UseErrand(Object& object) noexcept : object_(&object) {}
  void cancel() {
    boost::system::error_code ignored;  // it is closed already
    boost::beast::get_lowest_layer(*object_).cancel(ignored);
  }

 private:
  Object* object_;
};

template <class Object>
UseErrand<Object> use_errand(Object& object) noexcept {
  return UseErrand<Object>(object);
}

/// What Asio makes of the token. `Results` has one type, or none.
template <class Object, class... Results>
class boost::asio::async_result<UseErrand<Object>, void(boost::system::error_code, Results...)> {
  using Result = std::tuple_element_t<0, std::tuple<Results..., void>>;

  /// Shared with the handler, which Asio keeps as long as it likes.
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
        token.cancel();  // and again, where this found the operation between two of its steps
        co_await errand::race(has_ended.wait(), errand::sleep(std::chrono::milliseconds(10)));
      }
    };
    co_await errand::finally([&]() -> errand::Coro<> { co_await has_ended.wait(); }, end);
    if (operation->error) throw boost::system::system_error(operation->error);
    if constexpr (!std::is_void_v<Result>) co_return std::get<0>(std::move(*operation->results));
  }
};
