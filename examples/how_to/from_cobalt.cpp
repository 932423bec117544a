// SPDX-License-Identifier: MIT
// What Boost.Cobalt's coroutines become.
#include <chrono>
#include <errand/errand.hpp>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

namespace {

// [program]
errand::Coro<int> work(int number) {  // cobalt::task<int>: lazy
  co_await errand::sleep(number * 10ms);
  if (number > 3) throw std::out_of_range("there is no work 4");
  co_return number;
}

errand::Coro<> run(errand::App& app) {
  const auto [one, two] = co_await errand::gather(work(1), work(2));           // cobalt::join
  const auto [good, bad] = co_await errand::gather_settled(work(3), work(4));  // cobalt::gather
  const auto first = co_await errand::race(work(3), work(1));                  // cobalt::race of rvalues
  std::cout << one + two << ", " << good.value() << ", " << bad.what() << ", " << first.index() << '\n';

  errand::Task<int> three = app.add_task(work(3));          // a promise that is kept: it starts by itself
  errand::ScopedTask<int> scoped{app.add_task(work(100))};  // and is cancelled when the handle goes
  app.add_task(work(2));                                    // a promise with `+`, or cobalt::detached
  std::cout << co_await three << '\n';
}

}  // namespace

int main() {
  errand::App app;
  app.run(run(app));  // cobalt::run, or the body of co_main
}
// [program]
