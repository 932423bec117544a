// SPDX-License-Identifier: MIT
// expect: a Coro runs once: write co_await std::move(coro)
#include <errand/errand.hpp>
#include <utility>

errand::Coro<> work() { co_return; }

errand::Coro<> test() {
  auto coro = work();
#ifdef ERRAND_TEST_OK
  co_await std::move(coro);
#else
  co_await coro;
#endif
}
