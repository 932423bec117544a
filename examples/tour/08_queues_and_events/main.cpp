// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>
#include <string>
#include <utility>

struct Reading {
  std::string station;
  int degrees;
};

errand::Coro<> read_station(std::string name, int degrees, errand::Event& noon, errand::Queue<Reading>& readings) {
  std::cout << name << ": waits for noon\n";
  co_await noon.wait();
  for (int hour = 12; hour < 15; ++hour, degrees -= 2) {
    Reading reading{name, degrees};  // not inside the co_await: see the page
    co_await readings.put(std::move(reading));
  }
  std::cout << name << ": has put all\n";
}

errand::Coro<> store(errand::App& app, errand::Queue<Reading>& readings) {
  while (const auto reading = co_await readings.next()) {
    std::cout << "stored: " << reading->station << ' ' << reading->degrees << '\n';
    if (reading->degrees < 0) app.dispatch("weather.frost." + reading->station, reading->degrees);
  }
  std::cout << "all is stored\n";
}

errand::Coro<> warn(errand::Subscription<errand::Signal> frosts) {
  while (const auto frost = co_await frosts.next()) {
    std::cout << "frost at the " << frost->parameter << ": " << frost->get<int>() << " degrees\n";
  }
}

errand::Coro<> run(errand::App& app) {
  errand::Event noon;
  errand::Queue<Reading> readings(2);  // at most two wait in it
  errand::TaskScope tasks(app);        // below what its tasks use
  tasks.add(warn(app.subscribe("weather.frost.*")));
  const errand::Task<> storing = tasks.add(store(app, readings));
  const errand::Task<> harbour = tasks.add(read_station("harbour", 17, noon, readings));
  const errand::Task<> summit = tasks.add(read_station("summit", 1, noon, readings));

  co_await errand::yield();  // lets them begin
  std::cout << "it is noon\n";
  noon.set();
  co_await errand::wait_all(harbour, summit);
  readings.close();
  co_await storing;
}

int main() {
  errand::App app("weather");
  app.run(run(app));
}
// [program]
