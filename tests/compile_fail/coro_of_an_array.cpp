// SPDX-License-Identifier: MIT
// expect: a coroutine's result must be void, an lvalue reference, or an object type that can be moved
#include <array>
#include <errand/errand.hpp>

void test() {
#ifdef ERRAND_TEST_OK
  errand::Coro<std::array<int, 3>> coro;
#else
  errand::Coro<int[3]> coro;
#endif
}
