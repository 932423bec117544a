// SPDX-License-Identifier: MIT
// An echo server on errand, with errand/asio.hpp: Asio reads and writes. Prints its port.
#include <array>
#include <iostream>

#include <boost/asio.hpp>
#include <errand/asio.hpp>
#include <errand/errand.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;
using errand::use_errand;

namespace {

errand::Coro<> echo(tcp::socket socket) {
  std::array<char, 1024> bytes;
  while (true) {
    const std::size_t count = co_await socket.async_read_some(asio::buffer(bytes), use_errand);
    co_await asio::async_write(socket, asio::buffer(bytes, count), use_errand);
  }
}

errand::Coro<> accept_all(errand::App& app, tcp::acceptor& acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(use_errand);
    app.add_task(echo(std::move(socket)));
  }
}

}  // namespace

int main() {
  asio::io_context io;
  errand::AsioReactor reactor(io);
  errand::App app("echo", {.reactor = &reactor, .on_failure = [](const errand::TaskFailure&) {}});  // a client has gone
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  std::cout << "listening on 127.0.0.1:" << acceptor.local_endpoint().port() << std::endl;
  app.add_task(accept_all(app, acceptor));
  app.run({.handle_signals = true});
}
