// SPDX-License-Identifier: MIT
// A user's program. It is built in each way in which a project can use errand.
#include <errand/errand.hpp>
#include <iostream>

errand::Coro<int> add(int a, int b) {
  co_await errand::yield();
  co_return a + b;
}

errand::Coro<int> answer(errand::App& app) {
  app.add_task(add(20, 22), "sum");
  const int sum = co_await app.get_task<int>("sum");
  co_return co_await errand::to_thread([](int value) { return value; }, sum);
}

int main() {
  errand::App app("consumer");
  std::cout << "errand " << ERRAND_VERSION_MAJOR << '.' << ERRAND_VERSION_MINOR << '.' << ERRAND_VERSION_PATCH
            << ": the sum is " << app.run(answer(app)) << '\n';
}
