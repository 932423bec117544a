// SPDX-License-Identifier: MIT
// A shop with a console: `nc -U console.sock` in the same directory, and then `help`. Ctrl-C ends it. Its argument is
// another path for the socket.
#include <chrono>
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <iostream>
#include <string>

#include "console.hpp"

using namespace std::chrono_literals;
using errand::Coro;

/// Packs an order: two parts at once.
Coro<> pack(std::string order) {
  errand::current_task().set_note(order);
  co_await errand::gather(errand::sleep(200ms), errand::sleep(100ms));
  errand::current_task().set_note("");
}

Coro<> work(errand::Queue<std::string>& orders) {
  while (const auto order = co_await orders.next()) co_await pack(*order);
}

/// If it is asked to end, that takes longer than the console waits.
Coro<> count_stock() {
  const auto count = []() -> Coro<> { co_await errand::sleep(24h); };
  const auto write_down = []() -> Coro<> { co_await errand::sleep(1s); };
  co_await errand::finally(count, write_down);
}

Coro<> watch_door(errand::App& app) {
  const auto close = [] { std::cout << "the door is closed" << std::endl; };
  const auto hear = [&]() -> Coro<> {
    while (true) co_await app.event("shop.door.*");
  };
  co_await errand::finally(hear, close);
}

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "console.sock";
  errand::Queue<std::string> orders(100);
  // [console]
  errand::PosixReactor reactor;
  TraceSwitch trace("console.json");
  errand::App app("shop", {.reactor = &reactor, .observer = &trace});
  app.add_task(serve_console(app, path, &trace, 200ms), "console");
  // [console]
  app.add_signal("shop.order.placed",
                 [&](const errand::Signal& signal) -> Coro<> { co_await orders.put(signal.get<std::string>()); });
  app.add_task(work(orders), "worker");
  app.add_task(count_stock, "stock");
  app.add_task(watch_door, "door");
  app.run({.handle_signals = true});
}
