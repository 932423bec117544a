// SPDX-License-Identifier: MIT
// expect: a coroutine's result must be void, an lvalue reference, or an object type that can be moved
#include <errand/errand.hpp>

void test() {
#ifdef ERRAND_TEST_OK
  errand::Coro<int&> coro;
#else
  errand::Coro<int&&> coro;
#endif
}
