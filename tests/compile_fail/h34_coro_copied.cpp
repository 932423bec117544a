// SPDX-License-Identifier: MIT
// expect: deleted
#include <errand/errand.hpp>
#include <utility>

errand::Coro<> work() { co_return; }

void test() {
  auto coro = work();
#ifdef ERRAND_TEST_OK
  auto other = std::move(coro);
#else
  auto other = coro;
#endif
}
