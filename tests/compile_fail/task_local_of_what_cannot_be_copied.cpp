// SPDX-License-Identifier: MIT
// expect: a task begins with copies of the values
#include <errand/errand.hpp>
#include <memory>

#ifdef ERRAND_TEST_OK
using Value = std::shared_ptr<int>;
#else
using Value = std::unique_ptr<int>;
#endif

void test(errand::TaskLocal<Value>& local) { local.set(nullptr); }
