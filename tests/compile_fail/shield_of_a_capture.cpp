// SPDX-License-Identifier: MIT
// expect: name the task first
// compiler: gcc 12
#include <errand/errand.hpp>
#include <string>

errand::Coro<> say(const std::string& text);

errand::Coro<> test(std::string text) {
#ifdef ERRAND_TEST_OK
  const auto work = [text] { return say(text); };
  co_await errand::shield(work);
#else
  co_await errand::shield([text] { return say(text); });
#endif
}
