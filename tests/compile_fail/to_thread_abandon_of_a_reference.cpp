// SPDX-License-Identifier: MIT
// expect: takes no std::ref and no pointer: give it a copy, a std::string or a std::shared_ptr
#include <errand/errand.hpp>
#include <functional>

int sum(int a, const int& b);

errand::Coro<int> test(int number) {
#ifdef ERRAND_TEST_OK
  co_return co_await errand::to_thread(errand::abandon, sum, 1, number) +
      co_await errand::to_thread(sum, 1, std::ref(number));
#else
  co_return co_await errand::to_thread(errand::abandon, sum, 1, std::ref(number));
#endif
}
