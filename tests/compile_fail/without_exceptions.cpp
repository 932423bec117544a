// SPDX-License-Identifier: MIT
// expect: errand needs exceptions
// flags: -fno-exceptions
#include <errand/errand.hpp>

errand::Coro<int> test() { co_return 1; }
