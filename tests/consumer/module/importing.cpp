// SPDX-License-Identifier: MIT
// A program of two files, of which this one imports errand, and included.cpp includes errand.hpp. Both use one App,
// whose tasks, errors and thread-locals they share. This file also uses what a module could lose, because no
// using-declaration names it: a std::hash, a conversion, operators.
#include <chrono>
#include <coroutine>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

import errand;

#include "included.hpp"

using namespace std::chrono_literals;

namespace {

void say(std::string_view what, bool is_right) { std::cout << (is_right ? "" : "WRONG: ") << what << '\n'; }

errand::Coro<int> add_up(errand::Queue<int>& numbers) {
  int sum = 0;
  while (auto number = co_await numbers.next()) sum += *number;
  co_return sum;
}

errand::Coro<> rest() { co_await errand::sleep(1h); }

errand::Coro<> share(errand::App& app) {
  say("one App", &current_app() == &app);

  errand::Queue<int> numbers(1);
  auto sum = app.add_task(add_up(numbers), "sum");
  co_await errand::gather(send(numbers), errand::sleep(1ms));
  say("a queue", co_await sum == 6);

  app.add_task(fail(app), "fails");
  try {
    co_await app.get_task("fails");
    say("an error", false);
  } catch (const errand::Error& error) {
    say("an error", dynamic_cast<const errand::TaskNotFound*>(&error) != nullptr);
  }

  auto payment = app.add_task(wait_for_payment(app), "payment");
  auto attempt = app.add_task(errand::supervise(rest), "attempt");
  co_await errand::yield();
  std::ostringstream table;
  table << app.snapshot() << errand::TaskStatus::pending;
  say("a table", table.str().find("signal at included.cpp:") != std::string::npos && table.str().ends_with("pending"));
  say("no places inside errand", table.str().find(".hpp") == std::string::npos);
  attempt.abort();
  app.dispatch("shop.order.paid", 17);
  say("a signal", co_await payment == 17);

  std::unordered_set<errand::Task<>> tasks{payment, sum, app.get_task("fails")};
  say("a hash", tasks.size() == 3 && tasks.contains(errand::Task<>(sum)) && !tasks.contains(errand::current_task()));

  errand::ScopedTask waiting{app.add_task(wait_for_payment(app))};
  const bool cancelled = co_await waiting.close("enough");
  say("a cancellation", cancelled);
  const int called = co_await errand::to_thread([](int value) { return value; }, 5);
  say("a thread", called == 5);
  auto first = co_await errand::race(wait_for_payment(app), errand::sleep(1ms));
  say("a race", first.index() == 1);
}

}  // namespace

int main() {
  errand::App app("shared");
  app.run(share(app));
}
