// SPDX-License-Identifier: MIT
// expect: ReturnableAs
#include <errand/errand.hpp>
#include <memory>

#ifdef ERRAND_TEST_OK
errand::Coro<std::unique_ptr<int>> test(int* owned) { co_return std::unique_ptr<int>(owned); }
#else
errand::Coro<std::unique_ptr<int>> test(int* owned) { co_return owned; }
#endif
