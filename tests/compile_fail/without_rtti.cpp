// SPDX-License-Identifier: MIT
// expect: errand needs RTTI
// flags: -fno-rtti
#include <errand/errand.hpp>

errand::Coro<int> test() { co_return 1; }
