// SPDX-License-Identifier: MIT
// case: S06
// expect: add_task takes a Coro, a Task, or a callable f(App&) or f()
#include <errand/errand.hpp>

void test(errand::App& app) {
#ifdef ERRAND_TEST_OK
  app.add_task([](errand::App&) -> errand::Coro<> { co_return; });
#else
  app.add_task([](errand::App&, int) -> errand::Coro<> { co_return; });
#endif
}
