// SPDX-License-Identifier: MIT
// expect: the alignment of an item may not be above the default one
#include <errand/errand.hpp>

#ifdef ERRAND_TEST_OK
struct Wide {
#else
struct alignas(64) Wide {
#endif
  float values[16] = {};
};

errand::Coro<float> test(errand::Queue<Wide>& queue) { co_return (co_await queue.get()).values[0]; }
