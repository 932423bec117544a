// SPDX-License-Identifier: MIT
// Small asyncio programs, in C++.
#include <chrono>
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

// [program]
errand::Coro<std::string> fetch(std::string name, std::chrono::milliseconds time) {
  co_await errand::sleep(time);
  co_return name;
}

errand::Coro<> fetch_three() {
  errand::Task<std::string> slow = errand::create_task(fetch("slow", 10s));
  const auto [a, b] = co_await errand::gather(fetch("a", 10ms), fetch("b", 20ms));
  std::cout << a << ' ' << b << '\n';
  try {
    std::cout << co_await errand::wait_for(slow, 30ms) << '\n';
  } catch (const errand::TimeoutError&) {
    std::cout << "too slow\n";  // the task runs on, because it was only observed
    slow.cancel();
  }
}
// [program]

// [cancel]
errand::Coro<> work() {
  try {
    co_await errand::sleep(1h);
  } catch (const errand::Cancelled& cancelled) {  // this task is asked to end
    std::cout << "cleans up: " << cancelled.reason() << '\n';
    throw;
  }
}
// [cancel]

errand::Coro<> cancel() {
  // [cancel]
  errand::Task<> task = errand::create_task(work());
  co_await errand::sleep(10ms);
  task.cancel("no longer needed");
  try {
    co_await task;
  } catch (const errand::TaskCancelled& error) {  // the other task was cancelled; this one was not
    std::cout << error.what() << '\n';
  }
  // [cancel]
}

errand::Coro<> save(int number) {
  co_await errand::yield();
  if (number == 2) throw std::runtime_error("disk full");
}

errand::Coro<> group() {
  // [group]
  try {
    co_await errand::TaskGroup::run([](errand::TaskGroup& members) -> errand::Coro<> {
      for (int number = 1; number <= 3; ++number) members.add(save(number));
      co_return;
    });
  } catch (const std::runtime_error& error) {  // the first error itself, not a group of errors
    std::cout << error.what() << '\n';
  }
  // [group]
}

// [finally]
errand::Coro<> talk() {
  const auto body = []() -> errand::Coro<> { co_await errand::sleep(1h); };
  const auto say_goodbye = []() -> errand::Coro<> {
    co_await errand::sleep(10ms);  // a clean-up may await
    std::cout << "goodbye\n";
  };
  co_await errand::finally(body, say_goodbye);
}
// [finally]

}  // namespace

// [program]

int main() {
  errand::App app;
  app.run(fetch_three());
  // [program]
  app.run(cancel());
  app.run(group());
  app.run(errand::move_on_after(talk(), 10ms));
  // [program]
}
// [program]
