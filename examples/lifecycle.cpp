// SPDX-License-Identifier: MIT
// The life of an App: listeners in order and in reverse, failures that are never lost, and a stop that lets tasks
// finish the work that they have begun. The clock is a ManualClock, so the program takes no time and its output is
// always the same.
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

struct Orders {
  errand::Queue<std::string> queue;
};

// [ship]
/// Ends when the queue is closed and empty.
errand::Coro<> ship(errand::App& app) {
  auto& orders = app.ctx().get<Orders>();
  while (const auto order = co_await orders.queue.next()) {
    co_await errand::sleep(2s);
    std::cout << "  shipped " << *order << '\n';
    orders.queue.task_done();
  }
  std::cout << "  no more orders\n";
}
// [ship]

errand::Coro<> watch_stock() {
  co_await errand::sleep(1s);
  throw std::runtime_error("the warehouse does not answer");
}

errand::Coro<> advertise() {
  auto interval = errand::every(10s);
  try {
    while (true) co_await interval.tick();
  } catch (const errand::Cancelled&) {
    std::cout << "  advertise says goodbye\n";
    throw;
  }
}

/// Swallows every request to end. No task should do this.
errand::Coro<> stubborn() {
  while (true) {
    try {
      co_await errand::sleep(24h);
    } catch (const errand::Cancelled&) {
      std::cout << "  stubborn goes on\n";
    }
  }
}

}  // namespace

int main() {
  errand::ManualClock clock;
  // [app]
  errand::App app("shop",
                  {.clock = &clock, .graceful_timeout = 5s, .on_failure = [](const errand::TaskFailure& failure) {
                     std::cout << "  on_failure: " << failure.name() << ": " << failure.what() << '\n';
                   }});
  // [app]

  app.main_process_start([] { std::cout << "main_process_start\n"; });
  app.before_server_start([](errand::App& shop) {
    std::cout << "before_server_start\n";
    shop.ctx().emplace<Orders>();
  });
  app.before_server_start([] { std::cout << "before_server_start, first by its priority\n"; }, 10);
  app.after_server_start([](errand::App& shop) -> errand::Coro<> {
    std::cout << "after_server_start\n";
    for (const char* order : {"a lamp", "a chair", "a table"}) co_await shop.ctx().get<Orders>().queue.put(order);
    shop.add_task(ship, "ship");
    shop.add_task(watch_stock(), "watch_stock");
    shop.add_task(advertise(), "advertise");
    shop.add_task(stubborn(), "stubborn");
    shop.call_later(3s, [&shop] {
      std::cout << "stop\n";
      shop.stop();
    });
  });
  // [stop]
  app.before_server_stop([](errand::App& shop) -> errand::Coro<> {
    std::cout << "before_server_stop: the tasks still run\n";
    shop.ctx().get<Orders>().queue.close();
    co_await shop.get_task("ship");
  });
  app.before_server_stop([] { std::cout << "before_server_stop, in reverse\n"; });
  // [stop]
  app.after_server_stop(
      [](errand::App& shop) { std::cout << "after_server_stop: " << shop.all_tasks().size() << " tasks are left\n"; });
  app.main_process_stop([] { std::cout << "main_process_stop\n"; });

  app.run();
}
