// SPDX-License-Identifier: MIT
// expect: ReturnableAs
#include <errand/errand.hpp>
#include <vector>

#ifdef ERRAND_TEST_OK
errand::AsyncGenerator<std::vector<int>> test() { co_yield std::vector<int>(5); }
#else
errand::AsyncGenerator<std::vector<int>> test() { co_yield 5; }
#endif
