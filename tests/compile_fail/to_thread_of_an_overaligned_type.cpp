// SPDX-License-Identifier: MIT
// expect: the alignment of an argument may not be above the default one
#include <errand/errand.hpp>

#ifdef ERRAND_TEST_OK
struct Wide {
#else
struct alignas(64) Wide {
#endif
  float values[16] = {};
};

errand::Coro<float> test(Wide wide) {
  co_return co_await errand::to_thread([](const Wide& given) { return given.values[0]; }, wide);
}
