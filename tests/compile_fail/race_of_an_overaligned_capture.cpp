// SPDX-License-Identifier: MIT
// expect: the alignment of a callable, which is that of its captures, may not be above the default one
#include <errand/errand.hpp>

#ifdef ERRAND_TEST_OK
struct Wide {
#else
struct alignas(64) Wide {
#endif
  float values[16] = {};
};

errand::Coro<> say(float value);

errand::Coro<> test(const Wide& wide) {
  const auto work = [wide] { return say(wide.values[0]); };
  co_await errand::race(work, errand::yield());
}
