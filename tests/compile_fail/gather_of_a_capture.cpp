// SPDX-License-Identifier: MIT
// expect: give it a name first
// compiler: gcc 12
#include <errand/errand.hpp>
#include <string>

errand::Coro<> say(const std::string& text);

errand::Coro<> test(std::string text) {
#ifdef ERRAND_TEST_OK
  const auto work = [text] { return say(text); };
  co_await errand::gather(work, errand::yield());
#else
  co_await errand::gather([text] { return say(text); }, errand::yield());
#endif
}
