// SPDX-License-Identifier: MIT
// Other threads do to an App all that they are allowed to do, at the same time and at random, while accesses to shared
// memory are delayed (delays.cpp). Usage: races [SECONDS [SEED]]. Each round counts the events that must neither be
// lost nor happen twice. If a round does not end within two minutes, a wake-up was lost. For ThreadSanitizer.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

unsigned long delays_taken();
void seed_delays(std::uint64_t from);

using namespace std::chrono_literals;
using errand::App;
using errand::Coro;

namespace {

unsigned long long seed = 1;
const char* round_name = "";

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "FAILED %s: %s, seed %llu\n", round_name, what, seed);
  std::abort();
}
void expect(bool holds, const char* what) {
  if (!holds) fail(what);
}

class Random {
 public:
  explicit Random(unsigned long long from) : random_(from) {}
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

 private:
  std::mt19937_64 random_;
};

/// Threads that all begin at once. Each has random numbers of its own.
class Threads {
 public:
  template <class F>
  void add(F f) {
    threads_.emplace_back([this, f = std::move(f), random = Random(seed * 64 + threads_.size())]() mutable {
      while (!begun_) std::this_thread::yield();
      f(random);
    });
  }
  void begin() { begun_ = true; }
  ~Threads() {
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> begun_ = false;
  std::vector<std::thread> threads_;
};

void pause(Random& random) {
  if (random.below(16) == 0) std::this_thread::sleep_for(std::chrono::microseconds(random.below(100)));
}

errand::AppConfig quiet() {
  errand::AppConfig config;
  config.on_failure = [](const errand::TaskFailure&) {};
  return config;
}

/// Counts calls that are posted: each must be destroyed exactly once, and run at most once.
struct Counts {
  std::atomic<int> taken = 0, run = 0, alive = 0;
};
class Call {
 public:
  explicit Call(Counts& counts) : counts_(&counts) { ++counts_->alive; }
  Call(Call&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)) {}
  ~Call() {
    if (counts_) --counts_->alive;
  }
  void operator()() { ++counts_->run; }

 private:
  Counts* counts_;
};

/// Adds a thread that posts so many calls, and keeps the App alive meanwhile.
void add_poster(Threads& threads, App& app, Counts& counts, unsigned each) {
  threads.add([&app, &counts, each, alive = app.keep_alive()](Random& own) mutable {
    for (unsigned n = 0; n < each; ++n) {
      counts.taken += app.post(Call(counts));
      pause(own);
    }
    alive.release();
  });
}

/// Nobody stops the App: the loop ends with the last KeepAlive, and everything that was posted before has run.
void posts(Random& random) {
  Counts counts;
  App app("posts", quiet());
  Threads threads;
  const unsigned each = 1 + random.below(40);
  for (int i = 0; i < 3; ++i) add_poster(threads, app, counts, each);
  threads.begin();
  app.run();
  expect(counts.taken == static_cast<int>(3 * each), "a call was refused");
  expect(counts.run == counts.taken, "a call was lost");
  expect(counts.alive == 0, "a call was not destroyed");
}

/// A thread submits work and then releases the last KeepAlive. The work must run to its end, because it was submitted
/// before the App began to stop.
void submit_before_last_keep_alive(Random&) {
  App app("submit_before_last_keep_alive", quiet());
  std::future<int> last;
  Threads threads;
  threads.add([&, alive = app.keep_alive()](Random& own) mutable {
    pause(own);
    last = app.submit([]() -> Coro<int> {
      co_await errand::yield();
      co_return 1;
    });
    alive.release();
  });
  threads.begin();
  app.run();
  try {
    expect(last.get() == 1, "another result");
  } catch (const errand::Error& error) {
    fail(error.what());
  }
}

/// Threads post and submit while another thread stops the App. Each call that was taken runs, and every future is set.
void stops(Random& random) {
  Counts counts;
  std::atomic<int> values = 0, cancelled = 0, refused = 0, asked = 0;
  {
    App app("stops", quiet());
    Threads threads;
    const unsigned each = 1 + random.below(30);
    for (int i = 0; i < 2; ++i) {
      threads.add([&, each](Random& own) {
        std::vector<std::future<int>> results;
        for (unsigned n = 0; n < each; ++n) {
          counts.taken += app.post(Call(counts));
          ++asked;
          switch (own.below(3)) {
            case 0: results.push_back(app.submit([] { return 1; })); break;
            case 1:
              results.push_back(app.submit([]() -> Coro<int> {
                co_await errand::sleep(20us);
                co_return 1;
              }));
              break;
            default:
              results.push_back(app.submit([]() -> Coro<int> {
                co_await errand::sleep(1h);
                co_return 1;
              }));
          }
          pause(own);
        }
        for (std::future<int>& result : results) {
          try {
            values += result.get();
          } catch (const errand::TaskCancelled&) {
            ++cancelled;
          } catch (const errand::InvalidState&) {
            ++refused;
          }
        }
      });
    }
    threads.add([&](Random& own) {
      for (unsigned n = own.below(4); n > 0; --n) pause(own);
      app.stop();
      pause(own);
      app.stop();
    });
    threads.begin();
    app.run({.keep_alive = true});
  }
  expect(counts.run == counts.taken, "a call was lost");
  expect(counts.alive == 0, "a call was not destroyed");
  expect(values + cancelled + refused == asked, "a future was not set");
}

/// Several threads set or cancel one future. Many tasks await it, and some of them are cancelled or aborted, or time
/// out, at the same moment.
void futures(Random& random) {
  std::atomic<int> set = 0;
  int saw_value = 0, saw_end = 0, gave_up = 0, others = 0;
  const auto future = errand::Future<std::unique_ptr<int>>::shared();
  App app("futures", quiet());
  Threads threads;
  for (int i = 0; i < 3; ++i) {
    threads.add([&set, i, future, alive = app.keep_alive()](Random& own) mutable {
      for (unsigned n = own.below(6); n > 0; --n) pause(own);
      set += i < 2 ? future.set_result(std::make_unique<int>(i)) : future.cancel("by a thread");
      alive.release();
    });
  }
  const auto await = [&](unsigned limit) -> Coro<> {
    try {
      const auto look = [&]() -> Coro<> {
        const std::unique_ptr<int>& value = co_await future;
        saw_value += *value < 2;
      };
      if (limit > 0) {
        co_await errand::wait_for(look(), std::chrono::microseconds(limit));
      } else {
        co_await look();
      }
    } catch (const errand::TaskCancelled&) {
      ++saw_end;
    } catch (const errand::TimeoutError&) {
      ++gave_up;
    }
  };
  std::vector<errand::Task<>> tasks;
  for (unsigned i = 0; i < 12; ++i) tasks.push_back(app.add_task(await(i % 3 == 0 ? 1 + random.below(200) : 0)));
  app.add_task([&]() -> Coro<> {
    co_await errand::sleep(std::chrono::microseconds(random.below(200)));
    others += tasks[random.below(6)].abort();
    others += tasks[6 + random.below(6)].cancel();
  });
  threads.begin();
  app.run();
  expect(set == 1, "not one of the setters was the first");
  expect(saw_value == 0 || saw_end == 0, "some saw a value and some an end");
  const int seen = saw_value + saw_end + gave_up;
  expect(seen <= 12 && seen + others >= 12, "one that awaits was forgotten");
}

/// Tasks call functions on threads. Some of the calls are cancelled, and the App ends while calls are under way.
void calls(Random& random) {
  std::atomic<int> under_way = 0, begun = 0;
  int came_back = 0;
  {
    errand::AppConfig config = quiet();
    config.max_threads = 1 + random.below(4);
    App app("calls", std::move(config));
    std::vector<errand::Task<>> tasks;
    for (int i = 0; i < 12; ++i) {
      tasks.push_back(app.add_task([&, length = random.below(100)]() -> Coro<> {
        const auto call = [&under_way, &begun, length] {
          ++under_way, ++begun;
          std::this_thread::sleep_for(std::chrono::microseconds(length));
          --under_way;
          return 1;
        };
        came_back += co_await errand::to_thread(call);
      }));
    }
    app.add_task([&]() -> Coro<> {
      for (int i = 0; i < 4; ++i) {
        co_await errand::sleep(std::chrono::microseconds(random.below(100)));
        tasks[random.below(12)].cancel();
        tasks[random.below(12)].abort();
      }
      if (random.below(2) == 0) errand::App::current().stop();
    });
    app.run();
    expect(came_back <= begun, "a call came back that never began");
    for (const errand::Task<>& task : tasks) expect(task.done(), "a task was left");
  }
  expect(under_way == 0, "the App did not wait for a call");
}

/// Workers are stopped from outside at any moment, also while they start.
void workers(Random& random) {
  std::atomic<int> starts = 0, stops = 0;
  Counts counts;
  App app("workers", quiet());
  app.before_server_start([&] { ++starts; });
  app.after_server_stop([&] { ++stops; });
  app.add_task([&](App& own) -> Coro<> {
    // Each worker's thread posts to worker 0.
    if (&own != &app) counts.taken += app.post(Call(counts));
    co_await errand::to_thread([] {});
    co_await errand::sleep(1h);
  });
  Threads threads;
  threads.add([&](Random& own) {
    for (unsigned n = own.below(12); n > 0; --n) pause(own);
    app.stop();
  });
  threads.begin();
  app.run({.workers = 1 + random.below(3), .keep_alive = true});
  expect(starts <= stops, "a worker that started did not stop");
  expect(counts.run == counts.taken, "a call was lost");
}

/// A host polls the App, and sleeps until the App wakes it.
void polls(Random& random) {
  struct Bell final : errand::Reactor {
    void wait(std::optional<errand::Clock::time_point>) override { fail("poll waits"); }
    void wake() noexcept override {
      rings.fetch_add(1);
      rings.notify_one();
    }
    std::atomic<unsigned> rings = 0;
  } bell;
  Counts counts;
  errand::AppConfig config = quiet();
  config.reactor = &bell;
  App app("polls", std::move(config));
  Threads threads;
  const unsigned each = 1 + random.below(30);
  for (int i = 0; i < 2; ++i) add_poster(threads, app, counts, each);
  threads.begin();
  for (unsigned seen = bell.rings; app.poll(); seen = bell.rings) {
    if (!app.next_deadline()) bell.rings.wait(seen);
  }
  expect(counts.run == static_cast<int>(2 * each), "a call was lost");
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  if (argc > 2) seed = std::strtoull(argv[2], nullptr, 10);
  std::signal(SIGALRM, [](int) {
    std::fprintf(stderr, "FAILED %s: does not end, seed %llu\n", round_name, seed);
    std::abort();
  });
  struct Round {
    const char* name;
    void (*run)(Random&);
  };
  const Round rounds[] = {
      {"posts", posts}, {"submit_before_last_keep_alive", submit_before_last_keep_alive},
      {"stops", stops}, {"futures", futures},
      {"calls", calls}, {"workers", workers},
      {"polls", polls},
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  unsigned long done = 0;
  for (; std::chrono::steady_clock::now() < end; ++seed) {
    for (const Round& round : rounds) {
      round_name = round.name;
      seed_delays(seed);
      alarm(120);
      Random random(seed);
      try {
        round.run(random);
      } catch (const std::exception& error) {
        fail(error.what());
      }
      ++done;
    }
  }
  std::printf("%lu rounds of races, %lu delays\n", done, delays_taken());
}
