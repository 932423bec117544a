// SPDX-License-Identifier: MIT
// expect: a wait gives a copy of the value
#include <errand/errand.hpp>
#include <memory>

#ifdef ERRAND_TEST_OK
using Value = std::shared_ptr<int>;
#else
using Value = std::unique_ptr<int>;
#endif

errand::Coro<> test(errand::Watch<Value>& watch) {
  co_await watch.wait([](const Value& value) { return value != nullptr; });
}
