// SPDX-License-Identifier: MIT
// Tests of an App on an event loop that is not its own.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "real_fixture.hpp"

using errand::Clock;
using Limit = std::optional<Clock::time_point>;

namespace {

/// A clock that stands still until the test sets it. It is no ManualClock, so the App asks the Reactor to wait for each
/// deadline.
struct SetClock : errand::ClockSource {
  Clock::time_point now() override { return time; }
  Clock::time_point time{};
};

/// Logs each wait, and sets the clock to the limit of the wait at once. If the wait has no limit, it calls `happens`.
class VirtualReactor : public errand::Reactor {
 public:
  void wait(Limit until) override {
    log("wait", until ? std::optional(until->time_since_epoch()) : std::nullopt);
    if (until && *until > clock.time) clock.time = *until;
    if (!until && happens) std::exchange(happens, nullptr)();
  }
  void wake() noexcept override { ++wakes; }

  SetClock clock;
  support::Log log;
  std::function<void()> happens;
  std::atomic<int> wakes = 0;
};

errand::AppConfig config_of(VirtualReactor& reactor) { return {.clock = &reactor.clock, .reactor = &reactor}; }

/// Sleeps on a condition variable, from which only `wake` wakes it, and notes whether it slept too long.
class SleepingReactor : public errand::Reactor {
 public:
  void wait(Limit until) override {
    std::unique_lock lock(mutex_);
    const auto latest = Clock::now() + 20s;
    sleeping = true;
    woken_.wait_until(lock, until ? std::min(*until, latest) : latest, [this] { return is_woken_; });
    sleeping = false;
    is_woken_ = false;
    if (Clock::now() >= latest) overslept = true;
  }
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    woken_.notify_one();
  }

  std::atomic<bool> sleeping = false;
  std::atomic<bool> overslept = false;

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  bool is_woken_ = false;
};

void wait_until(const std::atomic<bool>& condition) {
  while (!condition) std::this_thread::yield();
}

}  // namespace

TEST_CASE("the limit of a wait has passed while a task is ready, else is the next deadline of the App's clock") {
  VirtualReactor reactor;
  reactor.clock.time += 100s;
  App app("app", config_of(reactor));
  errand::Event event;
  reactor.happens = [&] { event.set(); };
  app.run([](VirtualReactor& asked, errand::Event& waited) -> Coro<> {
    asked.log.clear();
    asked.log("yield");
    co_await errand::yield();
    asked.log("sleep");
    co_await errand::sleep(5s);
    asked.log("event");
    co_await waited.wait();
    asked.log("end");
  }(reactor, event));
  CHECK(reactor.log.text().starts_with("yield ; wait 100 ; sleep ; wait 105 ; event ; wait none ; end"));
  CHECK((reactor.clock.now() == Clock::time_point(105s)));
}

TEST_CASE("what a Reactor hands on runs in the next turn, and not inside the wait") {
  VirtualReactor reactor;
  App app("app", config_of(reactor));
  errand::Event event;
  errand::Future<int> future;
  support::Log& log = reactor.log;
  reactor.happens = [&] {
    CHECK(&App::current() == &app);
    CHECK(!current_task());
    CHECK(app.poll());  // does nothing inside a wait of the Reactor
    CHECK_THROWS_AS(app.run(), InvalidState);
    event.set();
    future.set_result(7);
    app.add_task([&] { log("added"); });
    app.call_soon([&] { log("called"); });
    app.post([&] { log("posted"); });
    app.get_task("sleeper").cancel();
    log("handed on");
  };
  app.add_task([&]() -> Coro<> {
    co_await event.wait();
    log("event");
  });
  app.add_task([&]() -> Coro<> { log("future", co_await future); });
  app.add_task([]() -> Coro<> { co_await errand::Event().wait(); }, "sleeper");
  app.add_task([&]() -> Coro<> {
    co_await errand::yield();
    log.clear();
  });
  app.run();
  CHECK(log.text().find("handed on ; event ; future 7 ; added ; called ; posted") != std::string::npos);
}

TEST_CASE("a Reactor that returns for no reason costs a turn, and runs nothing early") {
  struct Restless : errand::Reactor {
    void wait(Limit) override { ++waits; }
    void wake() noexcept override {}
    int waits = 0;
  } reactor;
  App app("app", {.reactor = &reactor});
  const auto begun = Clock::now();
  app.run(support::Fixture::after(20ms));
  CHECK((Clock::now() >= begun + 20ms));
  CHECK(reactor.waits > 2);
}

TEST_CASE("every post of several threads runs, though the Reactor sleeps without a limit between them") {
  SleepingReactor reactor;
  App app("app", {.reactor = &reactor});
  int ran = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, keep_alive = app.keep_alive()] {
      for (int n = 0; n < 2000; ++n) {
        app.post([&] { ++ran; });
        if (n % 16 == 0) std::this_thread::yield();
      }
    });
  }
  app.run();
  for (std::thread& thread : threads) thread.join();
  CHECK(ran == 8000);
  CHECK(!reactor.overslept);
}

TEST_CASE("stop, the last KeepAlive, a thread call and a shared Future wake a Reactor that sleeps") {
  SleepingReactor reactor;
  App app("app", {.reactor = &reactor});
  std::thread other;
  const auto asleep = [&](auto act) {
    other = std::thread([&reactor, act = std::move(act)]() mutable {
      wait_until(reactor.sleeping);
      act();
    });
  };
  asleep([&] { app.stop(); });
  app.run({.keep_alive = true});
  other.join();

  asleep([kept = std::optional(app.keep_alive())]() mutable { kept.reset(); });
  app.run();
  other.join();

  const auto future = errand::Future<int>::shared();
  asleep([&] { future.set_result(7); });
  CHECK(app.run([](auto waited) -> Coro<int> { co_return co_await waited; }(future)) == 7);
  other.join();

  CHECK(app.run([](SleepingReactor& sleeper) -> Coro<int> {
    co_return co_await errand::to_thread([&sleeper] {
      wait_until(sleeper.sleeping);
      return 8;
    });
  }(reactor)) == 8);
  CHECK(!reactor.overslept);
}

TEST_CASE("poll asks no Reactor to wait, and the first call that is posted between two polls wakes it") {
  VirtualReactor reactor;
  App app("app", config_of(reactor));
  int ran = 0;
  const auto kept = app.keep_alive();
  for (int i = 0; i < 5; ++i) CHECK(app.poll());
  CHECK(!app.next_deadline());
  const int before = reactor.wakes;
  for (int i = 0; i < 3; ++i) std::thread([&] { app.post([&] { ++ran; }); }).join();
  CHECK(reactor.wakes == before + 1);
  CHECK((app.next_deadline() == reactor.clock.now()));
  CHECK(app.poll());
  CHECK(ran == 3);
  std::thread([&] { app.post([&] { ++ran; }); }).join();
  CHECK(reactor.wakes == before + 2);
  app.stop();
  CHECK(reactor.wakes > before + 2);
  while (app.poll()) {
  }
  CHECK(ran == 4);
  CHECK(reactor.log.text().empty());
}

TEST_CASE("next_deadline tells a host when to poll again: now, at a timer, or when something happens") {
  VirtualReactor reactor;
  App app("app", config_of(reactor));
  errand::Event event;
  app.add_task([&]() -> Coro<> {
    co_await errand::sleep(5s);
    co_await event.wait();
  });
  const auto settle = [&] {
    while (app.next_deadline() == std::optional(reactor.clock.now()) && app.poll()) {
    }
  };
  CHECK((app.next_deadline() == reactor.clock.now()));  // the task has not begun
  settle();
  CHECK((app.next_deadline() == Clock::time_point(5s)));
  reactor.clock.time += 4s;
  CHECK(app.poll());
  CHECK((app.next_deadline() == Clock::time_point(5s)));
  reactor.clock.time += 1s;
  settle();
  CHECK(!app.next_deadline());
  event.set();
  CHECK((app.next_deadline() == reactor.clock.now()));
  while (app.poll()) {
  }
  CHECK(app.all_tasks().empty());
}

TEST_CASE("what a Reactor throws ends the tasks where they stand, and the next run is a run like any other") {
  struct Failing : errand::Reactor {
    void wait(Limit) override {
      if (fails) throw runtime_error("reactor");
    }
    void wake() noexcept override {}
    bool fails = false;
  } reactor;
  support::Log log;
  App app("app", {.reactor = &reactor});
  app.before_server_stop([&] { log("stop"); });
  app.add_task([&]() -> Coro<> {
    const support::LogsAtEnd gone(log, "gone");
    reactor.fails = true;
    co_await errand::sleep(24h);
  });
  CHECK_THROWS_WITH(app.run(), "reactor");
  CHECK(log.text() == "gone");
  CHECK(app.all_tasks().empty());
  reactor.fails = false;
  log.clear();
  app.run(support::Fixture::after(1ms));
  CHECK(log.text() == "stop");
}

TEST_CASE("a ManualClock jumps instead of asking a Reactor to wait, and one that is held waits without a limit") {
  struct Counting : errand::Reactor {
    explicit Counting(errand::ManualClock& its_clock) : clock(its_clock) {}
    void wait(Limit until) override {
      ++(!until ? without : *until > clock.now() ? later : passed);
      if (!until) clock.advance(24h);
    }
    void wake() noexcept override {}
    errand::ManualClock& clock;
    int passed = 0, later = 0, without = 0;
  };
  errand::ManualClock jumping, held(errand::ManualClock::held);
  Counting of_jumping(jumping), of_held(held);
  App app("app", {.clock = &jumping, .reactor = &of_jumping});
  app.run(support::Fixture::after(24h));
  CHECK(of_jumping.passed > 0);
  CHECK(of_jumping.later + of_jumping.without == 0);

  App other("other", {.clock = &held, .reactor = &of_held});
  other.run(support::Fixture::after(24h));
  CHECK(of_held.later == 0);
  CHECK(of_held.without == 1);
}

TEST_CASE("a clock may be far below zero, and the largest duration means never there too") {
  VirtualReactor reactor;
  reactor.clock.time = Clock::time_point(std::chrono::nanoseconds::min() + 1h);
  App app("app", config_of(reactor));
  const auto sleeps = []() -> Coro<bool> {
    auto forever = errand::create_task([]() -> Coro<> { co_await errand::sleep(std::chrono::nanoseconds::max()); });
    co_await errand::sleep(24h);
    const bool is_asleep = !forever.done();
    forever.abort();
    co_return is_asleep;
  };
  CHECK(app.run(sleeps()));
  CHECK(reactor.clock.time == Clock::time_point(std::chrono::nanoseconds::min() + 25h));
}
