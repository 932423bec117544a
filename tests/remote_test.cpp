// SPDX-License-Identifier: MIT
// Tests of the functions that other threads may call: submit, post, the setters of shared futures, KeepAlive.
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "real_fixture.hpp"

using errand::Future;

namespace {

template <class F>
void in_threads(int count, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(f, i);
  for (std::thread& thread : threads) thread.join();
}

template <class E, class T>
bool throws(std::future<T>& future) {
  if (future.wait_for(1s) != std::future_status::ready) return false;
  try {
    future.get();
  } catch (const E&) {
    return true;
  }
  return false;
}

}  // namespace

REAL_PLAIN_TEST("submit gives the result of work of any kind to the thread that asks") {
  std::vector<int> results;
  auto alive = app.keep_alive();
  std::thread thread([&] {
    const auto coroutine = [](int value) -> Coro<int> {
      co_await errand::sleep(1ms);
      co_return value;
    };
    results.push_back(app.submit(coroutine(1)).get());
    results.push_back(app.submit([] { return 2; }).get());
    results.push_back(app.submit([](App& own) { return own.name() == "app" ? 3 : 0; }, "three").get());
    results.push_back(*app.submit([owned = std::make_unique<int>(4)]() mutable { return std::move(owned); }).get());
    app.submit([&results] { results.push_back(5); }).get();
    alive.release();
  });
  app.run();
  thread.join();
  CHECK(results == std::vector{1, 2, 3, 4, 5});
  CHECK(app.get_task<int>("three").result() == 3);
}

REAL_PLAIN_TEST("submit gives the error of the work, a cancellation, and that of a name in use") {
  auto alive = app.keep_alive();
  auto failing = app.submit([]() -> Coro<int> {
    co_await errand::yield();
    throw runtime_error("work");
  });
  auto cancelled = app.submit([]() -> int { throw Cancelled("no"); });
  auto first = app.submit([]() -> Coro<> { co_await errand::sleep(1ms); }, "name");
  auto second = app.submit([] {}, "name");
  app.call_later(5ms, [&] { alive.release(); });
  app.run();
  CHECK_THROWS_WITH(failing.get(), "work");
  CHECK(throws<TaskCancelled>(cancelled));
  first.get();
  CHECK(throws<errand::TaskNameInUse>(second));
  expect("");
}

REAL_PLAIN_TEST("work submitted before run waits for it, during the stop it is cancelled, after the end InvalidState") {
  auto early = app.submit([] { return 1; });
  std::future<int> late;
  bool posted = false, ran = false;
  app.after_server_stop([&] {
    std::thread([&] {
      late = app.submit([] { return 2; });
      posted = app.post([&] { ran = true; });
    }).join();
  });
  app.run();
  CHECK(early.get() == 1);
  CHECK(throws<TaskCancelled>(late));
  CHECK(posted);
  CHECK(ran);
  auto after_end = app.submit([] { return 3; });
  CHECK(throws<InvalidState>(after_end));
}

TEST_CASE("an App that is destroyed before it runs destroys what was posted and submitted unrun") {
  support::Notes<bool> at_home;
  std::future<void> future;
  bool ran = false;
  {
    App app("app");
    future = app.submit([&ran, owned = support::NotesThreadOfEnd(at_home)] { ran = true; });
    CHECK(app.post([&ran, owned = support::NotesThreadOfEnd(at_home)] { ran = true; }));
  }
  CHECK(at_home.all() == std::vector{true, true});
  CHECK(throws<TaskCancelled>(future));
  CHECK_FALSE(ran);
}

REAL_PLAIN_TEST("every future of a storm of submits against stop is ready when run has returned") {
  for (int round = 0; round < 20; ++round) {
    App own("own");
    std::atomic<int> ran = 0, refused = 0, unready = 0, submitted = 0;
    auto loop = std::async(std::launch::async, [&] { own.run({.keep_alive = true}); });
    in_threads(4, [&](int thread) {
      std::vector<std::future<void>> futures;
      for (int i = 0; i < 200; ++i, ++submitted) {
        if (thread == 0 && i == 100) own.stop();
        futures.push_back(own.submit([&ran] { ++ran; }));
      }
      if (thread == 0) loop.wait();
      for (auto& future : futures) {
        if (future.wait_for(1s) != std::future_status::ready) {
          ++unready;
          break;
        }
        refused += throws<std::exception>(future);
      }
    });
    REQUIRE(unready == 0);
    CHECK(ran + refused == submitted);
  }
}

REAL_APP_TEST("a shared Future may be set from any thread, once, and wakes all who await it") {
  auto value = Future<int>::shared();
  auto waiter = app.add_task([&]() -> Coro<int> { co_return co_await value; });
  std::atomic<int> set = 0;
  in_threads(8, [&, value](int thread) { set += value.set_result(thread); });
  CHECK(set == 1);
  const int result = co_await value;
  const int other = co_await waiter;
  CHECK(result == other);
  CHECK_FALSE(value.cancel());
}

REAL_APP_TEST("an error or a cancellation set from another thread comes out of the await") {
  auto failing = Future<>::shared();
  auto cancelled = Future<>::shared();
  std::thread thread([=] {
    std::this_thread::sleep_for(5ms);
    failing.set_exception(runtime_error("set"));
    cancelled.cancel("why");
  });
  std::string what, reason;
  try {
    co_await failing;
  } catch (const runtime_error& error) {
    what = error.what();
  }
  try {
    co_await cancelled;
  } catch (const TaskCancelled& error) {
    reason = error.reason();
  }
  thread.join();
  CHECK(what == "set");
  CHECK(reason == "why");
}

REAL_PLAIN_TEST("futures set by one thread while their waiters are cancelled, or their App ends, harm nobody") {
  for (int round = 0; round < 50; ++round) {
    std::vector<Future<int>::Shared> futures(20);
    std::thread thread;
    {
      App own("own");
      for (auto& future : futures) own.add_task([&]() -> Coro<> { co_await future; });
      while (own.all_tasks().empty() || !own.poll()) {
      }
      thread = std::thread([futures] {
        for (auto& future : futures) future.set_result(1);
      });
      for (const auto& task : own.all_tasks()) {
        if (task.id() % 2 == 0) Task<>(task).cancel();
      }
      own.poll();
    }
    thread.join();
    for (auto& future : futures) CHECK(future.done());
  }
}

REAL_PLAIN_TEST("the last KeepAlive dropped on another thread ends run, also one that outlives the App") {
  std::optional<errand::KeepAlive> longest;
  {
    App own("own");
    longest = own.keep_alive();
    std::thread thread([first = own.keep_alive(), &own, &longest]() mutable {
      auto moved = std::move(first);
      std::this_thread::sleep_for(5ms);
      longest->release();
      moved.release();
      (void)own;
    });
    own.run();
    thread.join();
    longest = own.keep_alive();
  }
  std::thread([&] { longest.reset(); }).join();
  expect("");
}

REAL_PLAIN_TEST("posts of 8 threads against several runs and stops each run or are refused, and destroyed either way") {
  std::atomic<int> taken = 0, refused = 0, destroyed = 0, left = 8;
  int ran = 0;
  auto threads = std::async(std::launch::async, [&] {
    in_threads(8, [&](int) {
      for (int i = 0; i < 2000; ++i) {
        auto guard = std::shared_ptr<void>(nullptr, [&](void*) { ++destroyed; });
        ++(app.post([&ran, guard = std::move(guard)] { ++ran; }) ? taken : refused);
        if (i % 500 == 250) app.stop();
      }
      --left;
    });
  });
  while (left > 0) {
    app.call_later(5ms, [this] { app.stop(); });
    app.run({.keep_alive = true});
  }
  threads.get();
  app.run();
  CHECK(taken + refused == 16'000);
  CHECK(ran == taken);
  CHECK(destroyed == 16'000);
}

REAL_PLAIN_TEST(
    "another thread may move a permit, while the tasks of the App use others, and have it given back by a post") {
  constexpr int count = 2000;
  errand::Semaphore slots(64);
  std::mutex mutex;
  std::vector<errand::Semaphore::Permit> handed;  // behind the mutex
  std::atomic<int> given_back = 0;
  app.add_task([&]() -> Coro<> {
    for (int i = 0; i < count; ++i) {
      auto permit = co_await slots.acquire();
      {
        const std::lock_guard guard(mutex);
        handed.push_back(std::move(permit));
      }
      co_await errand::yield();
    }
  });
  app.add_task([&]() -> Coro<> {
    while (given_back < count) {
      const auto permit = co_await slots.acquire();
      co_await errand::yield();
    }
  });
  std::thread other([&, alive = app.keep_alive()] {
    while (given_back < count) {
      std::vector<errand::Semaphore::Permit> mine;
      {
        const std::lock_guard guard(mutex);
        mine.swap(handed);
      }
      for (auto& each : mine) {
        app.post([&given_back, permit = std::move(each)]() mutable {
          permit.release();
          ++given_back;
        });
      }
      std::this_thread::yield();
    }
  });
  app.run();
  other.join();
  CHECK(slots.available() == 64);
}

REAL_PLAIN_TEST("a posted call that throws is reported as callback") {
  app.post([] { throw runtime_error("posted"); });
  app.run();
  expect("", {"posted"});
}
