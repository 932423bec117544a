// SPDX-License-Identifier: MIT
// expect: ReturnableAsReference
#include <errand/errand.hpp>

#ifdef ERRAND_TEST_OK
errand::Coro<const int&> test(const int& n) { co_return n; }
#else
errand::Coro<const int&> test(const int& n) { co_return n + 1; }
#endif
