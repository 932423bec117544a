// SPDX-License-Identifier: MIT
// Adds n tasks under names, looks them up, and forgets them when they are done. This is a program of its own, because
// code beside the other workloads would change how the compiler optimizes them.
#include <errand/errand.hpp>
#include <string>
#include <string_view>

#include "bench.hpp"

namespace {

errand::Coro<long> give(long i) { co_return i; }

errand::Coro<long> names(errand::App& app, long n) {
  const auto name = [](long i) { return "task " + std::to_string(i); };
  for (long i = 0; i < n; ++i) app.add_task(give(i), name(i));
  for (long i = 0; i < n; ++i) co_await app.get_task<long>(name(i));
  co_return static_cast<long>(app.purge_tasks());
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory&) {
  errand::App app;
  return workload == "names" ? app.run(names(app, n)) : unknown;
}
