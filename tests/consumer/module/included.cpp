// SPDX-License-Identifier: MIT
#include <errand/errand.hpp>

#include "included.hpp"

errand::Coro<> send(errand::Queue<int>& numbers) {
  for (int i = 1; i <= 3; ++i) co_await numbers.put(i);
  numbers.close();
}

errand::Coro<> fail(errand::App& app) {
  co_await errand::yield();
  app.get_task("no such task");
}

errand::Coro<int> wait_for_payment(errand::App& app) {
  const errand::Signal signal = co_await app.event("shop.order.paid");
  co_return signal.get<int>();
}

errand::App& current_app() { return errand::App::current(); }
