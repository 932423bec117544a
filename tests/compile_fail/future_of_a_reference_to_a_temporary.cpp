// SPDX-License-Identifier: MIT
// expect: SetsFuture
#include <errand/errand.hpp>
#include <string>

#ifdef ERRAND_TEST_OK
void test(errand::Future<const std::string&>& future, const std::string& text) { future.set_result(text); }
#else
void test(errand::Future<const std::string&>& future) { future.set_result(std::string("gone")); }
#endif
