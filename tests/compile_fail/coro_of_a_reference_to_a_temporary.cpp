// SPDX-License-Identifier: MIT
// expect: ReturnableAsReference
#include <errand/errand.hpp>
#include <string>

#ifdef ERRAND_TEST_OK
errand::Coro<const std::string&> test(const std::string& text) { co_return text; }
#else
errand::Coro<const std::string&> test(const char* text) { co_return text; }
#endif
