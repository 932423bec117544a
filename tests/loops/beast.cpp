// SPDX-License-Identifier: MIT
// Operations of Boost.Beast as awaitables: http and websockets, and how a request reaches them.
#include <array>
#include <string>
#include <vector>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include "asio_names.hpp"

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using Tcp = net::ip::tcp;
using WebSocket = websocket::stream<beast::tcp_stream>;

namespace {

/// Two streams that are connected to each other.
struct Streams {
  explicit Streams(net::io_context& io) : here(io), there(io) {
    Tcp::acceptor acceptor(io, {net::ip::address_v4::loopback(), 0});
    there.socket().connect(acceptor.local_endpoint());
    acceptor.accept(here.socket());
  }
  beast::tcp_stream here, there;
};

/// Two websockets that are connected to each other.
struct WebSockets {
  explicit WebSockets(Streams streams) : here(std::move(streams.here)), there(std::move(streams.there)) {}
  errand::Coro<> shake_hands() {
    co_await errand::gather(here.async_handshake("localhost", "/", use_errand), there.async_accept(use_errand));
  }
  WebSocket here, there;
  beast::flat_buffer here_buffer, there_buffer;
};

/// The buffer is no local, because Beast writes to it after an abort.
errand::Coro<std::string> read(WebSocket& ws, beast::flat_buffer& buffer) {
  buffer.clear();
  co_await ws.async_read(buffer, use_errand);
  co_return beast::buffers_to_string(buffer.data());
}

errand::Coro<std::string> read(WebSocket& ws) {
  beast::flat_buffer buffer;
  co_return co_await read(ws, buffer);
}

errand::Coro<> send(WebSocket& ws, std::string text) {
  const std::size_t count = co_await ws.async_write(net::buffer(text), use_errand);
  check(count == text.size(), "the result of a write");
}

/// Cancels the task in this turn, and waits for its end.
errand::Coro<> cancel(errand::Task<> task, std::string_view what) {
  co_await errand::yield();
  task.cancel();
  const auto begun = errand::Clock::now();
  co_await errand::wait_all(task);
  check(task.cancelled() && errand::Clock::now() < begun + 500ms, what);
}

errand::Coro<> requests(World& world) {
  Streams streams(world.io);
  beast::flat_buffer buffer;
  http::request<http::string_body> request(http::verb::post, "/", 11, "hello");
  request.prepare_payload();
  co_await http::async_write(streams.there, request, use_errand);
  http::request<http::string_body> got;
  co_await http::async_read(streams.here, buffer, got, use_errand);
  check(got.body() == "hello", "a request is read");

  const auto reads = [&]() -> errand::Coro<> {
    http::request<http::string_body> next;
    co_await http::async_read(streams.here, buffer, next, use_errand);
  };
  co_await cancel(world.app.add_task(reads), "a read of a request is cancelled");
  net::write(streams.there, net::buffer("GET / HT", 8));
  co_await cancel(world.app.add_task(reads), "a read of half a request is cancelled");
  streams.here.expires_after(5ms);
  check(co_await error_of(reads()) == beast::error::timeout, "the time-out of a stream");
}

errand::Coro<> messages(World& world) {
  WebSockets sockets{Streams(world.io)};
  co_await sockets.shake_hands();
  auto sending = world.app.add_task(send(sockets.here, "hello"));
  check(co_await read(sockets.there) == "hello", "a message is read");
  co_await sending;

  // A ping waits until the write has ended. Its cancellation completes inside the emission, and spares the write.
  auto writing = world.app.add_task(send(sockets.there, std::string(30'000'000, 'x')));
  co_await errand::sleep(5ms);
  const auto pings = [&]() -> errand::Coro<> { co_await sockets.there.async_ping({}, use_errand); };
  co_await cancel(world.app.add_task(pings), "a ping that waits is cancelled");
  check(!writing.done(), "the write goes on");
  sockets.here.read_message_max(0);
  check((co_await read(sockets.here)).size() == 30'000'000, "the write is whole");
  co_await writing;

  co_await cancel(world.app.add_task(read(sockets.there)), "a read of a message is cancelled");

  WebSockets halves{Streams(world.io)};
  co_await halves.shake_hands();
  net::write(halves.here.next_layer(), net::buffer("\x81\xfe\x10", 3));
  co_await cancel(world.app.add_task(read(halves.there)), "a read of half a frame is cancelled");
}

/// A peer that breaks the protocol, and never closes. Beast waits for its close, and does not hear a request meanwhile.
errand::Coro<> bad_frames(World& world) {
  const std::string bad(64, '\xff');
  {
    WebSockets sockets{Streams(world.io)};
    co_await sockets.shake_hands();
    net::write(sockets.here.next_layer(), net::buffer(bad));
    const auto reads = [&]() -> errand::Coro<> { co_await read(sockets.there); };
    errand::Event never;
    const auto closes = [&]() -> errand::Coro<> {
      const auto close = [&] { beast::get_lowest_layer(sockets.there).close(); };
      const auto waits = [&]() -> errand::Coro<> { co_await never.wait(); };
      co_await errand::finally(waits, close);
    };
    auto reading = world.app.add_task([&]() -> errand::Coro<> { co_await errand::race(reads, closes); });
    co_await errand::sleep(20ms);
    check(!reading.done(), "a read that fails waits for the peer's close");
    co_await cancel(reading, "and is cancelled by a clean-up that closes the socket");
  }
  WebSockets sockets{Streams(world.io)};
  sockets.there.set_option(
      websocket::stream_base::timeout{.handshake_timeout = 1s, .idle_timeout = 1s, .keep_alive_pings = true});
  co_await sockets.shake_hands();
  net::write(sockets.here.next_layer(), net::buffer(bad));
  const auto begun = errand::Clock::now();
  const auto code = co_await error_of(read(sockets.there));
  check(code.failed() && errand::Clock::now() < begun + 5s, "the time-out of a websocket ends it");
}

/// Wakes nobody: the test polls.
struct NoReactor : errand::Reactor {
  void wait(std::optional<errand::Clock::time_point>) override {}
  void wake() noexcept override {}
};

errand::Coro<> talk(WebSockets& sockets) {
  co_await sockets.shake_hands();
  const auto echo = [&]() -> errand::Coro<> {
    for (;;) co_await send(sockets.there, co_await read(sockets.there, sockets.there_buffer));
  };
  const auto ask = [&]() -> errand::Coro<> {
    for (int round = 0; round < 3; ++round) {
      co_await send(sockets.here, "question");
      check(co_await read(sockets.here, sockets.here_buffer) == "question", "an echo");
      co_await sockets.here.async_ping({}, use_errand);
    }
    co_await sockets.here.async_close(websocket::close_code::normal, use_errand);
  };
  co_await errand::race(echo, ask);
}

enum class Ends { app_first, asked, aborted };

/// Returns false if the talk was over before.
bool tear_down(int steps, Ends how) {
  net::io_context io(1);
  NoReactor reactor;
  WebSockets sockets{Streams(io)};
  auto app = std::make_unique<errand::App>(
      "torn", errand::AppConfig{.reactor = &reactor, .graceful_timeout = 1s, .on_failure = [](const auto&) {}});
  auto task = app->add_task(talk(sockets));
  for (int step = 0; step < steps && !task.done(); ++step) {
    if (step % 2 == 0) {
      app->poll();
    } else {
      io.restart();
      io.poll_one();
    }
  }
  const bool was_torn = !task.done();
  switch (how) {
    case Ends::app_first: app.reset(); break;
    case Ends::asked:
      app->stop();
      while (app->poll()) {
        io.restart();
        io.poll();
      }
      break;
    case Ends::aborted:
      task.abort();
      io.restart();
      io.poll();
      break;
  }
  return was_torn;
}

}  // namespace

int main() {
  const auto run = [](std::string_view name, errand::Coro<> (*test)(World&)) {
    World world;
    world.run(name, test);
  };
  run("requests", requests);
  run("messages", messages);
  run("bad frames", bad_frames);
  for (const Ends how : {Ends::app_first, Ends::asked, Ends::aborted}) {
    int steps = 0;
    while (tear_down(steps, how)) ++steps;
    check(steps > 20, "the talk has steps");
  }
  if (failures == 0) std::cout << "operations of Beast end with their tasks" << std::endl;
  return failures;
}
