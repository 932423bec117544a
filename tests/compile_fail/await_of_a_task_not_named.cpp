// SPDX-License-Identifier: MIT
// expect: name the task first
// compiler: gcc 12
#include <errand/errand.hpp>
#include <string>

errand::Coro<> test(errand::App& app, std::string text) {
#ifdef ERRAND_TEST_OK
  auto task = app.add_task([text] { return text.size(); });
  co_await task;
#else
  co_await app.add_task([text] { return text.size(); });
#endif
}
