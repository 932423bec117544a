// SPDX-License-Identifier: MIT
// The workloads on TooManyCooks, on its executor that has no thread of its own. A task that was forked must be awaited
// once, and many of them have no handles: each adds its result itself, and a group waits for them. A task can't be
// cancelled, so there is no W6, W6a and W9. An error ends the program, so there is no W11. Timers are Asio's and run in
// another thread, so there is no W5.
#define TMC_IMPL
#include <string_view>
#include <tmc/all_headers.hpp>
#include <utility>

#include "bench.hpp"

using Queue = tmc::qu_spsc_bounded<long>;
template <class T>
using Coro = tmc::task<T>;

namespace {

Coro<long> give(long i) { co_return i; }

Coro<void> give_to(long i, long& sum) {
  sum += i;
  co_return;
}

Coro<long> spawn_await(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto task = tmc::spawn(give(i)).fork();
    sum += co_await std::move(task);
  }
  co_return sum;
}

Coro<long> spawn_many(long n, bench::Memory& memory) {
  long sum = 0;
  auto group = tmc::fork_group();
  memory.begin();
  for (long i = 0; i < n; ++i) group.fork(give_to(i, sum));
  memory.end();
  co_await std::move(group);
  co_return sum;
}

Coro<void> yielding(long n, long& sum) {
  for (long i = 0; i < n; ++i) co_await tmc::reschedule();
  sum += n;
}

Coro<long> yields(long n) {
  long sum = 0;
  auto group = tmc::fork_group();
  for (int i = 0; i < 1000; ++i) group.fork(yielding(n / 1000, sum));
  co_await std::move(group);
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

/// Takes an item. Its place in the queue is free as soon as the scope that `pull` gives has ended.
Coro<long> get(Queue& queue, int levels) {
  if (levels == 1) {
    auto item = co_await queue.pull();
    co_return item.value();
  }
  co_return co_await get(queue, levels - 1);
}

Coro<void> echo(Queue& there, Queue& back, long n) {
  for (long i = 0; i < n; ++i) {
    long item = 0;
    {
      auto pulled = co_await there.pull();
      item = pulled.value();
    }
    co_await back.push(item);
  }
}

Coro<void> echo_under_levels(Queue& there, Queue& back, long n) {
  for (long i = 0; i < n; ++i) {
    const long item = co_await get(there, 20);
    co_await back.push(item);
  }
}

Coro<long> ping(long n, Coro<void> (*answer)(Queue&, Queue&, long)) {
  Queue there(1), back(1);
  auto answering = tmc::spawn(answer(there, back, n)).fork();
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    co_await there.push(i);
    auto item = co_await back.pull();
    sum += item.value();
  }
  co_await std::move(answering);
  co_return sum;
}

Coro<void> produce(Queue& queue, long n) {
  for (long i = 0; i < n; ++i) co_await queue.push(i);
}

Coro<long> stream(long n) {
  Queue queue(64);
  auto producing = tmc::spawn(produce(queue, n)).fork();
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto item = co_await queue.pull();
    sum += item.value();
  }
  co_await std::move(producing);
  co_return sum;
}

/// Runs until the coroutine has ended.
long run(Coro<long> coroutine) {
  tmc::ex_manual_st executor;
  executor.init();
  long result = 0;
  const auto keep_result = [](Coro<long> work, long& to) -> Coro<void> { to = co_await std::move(work); };
  tmc::post(executor, keep_result(std::move(coroutine), result));
  executor.run_all();
  return result;
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory& memory) {
  if (workload == "W1") return ::run(spawn_await(n));
  if (workload == "W2") return ::run(spawn_many(n, memory));
  if (workload == "W3") return ::run(yields(n));
  if (workload == "W4") return ::run(await_coro(n));
  if (workload == "W4d") return ::run(chain(n));
  if (workload == "W7") return ::run(ping(n, echo));
  if (workload == "levels") return ::run(ping(n, echo_under_levels));
  if (workload == "W7b") return ::run(stream(n));
  return unknown;
}
