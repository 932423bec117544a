// SPDX-License-Identifier: MIT
// Conformance cases about many tasks and deep nesting. Test names begin with the ids of the cases.
#include <algorithm>
#include <random>
#include <utility>

#include "support.hpp"

namespace {

Coro<int> depth(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await depth(n - 1);
}

Coro<int> chain_of_tasks(App& app, int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await app.add_task(chain_of_tasks(app, n - 1));
}

}  // namespace

APP_TEST("X01 K23 100,000 tasks yield once and return their numbers") {
  constexpr int count = 100'000;
  const auto begun = errand::Clock::now();
  std::vector<Task<int>> tasks;
  tasks.reserve(count);
  const auto number = [](int n) -> Coro<int> {
    co_await errand::yield();
    co_return n;
  };
  for (int i = 0; i < count; ++i) tasks.push_back(add(number(i)));
  long long sum = 0;
  for (const auto& task : tasks) sum += co_await task;
  log(sum);
#ifdef __OPTIMIZE__
  CHECK((errand::Clock::now() - begun < 1s));
#else
  (void)begun;
#endif
  expect("4999950000");
}

APP_TEST("X02 100,000 sleeping tasks are all cancelled") {
  constexpr int count = 100'000;
  std::vector<Task<int>> tasks;
  tasks.reserve(count);
  for (int i = 0; i < count; ++i) tasks.push_back(add(after(1h)));
  co_await errand::yield();
  for (auto& task : tasks) task.cancel();
  co_await errand::wait_all(tasks);
  log(std::count_if(tasks.begin(), tasks.end(), [](const auto& task) { return task.cancelled(); }));
  expect("100000");
}

APP_TEST("X03 a chain of a million nested awaits takes constant stack") {
  const int reached = co_await depth(1'000'000);
  log(reached);
  expect("1000000");
}

APP_TEST("X07 100,000 timers fire sorted, equal ones in the order set") {
  constexpr int count = 100'000;
  std::mt19937 random(7);
  std::vector<std::pair<int, int>> fired;
  fired.reserve(count);
  for (int i = 0; i < count; ++i) {
    const int delay = static_cast<int>(random() % 10'000);
    later(std::chrono::milliseconds(delay), [&fired, delay, i] { fired.emplace_back(delay, i); });
  }
  co_await errand::sleep(10s);
  CHECK(fired.size() == count);
  CHECK(std::is_sorted(fired.begin(), fired.end()));
  expect("");
}

APP_TEST("K24 a chain of 10,000 tasks that await each other returns through all of them") {
  const int reached = co_await chain_of_tasks(app, 10'000);
  log(reached);
  expect("10000");
}
