// SPDX-License-Identifier: MIT
// [program]
#include <errand/errand.hpp>
#include <iostream>

using namespace std::chrono_literals;

errand::Coro<int> add_slowly(int a, int b) {
  co_await errand::sleep(100ms);
  co_return a + b;
}

int main() {
  errand::App app("MyApp");
  app.add_task(add_slowly(20, 22), "sum");
  app.add_task([](errand::App& running) -> errand::Coro<> {
    const int sum = co_await running.get_task<int>("sum");
    std::cout << "the sum is " << sum << '\n';
  });
  app.run();  // returns when no work is left
}
// [program]
