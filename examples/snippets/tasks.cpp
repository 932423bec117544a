// SPDX-License-Identifier: MIT
// Background tasks and the registry: the statements of Sanic's page, in C++.
#include <errand/errand.hpp>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace {

// [create]
errand::Coro<> notify() {
  co_await errand::sleep(5s);
  std::cout << "Server successfully started!\n";
}
// [create]

// [auto_inject]
errand::Coro<> auto_inject(errand::App& app) {
  co_await errand::sleep(6s);
  std::cout << app.name() << '\n';
}
// [auto_inject]

errand::Coro<> explicit_inject(errand::App& app) { return auto_inject(app); }

errand::Coro<int> some_coroutine() {
  co_await errand::sleep(1s);
  co_return 42;
}

errand::Coro<> slow_work() { co_await errand::sleep(1h); }

errand::Coro<> create(errand::App& app) {
  // [create]
  app.add_task(notify());
  // [create]
  // [auto_inject]
  app.add_task(auto_inject);  // is called with the App
  // [auto_inject]
  // [explicit_inject]
  app.add_task(explicit_inject(app));
  // [explicit_inject]
  co_await errand::sleep(10s);
}

errand::Coro<> result(errand::App& app) {
  // [result]
  errand::Task<int> task = app.add_task(some_coroutine());
  const int awaited = co_await task;    // can be awaited any number of times, by any number of tasks
  const int looked_at = task.result();  // possible, because the task is done by now
  // [result]
  std::cout << awaited << ' ' << looked_at << '\n';
}

errand::Coro<> registry(errand::App& app) {
  // [name]
  app.add_task(slow_work, "slow_task");
  // [name]
  app.add_task(some_coroutine(), "answer");

  // [get]
  errand::Task<> task = app.get_task("slow_task");
  errand::Task<int> answer = app.get_task<int>("answer");  // with the type of its result
  // [get]
  std::cout << task.name() << ' ' << co_await answer << '\n';

  // [cancel]
  const bool cancelled = co_await app.cancel_task("slow_task");
  // [cancel]
  std::cout << "cancelled " << cancelled << '\n';

  // [tasks]
  for (const errand::Task<>& registered : app.tasks()) {
    std::cout << registered.name() << (registered.cancelled() ? ": cancelled\n" : ": done\n");
  }
  // [tasks]

  // [purge]
  const std::size_t purged = app.purge_tasks();
  // [purge]
  std::cout << "purged " << purged << '\n';
}

class WebSocket {
 public:
  auto recv() { return incoming.get(); }
  auto send(std::string message) { return outgoing.put(std::move(message)); }

  errand::Queue<std::string> incoming;
  errand::Queue<std::string> outgoing;
};

// [websocket]
errand::Coro<> receiver(WebSocket& ws) {
  while (true) {
    const std::string message = co_await ws.recv();
    if (message.empty()) break;
    std::cout << "Received: " << message << '\n';
  }
}

errand::Coro<> feed(errand::App& app, int id, WebSocket& ws) {
  errand::ScopedTask receiving{app.add_task(receiver(ws), "receiver:" + std::to_string(id))};
  co_await errand::finally(
      [&]() -> errand::Coro<> {
        auto events = app.subscribe("my.custom.event");
        while (co_await events.next()) co_await ws.send("A message");
      },
      [&]() -> errand::Coro<> {
        co_await receiving.close();
        app.purge_tasks();
      });
}
// [websocket]

errand::Coro<> websocket(errand::App& app) {
  WebSocket ws;
  errand::ScopedTask feeding{app.add_task(feed(app, 1, ws), "feed")};
  co_await ws.incoming.put("hello");
  co_await errand::sleep(1s);
  co_await app.dispatch("my.custom.event");
  std::cout << "Sent: " << co_await ws.outgoing.get() << '\n';
  co_await feeding.close();
  app.purge_tasks();
  std::cout << "left " << app.tasks().size() << '\n';
}

errand::Coro<> clean_up_slowly() {
  try {
    co_await errand::sleep(1h);
  } catch (const errand::Cancelled& cancelled) {
    std::cout << "cancelled: " << cancelled.reason() << '\n';
    throw;
  }
}

errand::Coro<> beyond(errand::App& app) {
  app.add_task(clean_up_slowly(), "worker");
  co_await errand::yield();
  // [cancel_reason]
  co_await app.cancel_task("worker", "no longer needed");  // the task reads it as Cancelled::reason()
  // [cancel_reason]

  // [find]
  if (errand::Task<> task = app.find_task("no_such_task")) task.cancel();  // empty if there is no such task
  // [find]

  // [unregistered]
  errand::Task<int> task = errand::create_task(some_coroutine());  // not in the registry, but the App owns the task
  app.add_task(task, "answer");                                    // registers the existing task under a name
  // [unregistered]
  std::cout << co_await app.get_task<int>("answer") << '\n';

  // [shutdown]
  const std::size_t left = co_await app.shutdown_tasks(5s);
  // [shutdown]
  std::cout << "left " << left << '\n';
}

struct Database {
  explicit Database(std::string its_host) : host(std::move(its_host)) {}
  std::string host;
};

// [events]
errand::Coro<> wait_for_orders(errand::App& app) {
  const errand::Signal signal = co_await app.event("shop.order.*", 30s);  // TimeoutError after 30 s
  std::cout << signal.parameter << ": " << signal.get<int>() << '\n';
}
// [events]

// [subscribe]
errand::Coro<> ship(errand::App& app) {
  auto paid = app.subscribe("shop.order.paid");
  while (auto signal = co_await paid.next()) {
    co_await errand::sleep(1s);  // more orders may be paid meanwhile
    std::cout << "shipped " << signal->get<int>() << '\n';
  }
}
// [subscribe]

errand::Coro<> signals(errand::App& app) {
  app.add_task(wait_for_orders(app));
  app.add_task(ship(app));
  co_await errand::yield();
  // [events]
  app.add_signal("shop.order.<action>", [](const errand::Signal& signal) { std::cout << signal.event << '\n'; });
  app.dispatch("shop.order.paid", 17);  // wakes the waiting tasks, then runs the handlers
  // [events]
  co_await errand::sleep(2s);
}

}  // namespace

int main() {
  errand::ManualClock clock;
  errand::App app("MyApp", {.clock = &clock});
  for (const auto part : {create, result, registry, websocket, beyond, signals}) app.run(part(app));

  errand::App shop("shop", {.clock = &clock});
  // [listeners]
  shop.before_server_start([](errand::App& starting) { starting.ctx().emplace<Database>("localhost"); });
  shop.after_server_start([](errand::App& running) { std::cout << running.ctx().get<Database>().host << '\n'; });
  shop.before_server_stop([] { std::cout << "draining\n"; });
  shop.before_server_stop([] { std::cout << "first: the *_stop ones run in reverse\n"; });
  shop.before_server_start([] { std::cout << "first by its priority\n"; }, 10);
  // [listeners]
  shop.run();
}
