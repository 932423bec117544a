// SPDX-License-Identifier: MIT
// An echo server on the coroutines of Asio, without errand. Prints its port.
#include <utility>  // before Boost 1.74's asio.hpp, which needs it and does not include it

#include <array>
#include <boost/asio.hpp>
#include <exception>
#include <iostream>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;

namespace {

asio::awaitable<void> echo(tcp::socket socket) {
  std::array<char, 1024> bytes;
  while (true) {
    const std::size_t count = co_await socket.async_read_some(asio::buffer(bytes), use_awaitable);
    co_await asio::async_write(socket, asio::buffer(bytes, count), use_awaitable);
  }
}

asio::awaitable<void> accept_all(tcp::acceptor& acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main() {
  asio::io_context io(1);
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  std::cout << "listening on 127.0.0.1:" << acceptor.local_endpoint().port() << std::endl;
  asio::co_spawn(io, accept_all(acceptor), asio::detached);
  io.run();
}
