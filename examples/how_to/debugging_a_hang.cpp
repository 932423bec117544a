// SPDX-License-Identifier: MIT
// Programs that hang, and what can be seen then.
#include <chrono>
#include <errand/errand.hpp>
#include <iostream>

using namespace std::chrono_literals;

namespace {

// [deadlock]
errand::Coro<> move_money(errand::Lock& from, errand::Lock& to) {
  const auto first = co_await from.acquire();
  co_await errand::sleep(1ms);
  const auto second = co_await to.acquire();
}
// [deadlock]

void deadlock() {
  // [deadlock]
  errand::Lock mine;
  errand::Lock yours;
  errand::App app("bank");
  app.add_task(move_money(mine, yours), "to you");
  app.add_task(move_money(yours, mine), "to me");
  try {
    app.run();
  } catch (const errand::Deadlock& error) {
    std::cout << error.what();
  }
  // [deadlock]
}

errand::Coro<> consume(errand::Queue<int>& orders) {
  while (const auto order = co_await orders.next()) std::cout << "order " << *order << '\n';
}

void dump() {
  errand::Queue<int> orders;
  // [dump]
  errand::App app("shop");
  app.add_task(consume(orders), "consumer");
  app.call_later(10ms, [&app] { app.dump_tasks(std::cout); });
  // [dump]
  app.call_later(20ms, [&orders] { orders.close(); });
  app.run();
}

// [stop]
errand::Coro<> never_gives_up() {
  while (true) {
    try {
      co_await errand::sleep(1h);
    } catch (const errand::Cancelled&) {  // swallows every request to end
    }
  }
}
// [stop]

void stop() {
  // [stop]
  errand::App app("shop", {.graceful_timeout = 100ms, .on_failure = [](const errand::TaskFailure& failure) {
                             std::cout << failure.what() << '\n';
                           }});
  app.add_task(never_gives_up(), "stubborn");
  app.call_later(10ms, [&app] { app.stop(); });
  app.run();
  // [stop]
}

}  // namespace

int main() {
  deadlock();
  dump();
  stop();
}
