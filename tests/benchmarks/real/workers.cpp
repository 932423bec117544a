// SPDX-License-Identifier: MIT
//   workers WORKERS N
// Each worker adds n tasks, one after the other, and awaits each. Prints the tasks a second of all workers together.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>

namespace {

errand::Coro<long> give(long i) { co_return i; }

errand::Coro<> work(errand::App& app, long n) {
  for (long i = 0; i < n; ++i) {
    if (co_await app.add_task(give(i)) != i) std::abort();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "workers WORKERS N\n");
    return 2;
  }
  const auto workers = static_cast<unsigned>(std::atoi(argv[1]));
  const long n = std::atol(argv[2]);
  errand::App app;
  app.add_task([n](errand::App& its) { return work(its, n); });
  const auto begin = std::chrono::steady_clock::now();
  app.run({.workers = workers});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.0f\n", static_cast<double>(n) * workers / took.count());
}
