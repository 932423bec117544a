// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

errand::Coro<int> read_station(std::string name, int degrees) {
  std::cout << "asking " << name << '\n';
  co_await errand::sleep(2ms);
  co_return degrees;
}

// Has no handle. It knows the name, and so could stand in another part of the program.
errand::Coro<> report(errand::App& app, std::string station) {
  const errand::Task<int> reading = app.find_task<int>("read:" + station);
  if (!reading) {
    std::cout << station << ": nobody asks it\n";
    co_return;
  }
  const int degrees = co_await reading;
  std::cout << station << ": " << degrees << " degrees\n";
}

errand::Coro<> run(errand::App& app) {
  app.add_task(read_station("harbour", 17), "read:harbour");
  app.add_task(read_station("summit", -3), "read:summit");
  try {
    app.add_task(read_station("summit", -3), "read:summit");
  } catch (const errand::TaskNameInUse& error) {
    std::cout << error.what() << '\n';
  }

  co_await report(app, "summit");
  co_await report(app, "harbour");
  co_await report(app, "summit");
  co_await report(app, "desert");

  for (const errand::Task<>& task : app.tasks()) std::cout << task.name() << ' ' << task.status() << '\n';
  std::cout << "purged " << app.purge_tasks() << " tasks\n";
  co_await report(app, "summit");
}

int main() {
  errand::App app("weather");
  app.run(run(app));
}
// [program]
