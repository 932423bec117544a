// SPDX-License-Identifier: MIT
// W10: a small program that adds tasks and awaits them. Its size and the time to compile it are measured.
#include <cstdio>
#include <errand/errand.hpp>

namespace {

errand::Coro<int> twice(int number) { co_return 2 * number; }

errand::Coro<int> work(errand::App& app) {
  const auto one = app.add_task(twice(1), "one");
  const auto two = app.add_task(twice(2), "two");
  const int sum = co_await one;
  co_return sum + co_await two;
}

}  // namespace

int main() {
  errand::App app;
  std::printf("%d\n", app.run(work(app)));
}
