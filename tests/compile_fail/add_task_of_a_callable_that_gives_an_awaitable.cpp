// SPDX-License-Identifier: MIT
// expect: this callable returns an awaitable that is no Coro
#include <errand/errand.hpp>

using namespace std::chrono_literals;

void test(errand::App& app) {
#ifdef ERRAND_TEST_OK
  app.add_task([]() -> errand::Coro<> { co_await errand::sleep(1s); });
#else
  app.add_task([] { return errand::sleep(1s); });
#endif
}
