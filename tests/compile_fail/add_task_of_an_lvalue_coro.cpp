// SPDX-License-Identifier: MIT
// expect: a Coro runs once: write add_task(std::move(coro))
#include <errand/errand.hpp>
#include <utility>

errand::Coro<int> work() { co_return 1; }

void test(errand::App& app) {
  auto coro = work();
#ifdef ERRAND_TEST_OK
  app.add_task(std::move(coro), "name");
#else
  app.add_task(coro, "name");
#endif
}
