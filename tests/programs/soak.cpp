// SPDX-License-Identifier: MIT
// Workers, posts, cancels, dispatches and thread calls at random, for a while. Usage: soak [SECONDS]. Each run must
// give its memory back: at the end, no more blocks may be in use than after the first runs.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <errand/errand.hpp>
#include <new>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using errand::Coro;

namespace {

std::atomic<long> live = 0;  // blocks of memory
std::atomic<long> done = 0;  // events, which show that the program did something

unsigned random_number() {
  static thread_local std::mt19937 random(static_cast<unsigned>(done.load()));
  return static_cast<unsigned>(random());
}

Coro<int> work() {
  co_await errand::sleep(std::chrono::microseconds(random_number() % 2000));
  if (random_number() % 16 == 0) throw std::runtime_error("one of many");
  ++done;
  co_return 1;
}

Coro<> wait_for_events(errand::App& app) {
  for (;;) {
    try {
      co_await app.event("soak.round.*", 1ms);
      ++done;
    } catch (const errand::TimeoutError&) {
    }
  }
}

Coro<> churn(errand::App& app) {
  errand::Queue<int> queue(4);
  const auto consumer = app.add_task([&queue]() -> Coro<> {
    for (;;) done += co_await queue.get();
  });
  app.add_task(wait_for_events(app), "events");
  for (int i = 0; i < 300; ++i) {
    const std::string name = "n" + std::to_string(random_number() % 8);
    auto task = app.add_task(work(), name, errand::NameTaken::replace);
    switch (random_number() % 6) {
      case 0: task.cancel("no more"); break;
      case 1: task.abort(); break;
      case 2: app.dispatch("soak.round.one", i); break;
      case 3: co_await queue.put(1); break;
      case 4: co_await errand::gather_settled(work(), task, errand::wait_for(work(), 1ms)); break;
      default: done += co_await errand::to_thread([](int n) { return n; }, 1); break;
    }
    if (random_number() % 8 == 0) app.purge_tasks();
    co_await errand::yield();
  }
  co_await app.cancel_task("events");
}

void run_once(bool several) {
  errand::App app("soak", {.max_threads = 4, .on_failure = [](const errand::TaskFailure&) {}});
  app.add_task(churn);
  std::vector<std::thread> others;
  std::atomic<bool> over = false;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&app, &over] {
      while (!over) {
        app.post([] { ++done; });
        auto future = app.submit([]() -> Coro<int> {
          co_await errand::yield();
          co_return 1;
        });
        try {
          done += future.get();
        } catch (const std::exception&) {
        }
        std::this_thread::sleep_for(500us);
      }
    });
  }
  app.main_process_start([&app] { app.call_later(200ms, [&app] { app.stop(); }); });
  app.run({.workers = several ? 3u : 1u});
  over = true;
  for (std::thread& other : others) other.join();
}

}  // namespace

// These operators are not inlined, because GCC warns of a mismatch of new and delete if it inlines parts of them.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++live;
  if (void* block = std::malloc(size > 0 ? size : 1)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  if (block) --live;
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  if (block) --live;
  std::free(block);
}

int main(int argc, char** argv) {
  const std::chrono::seconds length(argc > 1 ? std::atoi(argv[1]) : 10);
  const auto start = std::chrono::steady_clock::now();
  run_once(true);
  run_once(false);
  const long at_first = live;
  long rounds = 2, most = at_first;
  while (std::chrono::steady_clock::now() - start < length) {
    run_once(rounds % 2 == 0);
    ++rounds;
    most = std::max<long>(most, live);
  }
  std::printf("soak: %ld runs, %ld events, %ld blocks at first, %ld at most, %ld at last\n", rounds, done.load(),
              at_first, most, live.load());
  return done > 0 && live <= at_first + 16 ? 0 : 1;
}
