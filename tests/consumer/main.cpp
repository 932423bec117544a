// SPDX-License-Identifier: MIT
// A program of a user, which is built in every way in which errand can be had.
#include <errand/errand.hpp>
#include <iostream>

errand::Coro<int> multiply(int a, int b) {
  co_await errand::yield();
  co_return a * b;
}

errand::Coro<int> answer(errand::App& app) {
  app.add_task(multiply(6, 7), "product");
  const int product = co_await app.get_task<int>("product");
  co_return co_await errand::to_thread([](int value) { return value; }, product);
}

int main() {
  errand::App app("consumer");
  std::cout << "errand " << ERRAND_VERSION_MAJOR << '.' << ERRAND_VERSION_MINOR << '.' << ERRAND_VERSION_PATCH
            << ": the product is " << app.run(answer(app)) << '\n';
}
