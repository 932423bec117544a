// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

errand::Coro<int> read_station(std::string name) {
  co_await errand::sleep(1ms);
  if (name == "desert") throw std::runtime_error("the " + name + " does not answer");
  co_return 17;
}

errand::Coro<> report(errand::App& app) {
  // An error comes out of the await, as it comes out of a call.
  try {
    const int degrees = co_await read_station("desert");
    std::cout << "desert: " << degrees << " degrees\n";
  } catch (const std::runtime_error& error) {
    std::cout << "caught: " << error.what() << '\n';
  }

  // Or it comes as a value.
  const errand::Outcome<int> outcome = co_await errand::settled(read_station("desert"));
  if (outcome.failed()) std::cout << "settled: " << outcome.what() << '\n';

  // A task keeps its result, or its error, as long as there is a handle.
  const errand::Task<int> harbour = app.add_task(read_station("harbour"));
  const errand::Task<int> desert = app.add_task(read_station("desert"));
  co_await errand::wait_all(harbour, desert);  // waits for the ends, and throws no error of a task
  std::cout << "harbour " << harbour.status() << ": " << harbour.result() << " degrees\n";
  std::cout << "desert " << desert.status() << ": " << desert.what() << '\n';

  // Nobody has a handle to this task. So nobody can ever see its error, and the App reports it.
  app.add_task(read_station("desert"), "unseen");
  std::cout << "report ends\n";
}

int main() {
  errand::App app("weather", {.on_failure = [](const errand::TaskFailure& failure) {
                    std::cout << "reported: task '" << failure.name() << "': " << failure.what() << '\n';
                  }});
  app.add_task(report(app));
  app.run();  // returns when no task is left
}
// [program]
