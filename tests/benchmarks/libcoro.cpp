// SPDX-License-Identifier: MIT
// The workloads on libcoro, on a scheduler that runs its tasks inline. A task that was spawned has no result: each adds
// it itself. A task can't be cancelled, so there is no W6, W6a and W9.
#include <chrono>
#include <coro/coro.hpp>
#include <coro/scheduler.hpp>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "bench.hpp"

template <class T = void>
using Coro = coro::task<T>;
using Scheduler = std::unique_ptr<coro::scheduler>;
template <std::size_t Capacity>
using Queue = coro::ring_buffer<long, Capacity>;

namespace {

Coro<long> give(long i) { co_return i; }

Coro<> give_to(long i, long& sum) {
  sum += i;
  co_return;
}

Coro<long> spawn_await(Scheduler& scheduler, long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto task = scheduler->spawn_joinable(give_to(i, sum));
    co_await task;
  }
  co_return sum;
}

Coro<long> spawn_many(Scheduler& scheduler, long n, bench::Memory& memory) {
  long sum = 0;
  std::vector<Coro<>> tasks;
  tasks.reserve(static_cast<std::size_t>(n));
  memory.begin();
  for (long i = 0; i < n; ++i) tasks.push_back(scheduler->spawn_joinable(give_to(i, sum)));
  memory.end();
  for (auto& task : tasks) co_await task;
  co_return sum;
}

Coro<> yielding(Scheduler& scheduler, long n, long& sum) {
  for (long i = 0; i < n; ++i) co_await scheduler->yield();
  sum += n;
}

Coro<long> yields(Scheduler& scheduler, long n) {
  long sum = 0;
  std::vector<Coro<>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(scheduler->spawn_joinable(yielding(scheduler, n / 1000, sum)));
  for (auto& task : tasks) co_await task;
  co_return sum;
}

Coro<long> await_coro(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += co_await give(i);
  co_return sum;
}

Coro<long> chain(long n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await chain(n - 1);
}

Coro<long> throwing(int level) {
  if (level == 1) throw std::runtime_error("failed");
  co_return 1 + co_await throwing(level - 1);
}

Coro<long> errors(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    try {
      sum += co_await throwing(11);
    } catch (const std::runtime_error&) {
      ++sum;
    }
  }
  co_return sum;
}

Coro<> nap(Scheduler& scheduler, std::chrono::nanoseconds delay) { co_await scheduler->schedule_after(delay); }

Coro<long> sleepers(Scheduler& scheduler, long n) {
  std::vector<Coro<>> tasks;
  tasks.reserve(static_cast<std::size_t>(n));
  bench::Random random;
  for (long i = 0; i < n; ++i) {
    tasks.push_back(scheduler->spawn_joinable(nap(scheduler, std::chrono::nanoseconds(random(100'000'000)))));
  }
  for (auto& task : tasks) co_await task;
  co_return n;
}

template <std::size_t Capacity>
Coro<long> get(Queue<Capacity>& queue, int levels) {
  if (levels == 1) co_return *co_await queue.consume();
  co_return co_await get(queue, levels - 1);
}

Coro<> echo(Queue<1>& there, Queue<1>& back, long n, int levels) {
  for (long i = 0; i < n; ++i) {
    const long item = levels ? co_await get(there, levels) : *co_await there.consume();
    co_await back.produce(item);
  }
}

Coro<long> ping(Scheduler& scheduler, long n, int levels) {
  Queue<1> there, back;
  auto echoing = scheduler->spawn_joinable(echo(there, back, n, levels));
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    co_await there.produce(i);
    sum += *co_await back.consume();
  }
  co_await echoing;
  co_return sum;
}

Coro<> produce(Queue<64>& queue, long n) {
  for (long i = 0; i < n; ++i) co_await queue.produce(i);
}

Coro<long> stream(Scheduler& scheduler, long n) {
  Queue<64> queue;
  auto producing = scheduler->spawn_joinable(produce(queue, n));
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += *co_await queue.consume();
  co_await producing;
  co_return sum;
}

/// Runs until the coroutine has ended.
long run(Scheduler& scheduler, Coro<long> coroutine) {
  long result = 0;
  const auto keep_result = [](Coro<long> work, long& to) -> Coro<> { to = co_await std::move(work); };
  scheduler->spawn_detached(keep_result(std::move(coroutine), result));
  while (scheduler->process_events(std::chrono::milliseconds(1)) > 0) {
  }
  return result;
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory& memory) {
  auto scheduler =
      coro::scheduler::make_unique({.thread_strategy = coro::scheduler::thread_strategy_t::manual,
                                    .execution_strategy = coro::scheduler::execution_strategy_t::process_tasks_inline});
  if (workload == "W1") return ::run(scheduler, spawn_await(scheduler, n));
  if (workload == "W2") return ::run(scheduler, spawn_many(scheduler, n, memory));
  if (workload == "W3") return ::run(scheduler, yields(scheduler, n));
  if (workload == "W4") return ::run(scheduler, await_coro(n));
  if (workload == "W4d") return ::run(scheduler, chain(n));
  if (workload == "W5") return ::run(scheduler, sleepers(scheduler, n));
  if (workload == "W7") return ::run(scheduler, ping(scheduler, n, 0));
  if (workload == "levels") return ::run(scheduler, ping(scheduler, n, 20));
  if (workload == "W7b") return ::run(scheduler, stream(scheduler, n));
  if (workload == "W11") return ::run(scheduler, errors(n));
  return unknown;
}
