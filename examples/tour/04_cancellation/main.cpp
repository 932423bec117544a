// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

// Reads a station every hour, until the task is asked to end.
errand::Coro<> watch(std::string name) {
  try {
    while (true) {
      std::cout << name << ": 17 degrees\n";
      co_await errand::sleep(1h);
    }
  } catch (const errand::Cancelled& cancelled) {
    std::cout << name << ": asked to end, because " << cancelled.reason() << '\n';
    throw;  // so that the task ends as cancelled
  }
}

errand::Coro<> hang_up(std::string name) {
  co_await errand::sleep(1ms);  // a clean-up may await
  std::cout << name << ": hung up\n";
}

// Hangs up in any case, whether watch returns, throws or is cancelled.
errand::Coro<> call(std::string name) { co_await errand::finally(watch(name), hang_up(name)); }

errand::Coro<> run(errand::App& app) {
  app.add_task(call("harbour"), "call:harbour");
  errand::Task<> summit = app.add_task(call("summit"), "call:summit");
  errand::Task<> forest = app.add_task(call("forest"), "call:forest");
  forest.cancel("it was a mistake");  // it has not begun yet
  co_await errand::yield();           // lets the others begin

  const bool cancelled = co_await app.cancel_task("call:harbour", "it is low tide");
  std::cout << "harbour: " << (cancelled ? "was cancelled\n" : "was not cancelled\n");

  summit.abort("the power is off");
  try {
    co_await summit;
  } catch (const errand::TaskCancelled& error) {
    std::cout << error.what() << '\n';
  }
  std::cout << "forest: " << forest.status() << '\n';
}

int main() {
  errand::App app("weather");
  app.run(run(app));
}
// [program]
