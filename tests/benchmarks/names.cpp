// SPDX-License-Identifier: MIT
// n tasks are added under names, looked up, and forgotten once they are done. A program of its own: what stands beside
// them changes what the compiler makes of the other workloads.
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
