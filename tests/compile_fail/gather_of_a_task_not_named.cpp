// SPDX-License-Identifier: MIT
// expect: name the task first
// compiler: gcc 12
#include <errand/errand.hpp>
#include <string>

errand::Coro<> test(errand::App& app, std::string text) {
#ifdef ERRAND_TEST_OK
  auto task = app.add_task([text] { return text.size(); });
  co_await errand::gather(task, errand::yield());
#else
  co_await errand::gather(app.add_task([text] { return text.size(); }), errand::yield());
#endif
}
