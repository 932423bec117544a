// SPDX-License-Identifier: MIT
// expect: a Coro does nothing until it is awaited, or given to add_task
#include <errand/errand.hpp>

errand::Coro<> work() { co_return; }

errand::Coro<> test() {
#ifdef ERRAND_TEST_OK
  co_await work();
#else
  work();
  co_return;
#endif
}
