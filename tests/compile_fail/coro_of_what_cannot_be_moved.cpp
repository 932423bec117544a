// SPDX-License-Identifier: MIT
// expect: a coroutine's result must be void, an lvalue reference, or an object type that can be moved
#include <errand/errand.hpp>
#include <memory>
#include <mutex>

void test() {
#ifdef ERRAND_TEST_OK
  errand::Coro<std::unique_ptr<std::mutex>> coro;
#else
  errand::Coro<std::mutex> coro;
#endif
}
