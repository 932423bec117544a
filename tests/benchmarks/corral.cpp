// SPDX-License-Identifier: MIT
// The workloads on corral, whose loop is that of standalone Asio, and whose timers are Asio's too. A task belongs to a
// nursery and has no handle, so who awaits its result waits for an event. A nursery cancels all its tasks, and a task
// that is cancelled is destroyed where it stands and not unwound, so there is W6a, and no W6.
#include <corral/asio-standalone.h>
#include <corral/corral.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string_view>

#include "bench.hpp"

using namespace std::chrono_literals;
using corral::Event;
using Loop = asio::io_context;
using Channel = corral::Channel<long>;
template <class T = void>
using Coro = corral::Task<T>;

namespace {

Coro<long> give(long i) { co_return i; }

Coro<> give_to(long i, long& sum) {
  sum += i;
  co_return;
}

Coro<> give_and_tell(long i, long& sum, Event& done) {
  sum += i;
  done.trigger();
  co_return;
}

Coro<long> spawn_await(long n) {
  long sum = 0;
  CORRAL_WITH_NURSERY(nursery) {
    for (long i = 0; i < n; ++i) {
      Event done;
      nursery.start(give_and_tell, i, std::ref(sum), std::ref(done));
      co_await done;
    }
    co_return corral::join;
  };
  co_return sum;
}

Coro<long> spawn_many(long n, bench::Memory& memory) {
  long sum = 0;
  CORRAL_WITH_NURSERY(nursery) {
    memory.begin();
    for (long i = 0; i < n; ++i) nursery.start(give_to, i, std::ref(sum));
    memory.end();
    co_return corral::join;
  };
  co_return sum;
}

Coro<> yielding(long n, long& sum) {
  for (long i = 0; i < n; ++i) co_await corral::yield;
  sum += n;
}

Coro<long> yields(long n) {
  long sum = 0;
  CORRAL_WITH_NURSERY(nursery) {
    for (int i = 0; i < 1000; ++i) nursery.start(yielding, n / 1000, std::ref(sum));
    co_return corral::join;
  };
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

struct CountAtEnd {
  explicit CountAtEnd(long& sum) : sum_(sum) {}
  CountAtEnd(const CountAtEnd&) = delete;
  ~CountAtEnd() { ++sum_; }

 private:
  long& sum_;
};

Coro<> nap(Loop& loop, std::chrono::nanoseconds delay, long& ended) {
  CountAtEnd count(ended);
  co_await corral::sleepFor(loop, delay);
}

Coro<long> sleepers(Loop& loop, long n) {
  long ended = 0;
  bench::Random random;
  CORRAL_WITH_NURSERY(nursery) {
    for (long i = 0; i < n; ++i) {
      nursery.start(nap, std::ref(loop), std::chrono::nanoseconds(random(100'000'000)), std::ref(ended));
    }
    co_return corral::join;
  };
  co_return ended;
}

/// W6a, W6ar, W9.
Coro<long> cancel_sleepers(Loop& loop, long n, bool with_random_delays, bench::Memory& memory) {
  long ended = 0;
  bench::Random random;
  CORRAL_WITH_NURSERY(nursery) {
    memory.begin();
    for (long i = 0; i < n; ++i) {
      const std::chrono::nanoseconds more(with_random_delays ? random(100'000'000) : 0);
      nursery.start(nap, std::ref(loop), 1h + more, std::ref(ended));
    }
    co_await corral::yield;
    memory.end();
    co_return corral::cancel;
  };
  co_return ended;
}

Coro<long> cancel_sleeper(Loop& loop, long n) {
  long ended = 0;
  for (long i = 0; i < n; ++i) {
    CORRAL_WITH_NURSERY(nursery) {
      nursery.start(nap, std::ref(loop), 1h, std::ref(ended));
      co_await corral::yield;
      co_return corral::cancel;
    };
  }
  co_return ended;
}

Coro<long> get(Channel& channel, int levels) {
  if (levels == 0) co_return *co_await channel.receive();
  co_return co_await get(channel, levels - 1);
}

/// W7 has no levels. The channels are there before the nursery, and so when its last task ends.
Coro<long> ping(long n, int levels) {
  Channel there(1), back(1);
  long sum = 0;
  const auto echo = [&]() -> Coro<> {
    for (long i = 0; i < n; ++i) {
      const long item = levels ? co_await get(there, levels - 1) : *co_await there.receive();
      co_await back.send(item);
    }
  };
  const auto ask = [&]() -> Coro<> {
    for (long i = 0; i < n; ++i) {
      co_await there.send(i);
      sum += *co_await back.receive();
    }
  };
  co_await corral::allOf(echo, ask);
  co_return sum;
}

Coro<long> stream(long n) {
  Channel channel(64);
  long sum = 0;
  const auto produce = [&]() -> Coro<> {
    for (long i = 0; i < n; ++i) co_await channel.send(i);
  };
  const auto consume = [&]() -> Coro<> {
    for (long i = 0; i < n; ++i) sum += *co_await channel.receive();
  };
  co_await corral::allOf(produce, consume);
  co_return sum;
}

/// W1t, W3t, W7t: the workload without the `t`, while one timer is pending.
long with_timer(Loop& loop, Coro<long> work) {
  asio::steady_timer pending(loop, 1h);
  pending.async_wait([](asio::error_code) {});
  return corral::run(loop, std::move(work));
}

}  // namespace

long bench::run(std::string_view workload, long n, Memory& memory) {
  Loop loop(1);
  Memory not_asked;
  if (workload == "W1") return corral::run(loop, spawn_await(n));
  if (workload == "W2") return corral::run(loop, spawn_many(n, memory));
  if (workload == "W3") return corral::run(loop, yields(n));
  if (workload == "W4") return corral::run(loop, await_coro(n));
  if (workload == "W4d") return corral::run(loop, chain(n));
  if (workload == "W5") return corral::run(loop, sleepers(loop, n));
  if (workload == "W6a") return corral::run(loop, cancel_sleepers(loop, n, false, not_asked));
  if (workload == "W6ar") return corral::run(loop, cancel_sleepers(loop, n, true, not_asked));
  if (workload == "W6a1") return corral::run(loop, cancel_sleeper(loop, n));
  if (workload == "W7") return corral::run(loop, ping(n, 0));
  if (workload == "levels") return corral::run(loop, ping(n, 20));
  if (workload == "W7b") return corral::run(loop, stream(n));
  if (workload == "W11") return corral::run(loop, errors(n));
  if (workload == "W9") return corral::run(loop, cancel_sleepers(loop, n, false, memory));
  if (workload == "W1t") return with_timer(loop, spawn_await(n));
  if (workload == "W3t") return with_timer(loop, yields(n));
  if (workload == "W7t") return with_timer(loop, ping(n, 0));
  return unknown;
}
