// SPDX-License-Identifier: MIT
// Conformance cases about threads. Test names begin with the ids of the cases.
#include <array>
#include <atomic>
#include <numeric>
#include <thread>

#include "real_fixture.hpp"

namespace {

constexpr auto time_now = &errand::Clock::now;

/// Calls `f` on another thread. Returns "WrongThread" if the call throws that error, else "nothing".
template <class F>
std::string thrown_elsewhere(F f) {
  std::string noted = "nothing";
  std::thread([&] {
    try {
      f();
    } catch (const errand::WrongThread& error) {
      noted = support::text_of(error);
    }
  }).join();
  return noted;
}

}  // namespace

REAL_APP_TEST("H09 calls posted by a thread run in order, and wake the loop") {
  std::vector<int> numbers;
  errand::Event all;
  const auto alive = app.keep_alive();
  const auto begun = time_now();
  std::thread thread([&] {
    std::this_thread::sleep_for(50ms);
    for (int i = 0; i < 1000; ++i) app.post([&numbers, i] { numbers.push_back(i); });
    app.post([&all] { all.set(); });
  });
  co_await all.wait();
  std::vector<int> in_order(1000);
  std::iota(in_order.begin(), in_order.end(), 0);
  log(numbers == in_order, time_now() - begun < 1s);
  thread.join();
  expect("true true");
}

REAL_APP_TEST("H10 the loop goes on while a thread call is under way, whose result or error comes back") {
  int ticks = 0;
  auto ticking = app.add_task([&]() -> Coro<> {
    for (;; ++ticks) co_await errand::sleep(5ms);
  });
  const auto work = [] {
    std::this_thread::sleep_for(60ms);
    return 5;
  };
  const int result = co_await errand::to_thread(work);
  log(result, ticks > 3);
  const auto failing = [] { throw runtime_error("thr"); };
  try {
    co_await errand::to_thread(failing);
  } catch (const runtime_error& error) {
    log(error);
  }
  expect("5 true ; thr");
  ticking.cancel();
  co_await errand::wait_all(ticking);
}

REAL_PLAIN_TEST("H11 a cancelled thread call is waited for, and one that may be abandoned by the App's end") {
  std::atomic<bool> begun = false, done = false;
  const auto work = [&] {
    begun = true;
    std::this_thread::sleep_for(100ms);
    done = true;
  };
  const auto scenario = [&]() -> Coro<> {
    auto t = app.add_task([&]() -> Coro<> { co_await errand::to_thread(work); });
    while (!begun) co_await errand::sleep(1ms);
    t.cancel();
    co_await errand::wait_all(t);
    log(t.status(), done.load());
    begun = done = false;
    t = app.add_task([&]() -> Coro<> { co_await errand::to_thread(errand::abandon, work); });
    while (!begun) co_await errand::sleep(1ms);
    const auto asked = time_now();
    t.cancel();
    bool cancelled = false;
    try {
      co_await t;
    } catch (const TaskCancelled&) {
      cancelled = true;
    }
    log(cancelled && time_now() - asked < 50ms, done.load());
  };
  app.run(scenario());
  log(done.load());
  expect("succeeded true ; true false ; true");
}

REAL_APP_TEST("H31 call_soon in another thread throws WrongThread, and nothing runs") {
  log(thrown_elsewhere([this] { app.call_soon([this] { log("ran"); }); }));
  co_await errand::sleep(1ms);
  expect("WrongThread");
}

REAL_APP_TEST("S40 add_task in another thread throws WrongThread, and adds nothing") {
  const auto c = [this]() -> Coro<> {
    log("ran");
    co_return;
  };
  const std::size_t before = app.all_tasks().size();
  log(thrown_elsewhere([&] { app.add_task(c()); }));
  log(app.all_tasks().size() == before);
  co_await errand::sleep(1ms);
  expect("WrongThread ; true");
}

REAL_APP_TEST("P12 cancel in another thread throws WrongThread, and the task goes on") {
  auto task = app.add_task([]() -> Coro<> { co_await errand::sleep(1ms); });
  log(thrown_elsewhere([&] { task.cancel(); }));
  co_await task;
  log(task.status());
  expect("WrongThread ; succeeded");
}

TEST_CASE("P15 two Apps in two threads run 1000 tasks each, and are each thread's current App") {
  std::array<int, 2> counts{};
  const auto run_app = [](int& count) {
    App app("app");
    for (int i = 0; i < 1000; ++i) {
      app.add_task([&]() -> Coro<> {
        bool own = &App::current() == &app;
        co_await errand::yield();
        own = own && &App::current() == &app;
        count += own;
      });
    }
    app.run();
  };
  std::thread first([&] { run_app(counts[0]); });
  std::thread second([&] { run_app(counts[1]); });
  first.join();
  second.join();
  CHECK(counts == std::array{1000, 1000});
}

REAL_PLAIN_TEST("P16 of 800,000 posts from 8 threads against stop each runs or says false, first in, first out") {
  constexpr int threads = 8, posts = 100'000;
  std::array<int, threads> ran{}, refused{}, last{};
  last.fill(-1);
  bool in_order = true;
  std::atomic<bool> refused_for_good = true;
  const auto post_all = [&](int thread) {
    for (int i = 0; i < posts; ++i) {
      if (i == posts / 2 && thread == 0) app.stop();
      const bool taken = app.post([&, thread, i] {
        in_order = in_order && last[thread] < i;
        last[thread] = i;
        ++ran[thread];
      });
      if (taken && refused[thread] > 0) refused_for_good = false;
      refused[thread] += !taken;
    }
  };
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) all.emplace_back(post_all, thread);
  app.run({.keep_alive = true});
  CHECK_FALSE(app.post([] {}));
  for (auto& thread : all) thread.join();
  const auto sum = [](const auto& counts) { return std::accumulate(counts.begin(), counts.end(), 0); };
  CHECK(sum(ran) + sum(refused) == threads * posts);
  CHECK(refused_for_good);
  CHECK(in_order);
  expect("");
}
