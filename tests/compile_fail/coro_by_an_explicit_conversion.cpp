// SPDX-License-Identifier: MIT
// expect: ReturnableAs
#include <errand/errand.hpp>
#include <vector>

#ifdef ERRAND_TEST_OK
errand::Coro<std::vector<int>> test() { co_return std::vector<int>(5); }
#else
errand::Coro<std::vector<int>> test() { co_return 5; }
#endif
