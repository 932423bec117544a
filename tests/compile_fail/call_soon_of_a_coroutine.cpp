// SPDX-License-Identifier: MIT
// expect: use add_task
#include <errand/errand.hpp>

void test(errand::App& app) {
#ifdef ERRAND_TEST_OK
  app.call_soon([] {});
#else
  app.call_soon([]() -> errand::Coro<> { co_return; });
#endif
}
