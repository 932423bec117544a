// SPDX-License-Identifier: MIT
// expect: name the range first
// compiler: gcc 12
#include <array>
#include <errand/errand.hpp>
#include <string>

errand::Coro<> say(const std::string& text);

errand::Coro<> test(std::string text) {
#ifdef ERRAND_TEST_OK
  const std::array<std::string, 2> texts{text, text};
  co_await errand::gather(texts, say, 2);
#else
  co_await errand::gather(std::array<std::string, 2>{text, text}, say, 2);
#endif
}
