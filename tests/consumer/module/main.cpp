// SPDX-License-Identifier: MIT
// A user's program that imports errand.
// [program]
#include <coroutine>
#include <iostream>

import errand;

errand::Coro<int> add(int a, int b) {
  co_await errand::yield();
  co_return a + b;
}

int main() {
  errand::App app("imports");
  std::cout << "the sum is " << app.run(add(20, 22)) << '\n';
}
// [program]
