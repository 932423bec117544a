// SPDX-License-Identifier: MIT
// Round trips over two queues. The task that answers takes each item under twenty levels of Coro, as a server does that
// reads a message in a function of a function. This is a program of its own, because code beside the other workloads
// would change how the compiler optimizes them.
#include <errand/errand.hpp>
#include <string_view>

#include "../bench.hpp"

namespace {

using Queue = errand::Queue<long>;

errand::Coro<long> get(Queue& queue, int levels) {
  if (levels == 1) co_return co_await queue.get();
  co_return co_await get(queue, levels - 1);
}

errand::Coro<long> round_trips(errand::App& app, long n) {
  Queue there(1), back(1);
  const auto echo = [&]() -> errand::Coro<> {
    for (long i = 0; i < n; ++i) {
      const long item = co_await get(there, 20);
      co_await back.put(item);
    }
  };
  const auto echoing = app.add_task(echo());
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    co_await there.put(i);
    sum += co_await back.get();
  }
  co_await echoing;
  co_return sum;
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory&) {
  errand::App app;
  return workload == "levels" ? app.run(round_trips(app, n)) : unknown;
}
