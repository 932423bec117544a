// SPDX-License-Identifier: MIT
// expect: errand needs C++20
// flags: -std=c++17
#include <errand/errand.hpp>

errand::Coro<int> test() { co_return 1; }
