// SPDX-License-Identifier: MIT
// The workloads on standalone Asio. It can't destroy a coroutine from outside, so there is no W6a. It has no names, so
// W9n finds its sleepers in a map.
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/experimental/channel.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench.hpp"

using namespace std::chrono_literals;
using asio::use_awaitable;
using Loop = asio::io_context;
template <class T>
using Coro = asio::awaitable<T>;
using Channel = asio::experimental::channel<void(asio::error_code, long)>;

namespace {

/// Counts tasks down. The coroutine that waits goes on as soon as the last task has been counted.
class Countdown {
 public:
  Countdown(Loop& loop, long n) : left_(n), zero_(loop, 1) {}
  void operator()() {
    if (--left_ == 0) zero_.try_send(asio::error_code(), 0L);
  }
  auto wait() { return zero_.async_receive(use_awaitable); }

 private:
  long left_;
  Channel zero_;
};

Coro<long> give(long i) { co_return i; }

Coro<void> nap(Loop& loop, std::chrono::nanoseconds delay) {
  asio::steady_timer timer(loop, delay);
  co_await timer.async_wait(use_awaitable);
}

Coro<long> spawn_await(Loop& loop, long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += co_await asio::co_spawn(loop, give(i), use_awaitable);
  co_return sum;
}

/// Asio has no handles: each coroutine adds its result when it ends. It runs as soon as it is spawned, so the memory of
/// tasks that have not started yet can't be measured.
Coro<long> spawn_many(Loop& loop, long n) {
  long sum = 0;
  Countdown left(loop, n);
  const auto ended = [&](std::exception_ptr, long i) {
    sum += i;
    left();
  };
  for (long i = 0; i < n; ++i) asio::co_spawn(loop, give(i), ended);
  co_await left.wait();
  co_return sum;
}

Coro<long> yielding(Loop& loop, long n) {
  for (long i = 0; i < n; ++i) co_await asio::post(loop, use_awaitable);
  co_return n;
}

Coro<long> yields(Loop& loop, long n) {
  long sum = 0;
  Countdown left(loop, 1000);
  const auto ended = [&](std::exception_ptr, long count) {
    sum += count;
    left();
  };
  for (int i = 0; i < 1000; ++i) asio::co_spawn(loop, yielding(loop, n / 1000), ended);
  co_await left.wait();
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

Coro<long> sleepers(Loop& loop, long n) {
  bench::Random random;
  Countdown left(loop, n);
  const auto ended = [&](std::exception_ptr) { left(); };
  for (long i = 0; i < n; ++i) asio::co_spawn(loop, nap(loop, std::chrono::nanoseconds(random(100'000'000))), ended);
  co_await left.wait();
  co_return n;
}

/// The loop still calls the handler of a wait that was cancelled.
long timers(Loop& loop, long n) {
  long sum = 0;
  asio::steady_timer timer(loop);
  for (long i = 0; i < n; ++i) {
    timer.expires_after(1h);
    timer.async_wait([](asio::error_code) {});
    sum += static_cast<long>(timer.cancel());
    loop.poll();
  }
  return sum;
}

void arm(asio::steady_timer& timer, std::chrono::nanoseconds delay) {
  timer.expires_after(delay);
  timer.async_wait([](asio::error_code) {});
}

long cancel_all(Loop& loop, std::vector<asio::steady_timer>& timers) {
  long sum = 0;
  for (auto& timer : timers) sum += static_cast<long>(timer.cancel());
  loop.poll();
  return sum;
}

long many_timers(Loop& loop, long n, bool with_random_delays) {
  std::vector<asio::steady_timer> timers;
  timers.reserve(static_cast<std::size_t>(n));
  bench::Random random;
  for (long i = 0; i < n; ++i) {
    timers.emplace_back(loop);
    arm(timers.back(), 1h + std::chrono::nanoseconds(with_random_delays ? random(100'000'000) : 0));
  }
  return cancel_all(loop, timers);
}

long timer_window(Loop& loop, long n) {
  std::vector<asio::steady_timer> window;
  for (int i = 0; i < 1000; ++i) window.emplace_back(loop);
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    auto& oldest = window[static_cast<std::size_t>(i) % window.size()];
    sum += static_cast<long>(oldest.cancel());
    arm(oldest, 30s);
    loop.poll();
  }
  return sum + cancel_all(loop, window);
}

Coro<long> cancel_sleeper(Loop& loop, long n) {
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    asio::cancellation_signal signal;
    Countdown left(loop, 1);
    const auto ended = [&](std::exception_ptr error) {
      sum += error != nullptr;
      left();
    };
    asio::co_spawn(loop, nap(loop, 1h), asio::bind_cancellation_slot(signal.slot(), ended));
    co_await asio::post(loop, use_awaitable);
    signal.emit(asio::cancellation_type::terminal);
    co_await left.wait();
  }
  co_return sum;
}

Coro<void> echo(Channel& there, Channel& back, long n) {
  for (long i = 0; i < n; ++i) {
    const long item = co_await there.async_receive(use_awaitable);
    co_await back.async_send(asio::error_code(), item, use_awaitable);
  }
}

Coro<long> ping(Loop& loop, long n, Coro<void> (*echo)(Channel&, Channel&, long)) {
  Channel there(loop, 1), back(loop, 1);
  asio::co_spawn(loop, echo(there, back, n), asio::detached);
  long sum = 0;
  for (long i = 0; i < n; ++i) {
    co_await there.async_send(asio::error_code(), i, use_awaitable);
    sum += co_await back.async_receive(use_awaitable);
  }
  co_await asio::post(loop, use_awaitable);
  co_return sum;
}

Coro<long> get(Channel& channel, int levels) {
  if (levels == 1) co_return co_await channel.async_receive(use_awaitable);
  co_return co_await get(channel, levels - 1);
}

Coro<void> echo_under_levels(Channel& there, Channel& back, long n) {
  for (long i = 0; i < n; ++i) {
    const long item = co_await get(there, 20);
    co_await back.async_send(asio::error_code(), item, use_awaitable);
  }
}

Coro<void> produce(Channel& channel, long n) {
  for (long i = 0; i < n; ++i) co_await channel.async_send(asio::error_code(), i, use_awaitable);
}

Coro<long> stream(Loop& loop, long n) {
  Channel channel(loop, 64);
  asio::co_spawn(loop, produce(channel, n), asio::detached);
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += co_await channel.async_receive(use_awaitable);
  co_await asio::post(loop, use_awaitable);
  co_return sum;
}

long posts(Loop& loop, long n) {
  long sum = 0;
  std::thread other([&loop, &sum, n, alive = asio::make_work_guard(loop)] {
    for (long i = 0; i < n; ++i) asio::post(loop, [&sum, i] { sum += i; });
  });
  loop.run();
  other.join();
  return sum;
}

/// Each sleeper has a signal of its own, so that it can be cancelled like the sleepers of the other contestants.
Coro<long> memory_of_sleepers(Loop& loop, long n, bench::Memory& memory) {
  std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
  signals.reserve(static_cast<std::size_t>(n));
  Countdown left(loop, n);
  const auto ended = [&](std::exception_ptr) { left(); };
  memory.begin();
  for (long i = 0; i < n; ++i) {
    signals.push_back(std::make_unique<asio::cancellation_signal>());
    asio::co_spawn(loop, nap(loop, 1h), asio::bind_cancellation_slot(signals.back()->slot(), ended));
  }
  co_await asio::post(loop, use_awaitable);
  memory.end();
  for (auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
  co_await left.wait();
  co_return n;
}

Coro<long> memory_of_named_sleepers(Loop& loop, long n, bench::Memory& memory) {
  std::unordered_map<std::string, asio::cancellation_signal> signals;
  Countdown left(loop, n);
  const auto ended = [&](std::exception_ptr) { left(); };
  memory.begin();
  for (long i = 0; i < n; ++i) {
    auto& signal = signals["sleeper " + std::to_string(i)];
    asio::co_spawn(loop, nap(loop, 1h), asio::bind_cancellation_slot(signal.slot(), ended));
  }
  co_await asio::post(loop, use_awaitable);
  memory.end();
  for (auto& [name, signal] : signals) signal.emit(asio::cancellation_type::terminal);
  co_await left.wait();
  co_return n;
}

/// Runs until the coroutine has ended.
long run(Loop& loop, Coro<long> coroutine) {
  long result = 0;
  asio::co_spawn(loop, std::move(coroutine), [&](std::exception_ptr error, long value) {
    if (error) std::rethrow_exception(error);
    result = value;
  });
  loop.run();
  return result;
}

/// W1t, W3t, W7t: the workload without the `t`, while one timer is pending.
long with_timer(Loop& loop, Coro<long> coroutine) {
  asio::steady_timer pending(loop);
  arm(pending, 1h);
  const auto cancelled_at_end = [](Coro<long> work, asio::steady_timer& timer) -> Coro<long> {
    const long result = co_await std::move(work);
    timer.cancel();
    co_return result;
  };
  return run(loop, cancelled_at_end(std::move(coroutine), pending));
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory& memory) {
  Loop loop(1);
  if (workload == "W1") return ::run(loop, spawn_await(loop, n));
  if (workload == "W2") return ::run(loop, spawn_many(loop, n));
  if (workload == "W3") return ::run(loop, yields(loop, n));
  if (workload == "W4") return ::run(loop, await_coro(n));
  if (workload == "W4d") return ::run(loop, chain(n));
  if (workload == "W5") return ::run(loop, sleepers(loop, n));
  if (workload == "W5b") return many_timers(loop, n, true);
  if (workload == "W5bf") return many_timers(loop, n, false);
  if (workload == "W5bw") return timer_window(loop, n);
  if (workload == "W5b1") return timers(loop, n);
  if (workload == "W6") return ::run(loop, cancel_sleeper(loop, n));
  if (workload == "W7") return ::run(loop, ping(loop, n, echo));
  if (workload == "levels") return ::run(loop, ping(loop, n, echo_under_levels));
  if (workload == "W7b") return ::run(loop, stream(loop, n));
  if (workload == "W8") return posts(loop, n);
  if (workload == "W9") return ::run(loop, memory_of_sleepers(loop, n, memory));
  if (workload == "W9n") return ::run(loop, memory_of_named_sleepers(loop, n, memory));
  if (workload == "W11") return ::run(loop, errors(n));
  if (workload == "W1t") return with_timer(loop, spawn_await(loop, n));
  if (workload == "W3t") return with_timer(loop, yields(loop, n));
  if (workload == "W7t") return with_timer(loop, ping(loop, n, echo));
  return unknown;
}
