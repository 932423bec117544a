// SPDX-License-Identifier: MIT
// W3, the yields of 1,000 tasks, in an App with an Observer.
#include <cstdint>
#include <errand/errand.hpp>
#include <string_view>
#include <vector>

#include "../bench.hpp"

namespace {

struct ByName : errand::Observer {
  void task_added(const errand::TaskEvent&) override {}
  void task_ended(const errand::TaskEvent&) override {}
};

struct Whole : ByName {
  void step_began(const errand::TaskEvent&) override { ++steps; }
  void step_ended(const errand::TaskEvent&) override {}
  void woken(const errand::TaskEvent&) override {}
  long steps = 0;
};

errand::Coro<long> yielding(long n) {
  for (long i = 0; i < n; ++i) co_await errand::yield();
  co_return n;
}

errand::Coro<long> yields(errand::App& app, long n) {
  std::vector<errand::Task<long>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(app.add_task(yielding(n / 1000)));
  long sum = 0;
  for (const auto& task : tasks) sum += co_await task;
  co_return sum;
}

template <class Observer>
long observed(long n) {
  Observer observer;
  errand::App app("observed", {.observer = &observer});
  return app.run(yields(app, n));
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory&) {
  if (workload == "W3n") return observed<ByName>(n);
  if (workload == "W3o") return observed<Whole>(n);
  return unknown;
}
