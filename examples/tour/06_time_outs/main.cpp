// SPDX-License-Identifier: MIT
// [program]
#include <chrono>
#include <errand/errand.hpp>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

errand::Coro<int> read_station(std::string name, std::chrono::milliseconds delay) {
  try {
    co_await errand::sleep(delay);
  } catch (const errand::Cancelled&) {
    std::cout << name << ": hangs up\n";
    throw;
  }
  co_return 17;
}

errand::Coro<> run(errand::App& app) {
  const int harbour = co_await errand::wait_for(read_station("harbour", 1ms), 10s);
  std::cout << "harbour: " << harbour << " degrees\n";

  try {
    co_await errand::wait_for(read_station("summit", 1h), 2ms);  // a coroutine: it is cancelled
  } catch (const errand::TimeoutError& error) {
    std::cout << "summit: " << error.what() << '\n';
  }

  const errand::Task<int> forest_task = app.add_task(read_station("forest", 8ms));
  try {
    co_await errand::wait_for(forest_task, 2ms);  // a task: it runs on
  } catch (const errand::TimeoutError& error) {
    std::cout << "forest: " << error.what() << '\n';
  }
  const int forest = co_await forest_task;
  std::cout << "forest: " << forest << " degrees, at last\n";

  const std::optional<int> desert = co_await errand::move_on_after(read_station("desert", 1h), 2ms);
  std::cout << "desert: " << (desert ? "an answer\n" : "no answer\n");

  int attempts = 0;
  const auto connect = [&]() -> errand::Coro<int> {
    if (++attempts < 3) throw std::runtime_error("the line is busy");
    return read_station("meadow", 1ms);
  };
  const int meadow = co_await errand::retry(connect, {.first = 1ms, .attempts = 5});  // waits 1 ms, then 2 ms
  std::cout << "meadow: " << meadow << " degrees at attempt " << attempts << '\n';
}

int main() {
  errand::App app("weather");
  app.run(run(app));
}
// [program]
