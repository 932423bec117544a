// SPDX-License-Identifier: MIT
// A feed over websockets, which are only queues in memory here. Each connection has a handler, which sends the
// published messages, and a receiver task of its own, which ends together with the handler.
#include <errand/errand.hpp>
#include <iostream>
#include <memory>
#include <string>

using namespace std::chrono_literals;

namespace {

/// Both ends of a connection. When the client has closed it, `receive` and `hear` give nothing, and `send` throws
/// QueueClosed.
class WebSocket {
 public:
  auto send(std::string message) { return to_client_.put(std::move(message)); }
  auto receive() { return to_server_.next(); }

  void say(std::string message) { to_server_.try_put(std::move(message)); }
  auto hear() { return to_client_.next(); }
  void close() {
    to_server_.close();
    to_client_.close();
  }

 private:
  errand::Queue<std::string> to_server_;
  errand::Queue<std::string> to_client_;
};

// The server

errand::Coro<> receiver(int id, WebSocket& socket) {
  while (const auto message = co_await socket.receive()) {
    std::cout << "server: " << id << " says " << *message << '\n';
  }
  std::cout << "server: " << id << " has closed\n";
}

/// Sends all news from here on, also those that are dispatched while it sends others.
errand::Coro<> send_feed(errand::App& app, WebSocket& socket) {
  auto news = app.subscribe("feed.news.*");
  while (const auto published = co_await news.next()) {
    co_await socket.send(published->parameter + ": " + published->get<std::string>());
  }
}

errand::Coro<> feed(errand::App& app, int id, WebSocket& socket) {
  const std::string name = "receiver:" + std::to_string(id);
  errand::ScopedTask receiving{app.add_task(receiver(id, socket), name)};
  co_await errand::finally(send_feed(app, socket), [&]() -> errand::Coro<> {
    const bool cancelled = co_await receiving.close("the feed has ended");
    std::cout << "server: " << name << (cancelled ? " is cancelled" : " has ended") << ", purged " << app.purge_tasks()
              << '\n';
  });
}

errand::Coro<> handle(errand::App& app, int id, WebSocket& socket) {
  try {
    co_await feed(app, id, socket);
  } catch (const errand::QueueClosed&) {
    std::cout << "server: " << id << " is served no more\n";
  }
}

// The clients

errand::Coro<> client(errand::App& app, int id, std::chrono::seconds stay) {
  WebSocket socket;
  errand::ScopedTask handler{app.add_task(handle(app, id, socket), "feed:" + std::to_string(id))};
  socket.say("hello");
  const auto listen = [&]() -> errand::Coro<> {
    while (const auto message = co_await socket.hear()) std::cout << "client " << id << ": " << *message << '\n';
  };
  co_await errand::move_on_after(listen(), stay);
  socket.close();
  co_await errand::wait_all(handler.get());
}

errand::Coro<> day(errand::App& app) {
  for (int id = 1; id <= 3; ++id) app.add_task(client(app, id, std::chrono::seconds(10 * id)));
  co_await errand::sleep(5s);
  app.dispatch("feed.news.weather", std::string("sunny"));
  co_await errand::sleep(10s);
  app.dispatch("feed.news.sports", std::string("1:1"));
  app.dispatch("feed.news.sports", std::string("2:1"));
  co_await errand::sleep(1s);

  std::cout << "-- registered:";
  for (const errand::Task<>& task : app.tasks()) std::cout << ' ' << task.name();
  std::cout << '\n';

  co_await app.cancel_task("feed:3", "thrown out");
  co_await errand::sleep(10s);
  app.dispatch("feed.news.weather", std::string("rain"));
  co_await errand::sleep(10s);
  app.purge_tasks();
  std::cout << "-- " << app.tasks().size() << " tasks are left\n";
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("feed", {.clock = &clock});
  app.run(day(app));
}
