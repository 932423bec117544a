// SPDX-License-Identifier: MIT
// expect: a Coro runs once: give a callable that makes one for each attempt
#include <errand/errand.hpp>

errand::Coro<int> ask();

errand::Coro<int> test() {
#ifdef ERRAND_TEST_OK
  co_return co_await errand::retry(ask);
#else
  co_return co_await errand::retry(ask());
#endif
}
