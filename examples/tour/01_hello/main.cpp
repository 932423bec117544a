// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

// Asks a weather station for its temperature. The sleep stands for the time until the answer comes.
errand::Coro<int> read_station(std::string name, int degrees) {
  std::cout << "asking " << name << '\n';
  co_await errand::sleep(2ms);
  std::cout << name << " answers\n";
  co_return degrees;
}

errand::Coro<> report(errand::App& app) {
  // Coroutines, awaited: each runs here, and this function goes on when it has ended.
  const int harbour = co_await read_station("harbour", 17);
  const int summit = co_await read_station("summit", -3);
  std::cout << "one after the other: " << harbour << " and " << summit << " degrees\n";

  // Tasks: they run in the background, and this function goes on at once.
  const errand::Task<int> forest_task = app.add_task(read_station("forest", 12));
  const errand::Task<int> meadow_task = app.add_task(read_station("meadow", 14));
  std::cout << "two tasks are added\n";
  const int forest = co_await forest_task;
  const int meadow = co_await meadow_task;
  std::cout << "at the same time: " << forest << " and " << meadow << " degrees\n";
}

int main() {
  errand::App app("weather");
  app.run(report(app));  // returns when report has ended
}
// [program]
