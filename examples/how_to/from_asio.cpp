// SPDX-License-Identifier: MIT
// An echo server with the coroutines of Asio, and the same with those of errand on Asio's sockets.
#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <errand/asio.hpp>
#include <errand/errand.hpp>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::system_error;
using errand::use_errand;
using namespace std::chrono_literals;

namespace {

/// A client, which blocks.
void talk(std::uint16_t port) {
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  asio::write(socket, asio::buffer(std::string_view("hello")));
  std::array<char, 5> bytes{};
  asio::read(socket, asio::buffer(bytes));
  std::cout << std::string_view(bytes.data(), bytes.size()) << '\n';
}

namespace with_asio {

// [asio]
asio::awaitable<void> echo(tcp::socket socket) {
  std::array<char, 1024> bytes;
  try {
    while (true) {
      const std::size_t count = co_await socket.async_read_some(asio::buffer(bytes), asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(bytes, count), asio::use_awaitable);
    }
  } catch (const system_error&) {  // the client has gone
  }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}
// [asio]

void run() {
  // [asio]
  asio::io_context io(1);
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));  // any free port
  asio::co_spawn(io, serve(acceptor), asio::detached);
  // [asio]
  std::thread client([&io, port = acceptor.local_endpoint().port()] {
    talk(port);
    io.stop();
  });
  // [asio]
  io.run();
  // [asio]
  client.join();
}

}  // namespace with_asio

namespace with_errand {

// [errand]
errand::Coro<> echo(tcp::socket socket) {
  std::array<char, 1024> bytes;
  try {
    while (true) {
      auto read = socket.async_read_some(asio::buffer(bytes), use_errand);
      const std::size_t count = co_await errand::wait_for(std::move(read), 60s);
      co_await asio::async_write(socket, asio::buffer(bytes, count), use_errand);
    }
  } catch (const system_error&) {          // the client has gone
  } catch (const errand::TimeoutError&) {  // the client was silent for too long
  }
}

errand::Coro<> serve(errand::App& app, tcp::acceptor& acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(use_errand);
    app.add_task(echo(std::move(socket)));
  }
}
// [errand]

void run() {
  // [errand]
  asio::io_context io(1);
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));  // any free port
  errand::AsioReactor reactor(io);
  errand::App app("echo", {.reactor = &reactor});
  app.add_task(serve(app, acceptor), "serve");
  // [errand]
  std::thread client([&app, port = acceptor.local_endpoint().port()] {
    talk(port);
    app.stop();
  });
  // [errand]
  app.run({.handle_signals = true});  // ^C stops it: every task is cancelled, and with it its operation
  // [errand]
  client.join();
}

// [both]
asio::awaitable<int> old_work() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 10ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 42;
}

errand::Coro<> new_work(asio::io_context& io) {
  const int answer = co_await asio::co_spawn(io, old_work(), use_errand);
  std::cout << answer << '\n';
}
// [both]

void run_both() {
  asio::io_context io(1);
  errand::AsioReactor reactor(io);
  errand::App app("both", {.reactor = &reactor});
  app.run(new_work(io));
}

}  // namespace with_errand

}  // namespace

int main() {
  with_asio::run();
  with_errand::run();
  with_errand::run_both();
}
