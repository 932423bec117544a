// SPDX-License-Identifier: MIT
// Asio operations as coroutines (examples/asio_errand.hpp): their results, their errors, and their cancellation.
#include <array>
#include <iostream>
#include <string>
#include <string_view>

#include "asio_errand.hpp"

namespace asio = boost::asio;
using Socket = asio::local::stream_protocol::socket;
using namespace std::chrono_literals;

namespace {

int failures = 0;

void check(bool condition, std::string_view what) {
  if (condition) return;
  std::cerr << "failed: " << what << '\n';
  ++failures;
}

errand::Coro<std::string> read(Socket& socket, std::size_t size) {
  std::string text(size, ' ');
  const std::size_t count = co_await asio::async_read(socket, asio::buffer(text), use_errand(socket));
  co_return text.substr(0, count);
}

/// Begins a read, which another task cancels in the turn in which it begins.
errand::Coro<> cancel_read(errand::App& app, Socket& socket, std::string_view what) {
  auto reading = app.add_task(read(socket, 2), "read");
  app.add_task([&] { reading.cancel("enough"); });
  const auto begun = errand::Clock::now();
  co_await errand::wait_all(reading);
  check(reading.cancelled() && errand::Clock::now() < begun + 1s, what);
}

errand::Coro<> run(errand::App& app, asio::io_context& io) {
  Socket here(io), there(io);
  asio::local::connect_pair(here, there);

  asio::write(there, asio::buffer("hello", 5));
  check(co_await read(here, 5) == "hello", "the result of a read");

  co_await cancel_read(app, here, "a read of nothing is cancelled");

  asio::write(there, asio::buffer("1", 1));
  co_await cancel_read(app, here, "a read that has the first half is cancelled");

  // The post stops the io_context after the first step of the read has ended, and before the second one has begun.
  asio::write(there, asio::buffer("1", 1));
  app.add_task([&] { asio::post(io, [&app] { app.post([] {}); }); });
  co_await cancel_read(app, here, "a read between two steps is cancelled");

  bool is_timed_out = false;
  try {
    co_await errand::wait_for(read(here, 1), 1ms);
  } catch (const errand::TimeoutError&) {
    is_timed_out = true;
  }
  check(is_timed_out, "a time-out");

  asio::write(there, asio::buffer("still here", 10));
  check(co_await read(here, 10) == "still here", "the socket is as it was");

  there.close();
  boost::system::error_code code;
  try {
    co_await read(here, 1);
  } catch (const boost::system::system_error& error) {
    code = error.code();
  }
  check(code == asio::error::eof, "the error of a read");
}

}  // namespace

int main() {
  asio::io_context io(1);
  AsioReactor reactor(io);
  errand::App app("asio", {.reactor = &reactor, .graceful_timeout = 1s});
  const auto all = [&]() -> errand::Coro<> { co_await errand::wait_for(run(app, io), 20s); };
  app.run(all());
  std::cout << (failures == 0 ? "Asio's operations are cancelled with their tasks\n" : "") << std::flush;
  return failures;
}
