// SPDX-License-Identifier: MIT
// expect: SetsFuture
#include <errand/errand.hpp>
#include <vector>

#ifdef ERRAND_TEST_OK
void test(errand::Future<std::vector<int>>& future) { future.set_result(std::vector<int>(5)); }
#else
void test(errand::Future<std::vector<int>>& future) { future.set_result(5); }
#endif
