// SPDX-License-Identifier: MIT
// errand compiles after the macros of others have been defined, and leaves them as they were.
#include "macros.hpp"
// must come after the macros
#include <errand/errand.hpp>

using namespace std::chrono_literals;

errand::Coro<int> twice(int n) {
  co_await errand::sleep(1ms);
  co_return 2 * n;
}

errand::Coro<int> program() {
  errand::Queue<int> queue(1);
  co_await queue.put(1);
  const int one = co_await errand::wait_for(queue.get(), 1s);
  auto [four, six] = co_await errand::gather(twice(2), twice(3));
  co_return one + four + six + co_await errand::shield(twice(0));
}

int main() {
  errand::ManualClock clock;
  errand::App app("app", {.clock = &clock});
  const int sum = app.run(program());
  check(sum == 11);
  return max(sum, 11) == 11 && min(Success, None) == 0 && ensure(True) ? 0 : 1;
}
