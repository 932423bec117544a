// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>

using namespace std::chrono_literals;

struct Store {
  errand::Queue<int> readings;
  int stored = 0;
};

errand::Coro<> read_station(errand::App& app) {
  auto& store = app.ctx().get<Store>();
  try {
    for (const int degrees : {17, 12, -3}) co_await store.readings.put(degrees);
    std::cout << "stop\n";
    app.stop();  // in place of Ctrl-C
    co_await errand::sleep(1h);
  } catch (const errand::Cancelled&) {
    std::cout << "the station is asked to end\n";
    throw;
  }
}

errand::Coro<> store_all(errand::App& app) {
  auto& store = app.ctx().get<Store>();
  while (const auto degrees = co_await store.readings.next()) {
    co_await errand::sleep(1ms);
    ++store.stored;
    std::cout << "stored " << *degrees << " degrees\n";
  }
}

// The tasks still run. Lets the store finish what it has begun.
errand::Coro<> drain(errand::App& app) {
  app.ctx().get<Store>().readings.close();
  co_await app.get_task("store");
  std::cout << "drained\n";
}

void say_goodbye(errand::App& app) {
  std::cout << app.ctx().get<Store>().stored << " stored, " << app.all_tasks().size() << " tasks left\n";
}

int main() {
  errand::App app("weather", {.graceful_timeout = 5s});
  app.before_server_start([](errand::App& starting) {
    std::cout << "starting\n";
    starting.ctx().emplace<Store>();
  });
  app.add_task(read_station, "station");  // callables: they are called with the App
  app.add_task(store_all, "store");
  app.before_server_stop(drain);
  app.after_server_stop(say_goodbye);
  app.run({.handle_signals = true});
  std::cout << "run has returned\n";
}
// [program]
