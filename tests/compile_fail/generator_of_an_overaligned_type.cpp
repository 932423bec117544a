// SPDX-License-Identifier: MIT
// expect: the alignment of a generator's values may not be above the default one
#include <errand/errand.hpp>

#ifdef ERRAND_TEST_OK
struct Value {};
#else
struct alignas(64) Value {};
#endif

errand::AsyncGenerator<Value> test() { co_yield Value(); }
