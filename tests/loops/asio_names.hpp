// SPDX-License-Identifier: MIT
// The Asio that a test is built with: Boost's or, with STANDALONE_ASIO, the standalone one; and what the tests share.
#pragma once

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string_view>
#include <utility>

#if defined(STANDALONE_ASIO)
#include <asio.hpp>
#if ASIO_VERSION < 102300
#include <asio/experimental/as_tuple.hpp>
#endif
namespace net = asio;
#else
#include <boost/asio.hpp>
namespace net = boost::asio;
#endif
#include <errand/asio.hpp>

#if defined(STANDALONE_ASIO)
using ErrorCode = asio::error_code;
using SystemError = asio::system_error;
#else
using ErrorCode = boost::system::error_code;
using SystemError = boost::system::system_error;
#endif
using errand::use_errand;
using Socket = net::local::stream_protocol::socket;
using namespace std::chrono_literals;

inline int failures = 0;

inline void check(bool condition, std::string_view what) {
  if (condition) return;
  std::cerr << "failed: " << what << '\n';
  ++failures;
}

/// An App that runs an io_context.
struct World {
  net::io_context io{1};
  errand::AsioReactor reactor{io};
  errand::App app{"asio", {.reactor = &reactor, .graceful_timeout = 1s}};

  void run(std::string_view name, const std::function<errand::Coro<>(World&)>& test) {
    const auto limited = [&]() -> errand::Coro<> { co_await errand::wait_for(test(*this), 30s); };
    try {
      app.run(limited());
    } catch (const std::exception& error) {
      std::cerr << name << ": " << error.what() << '\n';
      ++failures;
    }
  }
};

/// Returns the code of the error that the work throws; none if it gives a value.
template <class Work>
errand::Coro<ErrorCode> error_of(Work work) {
  try {
    co_await std::move(work);
  } catch (const SystemError& error) {
    co_return error.code();
  }
  co_return ErrorCode();
}

/// Two sockets that are connected to each other.
struct Pair {
  explicit Pair(net::io_context& io) : here(io), there(io) { net::local::connect_pair(here, there); }
  Socket here, there;
};
