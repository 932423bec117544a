// SPDX-License-Identifier: MIT
// W10: adds tasks and awaits them; the program whose size is taken.
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
