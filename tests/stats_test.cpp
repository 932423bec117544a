// SPDX-License-Identifier: MIT
#include <thread>

#include "support.hpp"

using errand::Stats;

namespace {

Coro<> rest() { co_await errand::sleep(1s); }
Coro<> fails() {
  co_await errand::yield();
  throw runtime_error("fails");
}

}  // namespace

TEST_CASE("the stats count tasks by their ends, and not the App's own tasks") {
  errand::ManualClock clock;
  App app("app", {.clock = &clock, .on_failure = [](const errand::TaskFailure&) {}});
  app.before_server_start([](App&) -> Coro<> { co_await errand::sleep(1s); });
  app.after_server_stop([](App&) -> Coro<> { co_await errand::sleep(1s); });
  CHECK(app.stats().added == 0);
  Stats inside;
  const auto main = [&]() -> Coro<> {
    app.add_task(rest(), "rest");
    app.add_task(fails(), "fails");
    app.add_task([] { throw runtime_error("a callable fails"); });
    auto cancelled = app.add_task(rest());
    auto aborted = app.add_task(rest());
    auto unbegun = app.add_task(rest());
    unbegun.cancel();
    co_await errand::yield();
    co_await errand::yield();
    cancelled.cancel();
    aborted.abort();
    co_await errand::wait_all(cancelled);
    inside = app.stats();
    co_await errand::sleep(2s);
  };
  app.run(main());
  CHECK(inside.added == 7);
  CHECK(inside.succeeded == 0);
  CHECK(inside.failed == 2);
  CHECK(inside.cancelled == 3);
  CHECK(inside.pending == 2);
  CHECK(inside.timers == 1);
  const Stats after = app.stats();
  CHECK(after.added == 7);
  CHECK(after.succeeded == 2);
  CHECK(after.failed == 2);
  CHECK(after.cancelled == 3);
  CHECK(after.pending == 0);
  CHECK(after.timers == 0);
}

TEST_CASE("hidden tasks that fail or are destroyed are in no count") {
  errand::ManualClock clock;
  App app("app", {.clock = &clock, .on_failure = [](const errand::TaskFailure&) {}});
  app.before_server_start([](App&) -> Coro<> {
    co_await errand::yield();
    throw runtime_error("fails");
  });
  CHECK_THROWS_WITH(app.run(), "fails");
  Stats stats = app.stats();
  CHECK(stats.added + stats.succeeded + stats.failed + stats.cancelled + stats.pending == 0);

  App polled("polled", {.clock = &clock, .graceful_timeout = 1s, .on_failure = [](const errand::TaskFailure&) {}});
  polled.before_server_stop([](App&) -> Coro<> { co_await errand::sleep(1h); });
  polled.run();  // the listener is destroyed
  stats = polled.stats();
  CHECK(stats.added + stats.succeeded + stats.failed + stats.cancelled + stats.pending == 0);
}

TEST_CASE("the stats count steps, turns, callbacks and posts") {
  errand::ManualClock clock;
  App app("app", {.clock = &clock});
  Stats before, after;
  const auto main = [&]() -> Coro<> {
    before = app.stats();
    app.call_soon([] {});
    app.call_later(1s, [] {});
    app.call_later(1h, [] {}).cancel();
    app.post([] {});
    auto posted = app.submit([] { return 1; });
    for (int i = 0; i < 10; ++i) co_await errand::yield();
    co_await errand::sleep(2s);
    after = app.stats();
  };
  app.run(main());
  CHECK(after.callbacks - before.callbacks == 3);
  CHECK(after.posts - before.posts == 2);
  // 11 steps of main, 4 calls, and the task that was submitted with its done-callback.
  CHECK(after.steps - before.steps == 17);
  CHECK(after.turns - before.turns >= 12);
  CHECK(after.turns - before.turns <= 15);
}

TEST_CASE("the stats tell how long the App was busy and asleep, and how long the longest step took") {
  App app("app", {.slow_step = 1h});
  const auto main = []() -> Coro<> {
    std::this_thread::sleep_for(5ms);
    co_await errand::sleep(20ms);
  };
  app.run(main());
  const Stats stats = app.stats();
  CHECK(stats.longest_step >= 5ms);
  CHECK(stats.busy >= 5ms);
  CHECK(stats.asleep >= 15ms);
  std::this_thread::sleep_for(2ms);
  CHECK(app.stats().busy == stats.busy);
  App untimed;
  untimed.run(main());
  CHECK(untimed.stats().longest_step == 0s);
  CHECK(untimed.stats().busy >= 5ms);
}

TEST_CASE("stats may be taken while the App is polled, and throw WrongThread on another thread") {
  App app;
  app.add_task(rest());
  app.poll();
  CHECK(app.stats().pending == 1);
  CHECK(app.stats().asleep == 0s);
  std::string error;
  const auto main = [&]() -> Coro<> {
    co_await errand::to_thread([&] {
      try {
        (void)app.stats();
      } catch (const errand::WrongThread&) {
        error = "WrongThread";
      }
    });
  };
  App other;
  CHECK(other.stats().added == 0);
  app.stop();
  while (app.poll()) std::this_thread::sleep_for(1ms);
  app.run(main());
  CHECK(error == "WrongThread");
}

TEST_CASE("the counts agree in the destructor of a TaskLocal's value") {
  struct Looks {
    App* app = nullptr;
    Stats* seen = nullptr;
    ~Looks() {
      if (app) *seen = app->stats();
    }
  };
  static errand::TaskLocal<std::shared_ptr<Looks>> local;
  Stats seen;
  App app("app", {.on_failure = [](const errand::TaskFailure&) {}});
  app.run([](App& own, Stats& into) -> Coro<> {
    auto task = own.add_task([&own, &into]() -> Coro<> {
      auto looks = std::make_shared<Looks>();
      looks->app = &own;
      looks->seen = &into;
      local.set(std::move(looks));
      throw runtime_error("fails");
      co_return;
    });
    co_await errand::wait_all(task);
    task.exception();
  }(app, seen));
  CHECK(seen.failed == 1);
  CHECK(seen.pending == 1);
  CHECK(seen.succeeded == 0);
}

TEST_CASE("the time of a sleep that is under way counts as asleep") {
  class Host : public errand::Reactor {
   public:
    void wait(std::optional<errand::Clock::time_point>) override {
      std::this_thread::sleep_for(10ms);
      if (app) within = app->stats();
    }
    void wake() noexcept override {}
    App* app = nullptr;
    Stats within;
  } host;
  App app("app", {.reactor = &host});
  host.app = &app;
  app.run([]() -> Coro<> { co_await errand::sleep(5ms); }());
  CHECK(host.within.asleep >= 10ms);
  CHECK(host.within.busy <= app.stats().busy);
}
