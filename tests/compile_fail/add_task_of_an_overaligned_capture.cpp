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

void test(errand::App& app, const Wide& wide) {
  app.add_task([wide] { return wide.values[0]; });
}
