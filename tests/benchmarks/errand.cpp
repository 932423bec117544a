// SPDX-License-Identifier: MIT
// The workloads on errand.
#include <errand/errand.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench.hpp"

using namespace std::chrono_literals;
using errand::App;
using errand::Coro;
using errand::Task;

namespace {

Coro<long> give(long i) { co_return i; }
Coro<> hang() { co_await errand::sleep(1h); }
Coro<> nap(std::chrono::nanoseconds delay) { co_await errand::sleep(delay); }

/// W1: adds one task after the other, and awaits each.
Coro<long> spawn_await(App& app, long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    const auto task = app.add_task(give(i));
    sum += co_await task;
  }
  co_return sum;
}

/// W2: adds n tasks at once, then awaits every handle.
Coro<long> spawn_many(App& app, long n, bench::Memory& memory) {
  std::vector<Task<long>> tasks;
  tasks.reserve(static_cast<std::size_t>(n));
  memory.begin();
  for (long i = 0; i < n; ++i) tasks.push_back(app.add_task(give(i)));
  memory.end();
  long sum = 0;
  for (const auto& task : tasks) sum += co_await task;
  co_return sum;
}

Coro<long> yielding(long n) {
  for (long i = 0; i < n; ++i) co_await errand::yield();
  co_return n;
}

/// W3: does n yields, which 1,000 tasks share out among them.
Coro<long> yields(App& app, long n) {
  std::vector<Task<long>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(app.add_task(yielding(n / 1000)));
  long sum = 0;
  for (const auto& task : tasks) sum += co_await task;
  co_return sum;
}

/// W4: awaits n times a Coro that does not suspend.
Coro<long> await_coro(long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += co_await give(i);
  co_return sum;
}

/// W4d: n Coros, each of which awaits the next one.
Coro<long> chain(long n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await chain(n - 1);
}

/// A level of W11: awaits the next one. The innermost one throws.
Coro<long> throwing(int level) {
  if (level == 1) throw std::runtime_error("failed");
  co_return 1 + co_await throwing(level - 1);
}

/// W11: an error comes out through eleven levels of Coro.
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

/// W5: n tasks, each of which sleeps between 0 and 100 ms.
Coro<long> sleepers(App& app, long n) {
  std::vector<Task<>> tasks;
  tasks.reserve(static_cast<std::size_t>(n));
  bench::Random random;
  for (long i = 0; i < n; ++i) tasks.push_back(app.add_task(nap(std::chrono::nanoseconds(random(100'000'000)))));
  for (const auto& task : tasks) co_await task;
  co_return n;
}

/// W5b1: starts a timer and cancels it.
Coro<long> timers(App& app, long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto call = app.call_later(1h, [] {});
    sum += call.cancel();
  }
  co_return sum;
}

/// Cancels these timers, in this order.
long cancel_all(std::vector<errand::CallHandle>& calls) {
  long sum = 0;
  for (auto& call : calls) sum += call.cancel();
  return sum;
}

/// W5b: starts n timers with random delays, and cancels all of them.
Coro<long> random_timers(App& app, long n) {
  std::vector<errand::CallHandle> calls;
  calls.reserve(static_cast<std::size_t>(n));
  bench::Random random;
  for (long i = 0; i < n; ++i)
    calls.push_back(app.call_later(1h + std::chrono::nanoseconds(random(100'000'000)), [] {}));
  co_return cancel_all(calls);
}

/// W5bf: the same with one constant delay: the timers are cancelled in the order in which they are due.
Coro<long> constant_timers(App& app, long n) {
  std::vector<errand::CallHandle> calls;
  calls.reserve(static_cast<std::size_t>(n));
  for (long i = 0; i < n; ++i) calls.push_back(app.call_later(1h, [] {}));
  co_return cancel_all(calls);
}

/// W5bw: a window of 1,000 time-outs of 30 s. Each new one cancels the oldest.
Coro<long> timer_window(App& app, long n) {
  std::vector<errand::CallHandle> window(1000);
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto& oldest = window[static_cast<std::size_t>(i) % window.size()];
    sum += oldest.cancel();
    oldest = app.call_later(30s, [] {});
  }
  co_return sum + cancel_all(window);
}

/// W6: cancels a sleeper, and awaits its end.
Coro<long> cancel_sleeper(App& app, long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto task = app.add_task(hang());
    co_await errand::yield();
    task.cancel();
    co_await errand::wait_all(task);
    sum += task.cancelled();
  }
  co_return sum;
}

/// W6a1: aborts a sleeper, which is alone.
Coro<long> abort_sleeper(App& app, long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto task = app.add_task(hang());
    co_await errand::yield();
    task.abort();
    sum += task.cancelled();
  }
  co_return sum;
}

/// W6a: n tasks sleep for one constant delay, and are aborted in the order in which they are due. W6ar: the delays are
/// random.
Coro<long> abort_sleepers(App& app, long n, bool with_random_delays) {
  std::vector<Task<>> tasks;
  tasks.reserve(static_cast<std::size_t>(n));
  bench::Random random;
  for (long i = 0; i < n; ++i) {
    const std::chrono::nanoseconds more(with_random_delays ? random(100'000'000) : 0);
    tasks.push_back(app.add_task(nap(1h + more)));
  }
  co_await errand::yield();
  long sum = 0;
  for (auto& task : tasks) {
    task.abort();
    sum += task.cancelled();
  }
  co_return sum;
}

/// W7: round trips over two queues of capacity one.
Coro<long> ping(App& app, long n) {
  errand::Queue<long> there(1), back(1);
  const auto echo = [&]() -> Coro<> {
    for (long i = 0; i < n; ++i) {
      const long item = co_await there.get();
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

/// W7b: sends items through a queue of capacity 64.
Coro<long> stream(App& app, long n) {
  errand::Queue<long> queue(64);
  const auto produce = [&]() -> Coro<> {
    for (long i = 0; i < n; ++i) co_await queue.put(i);
  };
  const auto producing = app.add_task(produce());
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += co_await queue.get();
  co_await producing;
  co_return sum;
}

/// W1t, W3t, W7t: the workload without the `t`, while one timer is pending.
long with_timer(App& app, Coro<long> work) {
  app.call_later(1h, [] {});
  return app.run(std::move(work));
}

/// W8: another thread posts calls.
long posts(App& app, long n) {
  long sum = 0;
  auto alive = app.keep_alive();
  std::thread other([&app, &sum, n, alive = std::move(alive)]() mutable {
    for (long i = 0; i < n; ++i) app.post([&sum, i] { sum += i; });
    alive.release();
  });
  app.run();
  other.join();
  return sum;
}

/// W9: n sleepers, each of which could be named, awaited and cancelled. W9n: they have names.
Coro<long> memory_of_sleepers(App& app, long n, bench::Memory& memory, bool with_names) {
  std::vector<Task<>> tasks;
  tasks.reserve(static_cast<std::size_t>(n));
  memory.begin();
  for (long i = 0; i < n; ++i) {
    tasks.push_back(with_names ? app.add_task(hang(), "sleeper " + std::to_string(i)) : app.add_task(hang()));
  }
  co_await errand::yield();
  memory.end();
  for (auto& task : tasks) task.abort();
  co_return n;
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory& memory) {
  App app;
  if (workload == "W1") return app.run(spawn_await(app, n));
  if (workload == "W2") return app.run(spawn_many(app, n, memory));
  if (workload == "W3") return app.run(yields(app, n));
  if (workload == "W4") return app.run(await_coro(n));
  if (workload == "W4d") return app.run(chain(n));
  if (workload == "W5") return app.run(sleepers(app, n));
  if (workload == "W5b1") return app.run(timers(app, n));
  if (workload == "W5b") return app.run(random_timers(app, n));
  if (workload == "W5bf") return app.run(constant_timers(app, n));
  if (workload == "W5bw") return app.run(timer_window(app, n));
  if (workload == "W6") return app.run(cancel_sleeper(app, n));
  if (workload == "W6a1") return app.run(abort_sleeper(app, n));
  if (workload == "W6a") return app.run(abort_sleepers(app, n, false));
  if (workload == "W6ar") return app.run(abort_sleepers(app, n, true));
  if (workload == "W7") return app.run(ping(app, n));
  if (workload == "W11") return app.run(errors(n));
  if (workload == "W1t") return with_timer(app, spawn_await(app, n));
  if (workload == "W3t") return with_timer(app, yields(app, n));
  if (workload == "W7t") return with_timer(app, ping(app, n));
  if (workload == "W7b") return app.run(stream(app, n));
  if (workload == "W8") return posts(app, n);
  if (workload == "W9") return app.run(memory_of_sleepers(app, n, memory, false));
  if (workload == "W9n") return app.run(memory_of_sleepers(app, n, memory, true));
  return unknown;
}
