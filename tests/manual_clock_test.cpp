// SPDX-License-Identifier: MIT
// Tests of how the time of a ManualClock moves: through every deadline, and only after input that waits was handled.
#include "support.hpp"

using errand::Clock;
using errand::ManualClock;
using errand::run_ready;

namespace {

/// Sleeps a minute again and again, and counts how often it woke.
Coro<> each_minute(int& woken) {
  for (;;) {
    co_await errand::sleep(1min);
    ++woken;
  }
}

/// An App on a clock that moves only when `advance` is called.
struct Held {
  support::Log log;
  ManualClock clock{ManualClock::held};
  App app{"app", {.clock = &clock}};
  std::chrono::nanoseconds now() { return clock.now().time_since_epoch(); }
};

}  // namespace

TEST_CASE("advance goes through every deadline, whoever calls it, and whether or not the clock jumps by itself") {
  for (const auto mode : {ManualClock::held, ManualClock::jumping}) {
    for (const std::string from : {"callback", "task", "listener", "before run"}) {
      CAPTURE(from);
      ManualClock clock(mode);
      App app("app", {.clock = &clock});
      int woken = 0, called = 0, ticked = 0;
      app.add_task([&] { return each_minute(woken); });
      app.add_task([&]() -> Coro<> {
        auto interval = errand::every(1min);
        for (;;) {
          co_await interval.tick();
          ++ticked;
        }
      });
      std::function<void()> call_again = [&] { app.call_later(1min, [&] { ++called, call_again(); }); };
      call_again();
      const auto advance = [&] { clock.advance(1h + 30s); };
      if (from == "before run") advance();
      if (from == "listener") app.after_server_start(advance);
      const auto main = [&]() -> Coro<> {
        if (from == "callback") app.call_soon(advance);
        if (from == "task") advance();
        co_await errand::sleep_until(Clock::time_point(1h + 30s));
      };
      app.run(main());
      CHECK(called == 60);
      CHECK(woken >= 59);
      CHECK(ticked >= 59);
      CHECK(clock.now() == Clock::time_point(1h + 30s));
    }
  }
}

TEST_CASE("time is there at once if there is no deadline on the way, else at the first of them") {
  Held test;
  test.clock.advance(1s);
  CHECK((test.now() == 1s));
  auto call = test.app.call_later(10s, [] {});
  test.clock.advance(1s);
  CHECK((test.now() == 2s));
  test.clock.advance(1min);
  CHECK((test.now() == 11s));
  test.clock.advance(1min);  // is added to the rest of the last advance
  CHECK((test.now() == 11s));
  test.app.run();
  CHECK((test.now() == 122s));
  test.clock.advance(0s);
  test.clock.advance(-1s);
  CHECK((test.now() == 122s));
  test.app.call_at(Clock::time_point(1s), [] {});  // has passed, and time does not go back to it
  test.clock.advance(1s);
  CHECK((test.now() == 122s));
  test.app.run();
  CHECK((test.now() == 123s));
}

TEST_CASE("what an advance wakes has run before the time moves on, and so has what that wakes") {
  Held test;
  errand::Event event;
  test.app.add_task([&]() -> Coro<> {
    co_await errand::sleep(1s);
    event.set();
  });
  test.app.add_task([&]() -> Coro<> {
    co_await event.wait();
    co_await errand::yield();
    test.log("woken", test.now());
    test.app.add_task([&]() -> Coro<> {
      co_await errand::sleep(500ms);
      test.log("added", test.now());
    });
  });
  test.app.call_later(2s, [&] { test.log("called", test.now()); });
  test.app.add_task([&]() -> Coro<> {
    try {
      co_await errand::wait_for(errand::sleep(1h), 3s);
    } catch (const TimeoutError&) {
      test.log("time-out", test.now());
    }
  });
  run_ready(test.app);
  test.clock.advance(1h);
  run_ready(test.app);
  CHECK(test.log.text() == "woken 1 ; added 1.5 ; called 2 ; time-out 3");
}

TEST_CASE("polls go on with an advance, one deadline each, and say so") {
  Held test;
  int woken = 0;
  test.app.add_task([&] { return each_minute(woken); });
  while (test.app.next_deadline() == test.clock.now()) test.app.poll();
  CHECK((test.app.next_deadline() == Clock::time_point(1min)));
  test.clock.advance(90s);
  CHECK(test.app.poll());
  CHECK(woken == 1);
  CHECK((test.now() == 60s));
  CHECK((test.app.next_deadline() == test.clock.now()));
  CHECK(test.app.poll());
  CHECK((test.now() == 90s));
  CHECK((test.app.next_deadline() == Clock::time_point(2min)));
  test.app.stop();
  while (test.app.poll()) continue;
  CHECK(woken == 1);
}

TEST_CASE("run_ready polls until nothing is ready, and neither jumps nor waits for what is outside") {
  for (const auto mode : {ManualClock::held, ManualClock::jumping}) {
    ManualClock clock(mode);
    App app("app", {.clock = &clock});
    int woken = 0;
    auto task = app.add_task([&]() -> Coro<> {
      for (int i = 0; i < 100; ++i) co_await errand::yield();
      co_await each_minute(woken);
    });
    CHECK(run_ready(app));
    CHECK(run_ready(app));
    CHECK((clock.now() == Clock::time_point()));
    clock.advance(1h);
    CHECK(run_ready(app));
    CHECK(woken == 60);
    auto future = errand::Future<>::shared();
    app.add_task([&]() -> Coro<> { co_await future; });
    CHECK(run_ready(app));
    clock.advance(1h);  // does not wait for the shared future, which may never be set
    CHECK(run_ready(app));
    CHECK(woken == 120);
    future.set_result();
    task.cancel();
    CHECK(!run_ready(app));
  }
}

TEST_CASE("an advance waits for the thread calls of what it woke") {
  Held test;
  int woken = 0;
  test.app.add_task([&]() -> Coro<> {
    for (;;) {
      co_await errand::sleep(1min);
      co_await errand::to_thread([] {});
      ++woken;
    }
  });
  const auto main = [&]() -> Coro<> {
    test.app.call_soon([&] { test.clock.advance(10min + 30s); });
    co_await errand::sleep(10min + 30s);
  };
  test.app.run(main());
  CHECK(woken == 10);
}

TEST_CASE("a run that ends in the middle of an advance leaves nothing that holds up the next one") {
  Held test;
  const auto main = [&]() -> Coro<> {
    test.app.call_soon([&] { test.clock.advance(1h); });
    co_await errand::sleep(1min);
  };
  test.app.run(main());
  CHECK((test.now() == 1h));
  test.app.run(main());
  CHECK((test.now() == 2h));
}

TEST_CASE("several Apps may live on one clock, and it may outlive them") {
  ManualClock clock(ManualClock::held);
  App first("first", {.clock = &clock});
  int woken = 0, others = 0;
  first.add_task([&] { return each_minute(woken); });
  {
    App second("second", {.clock = &clock}), third("third", {.clock = &clock});
    second.add_task([&] { return each_minute(others); });
    run_ready(first);
    run_ready(second);
    third.call_later(10s, [] {});
    clock.advance(1min);
    CHECK((clock.now() == Clock::time_point(10s)));
    run_ready(third);
    run_ready(second);
    run_ready(first);
    CHECK(woken == 1);
    CHECK(others == 1);
  }
  clock.advance(2min);
  run_ready(first);
  CHECK(woken == 3);
  CHECK((clock.now() == Clock::time_point(3min)));
}

namespace {

/// A reactor that provides a line of input as soon as `waiting` is 2.
struct Input : errand::Reactor {
  void wait(std::optional<Clock::time_point> until) override {
    last_limit = until;
    if (waiting == 2) line.set_result(7);
  }
  void wake() noexcept override {}
  errand::Future<int> line;
  int waiting = 0;
  std::optional<Clock::time_point> last_limit;
};

}  // namespace

TEST_CASE("input that is there comes before the next deadline, of a clock that jumps and of an advance") {
  for (const auto mode : {ManualClock::held, ManualClock::jumping}) {
    Input input;
    ManualClock clock(mode);
    App app("app", {.clock = &clock, .reactor = &input});
    Clock::time_point read_at = Clock::time_point::max();
    app.add_task([&]() -> Coro<> {
      ++input.waiting;
      (void)co_await input.line;
      read_at = errand::now();
    });
    auto each = app.add_task([&]() -> Coro<> {
      for (;;) {
        co_await errand::sleep(1min);
        if (errand::now() == Clock::time_point(2min)) ++input.waiting;
      }
    });
    app.call_later(1h, [&] { each.cancel(); });
    if (mode == ManualClock::held) {
      app.add_task([&]() -> Coro<> {
        co_await errand::yield();  // lets the other tasks begin to wait
        clock.advance(1h);
      });
    }
    app.run();
    CHECK((read_at == Clock::time_point(2min)));
  }
}

APP_TEST("now is the time of the App that runs, by its clock") {
  co_await errand::sleep(5s);
  CHECK((errand::now() == errand::Clock::time_point(5s)));
  CHECK((app.now() == errand::now()));
}

TEST_CASE("now is that of the clock, and outside of an App it is InvalidState") {
  ManualClock clock;
  clock.advance(3s);
  App app("app", {.clock = &clock});
  CHECK((app.now() == Clock::time_point(3s)));
  CHECK_THROWS_AS(errand::now(), InvalidState);
  const auto before = Clock::now();
  CHECK(App("real").now() >= before);
}
