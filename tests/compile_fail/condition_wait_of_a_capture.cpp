// SPDX-License-Identifier: MIT
// expect: give it a name first
// compiler: gcc 12
#include <errand/errand.hpp>
#include <string>

errand::Coro<> wait(errand::Condition& condition, std::string wanted, const std::string& is) {
#ifdef ERRAND_TEST_OK
  const auto there = [wanted, &is] { return is == wanted; };
  co_await condition.wait(there);
#else
  co_await condition.wait([wanted, &is] { return is == wanted; });
#endif
}
