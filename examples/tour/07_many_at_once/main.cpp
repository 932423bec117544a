// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

int calls = 0, most_calls = 0;
errand::Coro<int> read_station(std::string name) {
  if (++calls > most_calls) most_calls = calls;
  co_await errand::sleep(1ms);
  --calls;
  if (name == "desert") throw std::runtime_error("the desert does not answer");
  co_return name == "summit" ? -3 : 17;
}

errand::Coro<std::string> ask(std::string server, std::chrono::milliseconds delay) {
  co_await errand::sleep(delay);
  co_return server;
}

errand::Coro<> watch(std::string name) {
  try {
    co_await errand::sleep(1h);
  } catch (const errand::Cancelled&) {
    std::cout << name << ": is not watched any more\n";
    throw;
  }
}

errand::Coro<> run() {
  const auto [harbour, summit] = co_await errand::gather(read_station("harbour"), read_station("summit"));
  std::cout << "harbour " << harbour << ", summit " << summit << '\n';

  const std::vector<std::string> names = {"harbour", "summit", "forest", "meadow", "island"};
  const std::vector<int> readings = co_await errand::gather(names, read_station, 2);  // two at once
  std::cout << readings.size() << " readings, at most " << most_calls << " at once\n";

  const auto first = co_await errand::race(ask("the archive", 1h), ask("the cache", 1ms));
  std::cout << "number " << first.index() << " was first\n";

  try {
    co_await errand::TaskGroup::run([](errand::TaskGroup& group) -> errand::Coro<> {
      for (const char* name : {"harbour", "forest"}) group.add(watch(name));
      group.add(read_station("desert"));
      co_return;
    });
  } catch (const std::runtime_error& error) {
    std::cout << "the group has ended: " << error.what() << '\n';
  }
}

int main() {
  errand::App app("weather");
  app.run(run());
}
// [program]
