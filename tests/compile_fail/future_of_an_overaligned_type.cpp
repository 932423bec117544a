// SPDX-License-Identifier: MIT
// expect: the alignment of a future's value may not be above the default one
#include <errand/errand.hpp>

#ifdef ERRAND_TEST_OK
struct Wide {
#else
struct alignas(64) Wide {
#endif
  float values[16] = {};
};

void test() { errand::Future<Wide>::shared().set_result(Wide()); }
