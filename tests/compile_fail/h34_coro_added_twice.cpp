// SPDX-License-Identifier: MIT
// expect: a Coro runs once: write add_task(std::move(coro))
#include <errand/errand.hpp>
#include <utility>

errand::Coro<> work() { co_return; }

void test(errand::App& app) {
#ifdef ERRAND_TEST_OK
  auto first = work();
  auto second = work();
  app.add_task(std::move(first));
  app.add_task(std::move(second));
#else
  auto coro = work();
  app.add_task(coro);
  app.add_task(coro);
#endif
}
