// SPDX-License-Identifier: MIT
// expect: give it a name first
// compiler: gcc 12
#include <errand/errand.hpp>
#include <string>

errand::Coro<> test(errand::Watch<int>& watch, std::string text) {
  auto predicate = [text](int value) { return value > 0 && !text.empty(); };
#ifdef ERRAND_TEST_OK
  co_await watch.wait(predicate);
#else
  co_await watch.wait([text](int value) { return value > 0 && !text.empty(); });
#endif
}
