// SPDX-License-Identifier: MIT
// expect: use add_task
#include <errand/errand.hpp>

using namespace std::chrono_literals;

void test(errand::App& app) {
#ifdef ERRAND_TEST_OK
  app.call_later(1s, [] {});
#else
  app.call_later(1s, []() -> errand::Coro<> { co_return; });
#endif
}
