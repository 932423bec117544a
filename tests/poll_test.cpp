// SPDX-License-Identifier: MIT
// Tests of an App on the loop of a host: frames, and calls of `poll` from code that the App itself runs.
#include <thread>

#include "real_fixture.hpp"

using errand::Clock;
using errand::ManualClock;

namespace {

struct Host : errand::Reactor {
  void wait(std::optional<Clock::time_point>) override {
    if (on_wait) on_wait();
  }
  void wake() noexcept override { ++wakes; }
  std::function<void()> on_wait;
  int wakes = 0;
};

/// A clock that moves on by a millisecond each time it is read.
struct Ticking : errand::ClockSource {
  Clock::time_point now() override { return time += 1ms; }
  Clock::time_point time{};
};

}  // namespace

TEST_CASE("a frame makes turns until nothing is ready, or until its time is over, and one at least") {
  Ticking clock;
  App app("app", {.clock = &clock});
  int turns = 0;
  bool is_busy = true;
  app.add_task([&]() -> Coro<> {
    while (is_busy) {
      ++turns;
      co_await errand::yield();
    }
    co_await errand::sleep(1h);
  });
  CHECK(app.poll(clock.time + 100ms));
  CHECK(turns > 20);
  CHECK(turns <= 100);
  const int before = turns;
  CHECK(app.poll(Clock::time_point::min()));
  CHECK(app.poll(clock.time));
  CHECK(turns == before + 2);
  is_busy = false;
  const auto time = clock.time;
  CHECK(app.poll(clock.time + 1h));
  CHECK((clock.time < time + 1min));
  app.stop();
  CHECK(!app.poll(clock.time + 1h));
}

TEST_CASE("a frame goes through the deadlines of a clock that jumps up to its end, and no further") {
  ManualClock clock;
  App app("app", {.clock = &clock});
  std::vector<int> woken;
  app.add_task([&]() -> Coro<> {
    for (int i = 1; i <= 5; ++i) {
      co_await errand::sleep(1s);
      woken.push_back(i);
    }
  });
  CHECK(app.poll(Clock::time_point(2500ms)));
  CHECK(woken == std::vector{1, 2});
  CHECK((clock.now() == Clock::time_point(2s)));
  CHECK(app.poll(Clock::time_point(2500ms)));
  CHECK(woken.size() == 2);
  CHECK(!app.poll(Clock::time_point::max()));
  CHECK(woken.size() == 5);
}

TEST_CASE("a frame that ends the work makes the stop sequence, and the next one begins a run") {
  support::Fixture test;
  test.app.before_server_start([&] { test.log("start"); });
  test.app.after_server_stop([&]() -> Coro<> {
    co_await errand::yield();
    test.log("stop");
  });
  for (int i = 0; i < 2; ++i) {
    test.add([&] { test.log("work"); });
    CHECK(!test.app.poll(Clock::time_point::max()));
  }
  test.expect("start ; work ; stop ; start ; work ; stop");
}

TEST_CASE("a poll inside a step, a callback, a listener, a report or a wait of the same App does nothing") {
  Host host;
  support::Log log;
  App* of = nullptr;
  bool is_inside = false;
  const auto polls = [&](const char* from) {
    is_inside = true;
    const int before = host.wakes;
    const bool all = of->poll() && of->poll(Clock::time_point::max()) && errand::run_ready(*of);
    is_inside = false;
    log(from, all, host.wakes == before);
  };
  App app("app", {.reactor = &host, .on_failure = [&](const errand::TaskFailure&) { polls("report"); }});
  of = &app;
  app.before_server_start([&] { polls("start"); });
  app.after_server_stop([&]() -> Coro<> {
    polls("stop");
    co_return;
  });
  app.add_task([&]() -> Coro<> {
    const support::CallsAtEnd local([&] { polls("destructor"); });
    polls("task");
    co_await errand::yield();
    throw runtime_error("failure");
  });
  app.call_soon([&] { polls("callback"); });
  app.add_task([&]() -> Coro<> {
    for (int i = 0; i < 10; ++i) {
      CHECK(!is_inside);
      co_await errand::yield();
    }
  });
  int polled = 0;
  while (app.poll()) ++polled;
  CHECK(polled > 10);
  CHECK(host.wakes >= 4);
  CHECK(log.text() ==
        "start true true ; callback true true ; task true true ; destructor true true ; report true true ; "
        "stop true true");

  host.on_wait = [&] { log("wait", app.poll()); };
  log.clear();
  app.add_task(support::Fixture::after(1ms));
  const int before = host.wakes;
  app.run();
  CHECK(log.text().find("wait true") != std::string::npos);
  CHECK(log.text().find("false") == std::string::npos);
  CHECK(host.wakes > before);
}

TEST_CASE("a host that polls inside a step is not told to poll again, until that step is over") {
  Host host;
  App app("app", {.reactor = &host});
  bool has_run = false;
  app.add_task([&]() -> Coro<> {
    app.call_soon([&] { has_run = true; });
    CHECK(app.next_deadline().has_value());  // nobody has polled yet, and so nobody knows of the step
    CHECK(app.poll());
    CHECK(!app.next_deadline().has_value());
    std::thread([&] { app.post([] {}); }).join();
    CHECK(app.poll(Clock::time_point::max()));
    CHECK(!app.next_deadline().has_value());
    co_await errand::sleep(1h);
  });
  while (host.wakes == 0) REQUIRE(app.poll());
  CHECK(!has_run);
  CHECK(host.wakes == 2);  // for the post, and for the end of the step
  CHECK(app.next_deadline().has_value());
  CHECK(app.poll());
  CHECK(has_run);
}

TEST_CASE("a poll inside another App, inside an abort, or inside the App's destructor is InvalidState") {
  support::Log log;
  App other("other");
  {
    App app("app");
    struct Polls {
      explicit Polls(App& its_app, support::Log& its_log) : app(its_app), log(its_log) {}
      Polls(const Polls&) = delete;
      ~Polls() {
        try {
          log(app.poll());
        } catch (const InvalidState& error) {
          log(error);
        }
      }
      App& app;
      support::Log& log;
    };
    const auto keeps = [&]() -> Coro<> {
      const Polls polls(app, log);
      co_await errand::sleep(1h);
    };
    app.add_task([&]() -> Coro<> {
      CHECK_THROWS_AS(other.poll(), InvalidState);
      CHECK_THROWS_AS(other.poll(Clock::time_point::max()), InvalidState);
      CHECK_THROWS_AS(errand::run_ready(other), InvalidState);
      co_return;
    });
    auto task = app.add_task(keeps());
    auto left = app.add_task(keeps());
    for (int i = 0; i < 5; ++i) CHECK(app.poll());
    std::thread([&] { CHECK_NOTHROW(task.done()); }).join();
    task.abort();
    CHECK(log.text() == "InvalidState");
    log.clear();
  }
  CHECK(log.text() == "InvalidState");
}
