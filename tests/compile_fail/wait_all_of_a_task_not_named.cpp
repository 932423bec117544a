// SPDX-License-Identifier: MIT
// expect: name the task first
// compiler: gcc 12
#include <errand/errand.hpp>
#include <string>

errand::Coro<> test(errand::TaskScope& scope, std::string text) {
#ifdef ERRAND_TEST_OK
  auto task = scope.add([text] { return text.size(); });
  co_await errand::wait_all(task);
#else
  co_await errand::wait_all(scope.add([text] { return text.size(); }));
#endif
}
