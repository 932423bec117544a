// SPDX-License-Identifier: MIT
// A feed over websockets, with Boost.Beast: the last example of Sanic's page about background tasks, for real browsers.
// The program takes the port to listen on as an argument, or chooses a free port, and prints its address. Open the
// address in a browser, and end the program with ^C. `asio_websocket_feed 0 --trace run.json` writes an
// `errand::Trace`.
//
//     GET /            a page that shows the feed, the tasks and the counts of the App
//     GET /feed        a websocket, which sends the payload of each my.custom.event
//     GET /tasks       the tasks, as JSON; /tasks.txt is a table of them
//     GET /stats       counts of the App, as JSON; /metrics has them for Prometheus
//     POST /dispatch   dispatches my.custom.event, with the body as its payload
//     POST /later      adds a task "later: BODY", which does so in a minute
//     POST /cancel     cancels the task whose name is the body: receiver:7 disconnects that client
//
// The io_context runs inside the App, as its Reactor. After an operation has completed, the App goes on by itself in
// its next turn, and it has `run`, with its signals and its stop. If the App ran inside the io_context instead, by
// `poll`, each handler would have to arrange for a `poll`.
//
// A task that is cancelled cancels its own operation of Asio, and no other one. For clients that are silent, there are
// the time-outs of Beast.
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdlib>
#include <errand/asio.hpp>
#include <errand/errand.hpp>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "asio_websocket_feed_page.hpp"
#include "prometheus.hpp"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Stream = beast::tcp_stream;
using WebSocket = beast::websocket::stream<Stream>;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;
using errand::use_errand;
using namespace std::chrono_literals;

namespace {

// The feed

// [token]
errand::Coro<std::string> receive(WebSocket& ws) {
  beast::flat_buffer buffer;
  co_await ws.async_read(buffer, use_errand);
  co_return beast::buffers_to_string(buffer.data());
}
// [token]

errand::Coro<> send(WebSocket& ws, std::string message) { co_await ws.async_write(asio::buffer(message), use_errand); }

/// Ends when the client has gone. If it is cancelled, closes the connection. This matters if the client has sent a bad
/// frame: then Beast waits for the client's close, and does not hear that its operation is cancelled.
errand::Coro<> receiver(WebSocket& ws) {
  const auto receives = [&]() -> errand::Coro<> {
    try {
      while (true) {
        const std::string message = co_await receive(ws);
        std::cout << "Received: " << message << std::endl;
        errand::current_task().set_note("received: " + message.substr(0, 100));
      }
    } catch (const boost::system::system_error&) {
    }
  };
  const auto closes = [&]() -> errand::Coro<> {
    errand::Event never;
    const auto waits = [&]() -> errand::Coro<> { co_await never.wait(); };
    co_await errand::finally(waits, [&] { beast::get_lowest_layer(ws).close(); });
  };
  co_await errand::race(receives, closes);
}

/// Sends all events from here on, also those that are dispatched while it sends others. Ends when the client has gone.
errand::Coro<> send_feed(errand::App& app, WebSocket& ws) {
  try {
    auto events = app.subscribe("my.custom.event");
    while (const auto signal = co_await events.next()) co_await send(ws, signal->get<std::string>());
  } catch (const boost::system::system_error&) {
  }
}

// [feed]
errand::Coro<> feed(errand::App& app, int id, WebSocket& ws) {
  errand::ScopedTask receiving{app.add_task(receiver(ws), "receiver:" + std::to_string(id))};
  co_await errand::finally(
      [&]() -> errand::Coro<> {
        // Ends as soon as one of the two sees that the client has gone.
        co_await errand::race(send_feed(app, ws), receiving.get());
      },
      [&]() -> errand::Coro<> {
        co_await receiving.close();
        app.purge_tasks();
      });
}
// [feed]

/// Dispatches an event every second.
errand::Coro<> tick(errand::App& app) {
  auto interval = errand::every(1s);
  for (int count = 1;; ++count) {
    co_await interval.tick();
    app.dispatch("my.custom.event", "tick " + std::to_string(count));
  }
}

errand::Coro<> dispatch_later(errand::App& app, std::string message) {
  co_await errand::sleep(1min);
  app.dispatch("my.custom.event", message);
}

// The server

/// Counts for the page, as JSON. Times are in nanoseconds.
std::string to_json(const errand::Stats& stats) {
  std::ostringstream json;
  json << "{\"pending\":" << stats.pending << ",\"timers\":" << stats.timers << ",\"steps\":" << stats.steps
       << ",\"busy\":" << stats.busy.count() << ",\"asleep\":" << stats.asleep.count() << "}";
  return json.str();
}

void answer_get(errand::App& app, const std::string& path, Response& response) {
  const auto answer = [&](const char* type, std::string body) {
    response.set(http::field::content_type, type);
    response.body() = std::move(body);
  };
  if (path == "/") {
    answer("text/html; charset=utf-8", page);
  } else if (path == "/tasks") {
    answer("application/json", errand::to_json(app.snapshot()));
  } else if (path == "/tasks.txt") {
    std::ostringstream table;
    app.dump_tasks(table);
    answer("text/plain; charset=utf-8", table.str());
  } else if (path == "/stats") {
    answer("application/json", to_json(app.stats()));
  } else if (path == "/metrics") {
    // [metrics]
    answer("text/plain; version=0.0.4", prometheus::to_text({{app.name(), app.stats()}}));
    // [metrics]
  } else {
    response.result(http::status::not_found);
  }
}

errand::Coro<> answer_post(errand::App& app, const std::string& path, const std::string& body, Response& response) {
  if (path == "/dispatch") {
    app.dispatch("my.custom.event", body);
    response.body() = "dispatched\n";
  } else if (path == "/later") {
    app.purge_tasks();
    app.add_task(dispatch_later(app, body), "later: " + body, errand::NameTaken::keep);
    response.body() = "in a minute\n";
  } else if (path == "/cancel" && app.find_task(body)) {
    const bool cancelled = co_await app.cancel_task(body);
    response.body() = cancelled ? "cancelled\n" : "it was done\n";
  } else {
    response.result(http::status::not_found);
  }
}

/// A browser tells which page a POST comes from. Pages of other sites must not cancel tasks here.
bool is_from_elsewhere(const Request& request) {
  const auto origin = request.find(http::field::origin);
  return origin != request.end() && !origin->value().ends_with("://" + std::string(request[http::field::host]));
}

errand::Coro<Response> answer(errand::App& app, const Request& request) {
  Response response(http::status::ok, request.version());
  response.keep_alive(request.keep_alive());
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  if (request.method() == http::verb::get) {
    answer_get(app, request.target(), response);
  } else if (request.method() == http::verb::post && !is_from_elsewhere(request)) {
    co_await answer_post(app, request.target(), request.body(), response);
  } else {
    response.result(http::status::forbidden);
  }
  if (response.result() != http::status::ok) response.body() = std::string(response.reason()) + "\n";
  response.prepare_payload();
  co_return response;
}

/// Time-outs for clients that do not answer. An idle client gets a ping, and is disconnected if there is no pong. So is
/// a client that does not close the connection after it has sent a bad frame.
beast::websocket::stream_base::timeout time_outs() {
  return {.handshake_timeout = 5s, .idle_timeout = 10s, .keep_alive_pings = true};
}

errand::Coro<> serve(errand::App& app, int id, Stream stream) {
  beast::flat_buffer buffer;
  while (true) {
    Request request;
    stream.expires_after(30s);
    co_await http::async_read(stream, buffer, request, use_errand);
    if (request.target() == "/feed" && beast::websocket::is_upgrade(request)) {
      stream.expires_never();  // because a websocket has time-outs of its own
      WebSocket ws(std::move(stream));
      ws.set_option(time_outs());
      ws.read_message_max(64 * 1024);
      co_await ws.async_accept(request, use_errand);
      co_await feed(app, id, ws);
      break;
    }
    Response response = co_await answer(app, request);
    stream.expires_after(30s);
    co_await http::async_write(stream, response, use_errand);
    if (!response.keep_alive()) break;
  }
}

errand::Coro<> connection(errand::App& app, int id, Stream stream) {
  try {
    co_await serve(app, id, std::move(stream));
  } catch (const boost::system::system_error&) {  // the client has gone, or was silent for too long
  } catch (const errand::TaskCancelled&) {        // the client's receiver task was cancelled
  }
}

// [accept]
errand::Coro<> accept(errand::App& app, tcp::acceptor& acceptor) {
  for (int id = 1;; ++id) {
    try {
      tcp::socket socket = co_await acceptor.async_accept(use_errand);
      errand::create_task(connection(app, id, Stream(std::move(socket))), "connection:" + std::to_string(id));
      continue;
    } catch (const boost::system::system_error& error) {
      std::cerr << "accept: " << error.what() << '\n';
    }
    co_await errand::sleep(100ms);  // the process may have no descriptor left: tries again later
  }
}
// [accept]

}  // namespace

int main(int argc, char** argv) {
  const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
  // [reactor]
  asio::io_context io(1);
  // [reactor]
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), port));
  std::cout << "listening on http://127.0.0.1:" << acceptor.local_endpoint().port() << "/" << std::endl;
  // [reactor]
  errand::AsioReactor reactor(io);
  errand::AppConfig config{.reactor = &reactor};
  // [reactor]
  std::optional<errand::Trace> trace;
  if (argc > 3 && std::string(argv[2]) == "--trace") config.observer = &trace.emplace(argv[3]);
  // [reactor]
  errand::App app("feed", config);
  // [reactor]
  app.add_task(accept(app, acceptor), "accept");
  app.add_task(tick(app), "tick");
  app.run({.handle_signals = true});
}
