// SPDX-License-Identifier: MIT
// Tests that a run comes to its end, whatever callables and destructors do and whatever a Reactor or a clock throws,
// and that the App can be run again afterwards.
#include <array>
#include <atomic>
#include <thread>

#include "real_fixture.hpp"

using errand::Phase;

namespace {

/// How a program may run an App.
enum class How { run, main, poll };
constexpr How all_ways[] = {How::run, How::main, How::poll};

void run_app(App& app, How how) {
  if (how == How::run) app.run();
  if (how == How::main) {
    int result = 42;
    try {
      result = app.run(support::Fixture::after(1ms, 42));
    } catch (const TaskCancelled&) {  // `stop` was called before main had ended
    }
    CHECK(result == 42);
  }
  if (how == How::poll) {
    while (app.poll()) std::this_thread::yield();
  }
}

/// Calls `again` when it is destroyed. It does not do so if it is destroyed inside such a call, because then the App
/// has refused to take it.
class AddsNextAtEnd {
 public:
  explicit AddsNextAtEnd(const std::function<void()>& again) noexcept : again_(&again) {}
  AddsNextAtEnd(AddsNextAtEnd&& other) noexcept : again_(std::exchange(other.again_, nullptr)) {}
  ~AddsNextAtEnd() {
    if (!again_ || is_inside) return;
    is_inside = true;
    (*again_)();
    is_inside = false;
  }

 private:
  inline static bool is_inside = false;
  const std::function<void()>* again_;
};

Coro<> keep(AddsNextAtEnd) { co_await errand::sleep(1h); }

struct Adding {
  const char* name;
  void (*add)(App&, AddsNextAtEnd);
};
const Adding ways_to_add[] = {
    {"a coroutine", [](App& app, AddsNextAtEnd adds_next) { app.add_task(keep(std::move(adds_next))); }},
    {"a callable",
     [](App& app, AddsNextAtEnd adds_next) {
       app.add_task([kept = std::move(adds_next)]() -> Coro<> { co_await errand::sleep(1h); });
     }},
    {"a task with a name that is kept",
     [](App& app, AddsNextAtEnd adds_next) {
       app.add_task([kept = std::move(adds_next)]() -> Coro<> { co_await errand::sleep(1h); }, "name",
                    errand::NameTaken::keep);
     }},
    {"a callback", [](App& app, AddsNextAtEnd adds_next) { app.call_soon([kept = std::move(adds_next)] {}); }},
    {"a timer", [](App& app, AddsNextAtEnd adds_next) { app.call_later(1ms, [kept = std::move(adds_next)] {}); }},
    {"a callback that is never called",
     [](App& app, AddsNextAtEnd adds_next) {
       auto call = app.call_later(std::chrono::hours::max(), [kept = std::move(adds_next)] {});
       app.call_soon([call]() mutable { call.cancel(); });
     }},
    {"a post", [](App& app, AddsNextAtEnd adds_next) { app.post([kept = std::move(adds_next)] {}); }},
    {"submitted work",
     [](App& app, AddsNextAtEnd adds_next) {
       app.submit([kept = std::move(adds_next)]() -> Coro<> { co_await errand::sleep(1h); });
     }},
    {"a done-callback",
     [](App& app, AddsNextAtEnd adds_next) {
       app.add_task(support::Fixture::after(1ms)).add_done_callback([kept = std::move(adds_next)](const Task<int>&) {});
     }},
};

/// Adds an AddsNextAtEnd to the App, which adds the next one when it is destroyed. From the twentieth on, each of them
/// also stops the App. `again` must outlive the App.
void add_endlessly(App& app, const Adding& way, How how, std::function<void()>& again) {
  CAPTURE(way.name, static_cast<int>(how));
  again = [&app, &way, &again, count = 0]() mutable {
    if (++count >= 20) app.stop();
    way.add(app, AddsNextAtEnd(again));
  };
  app.add_task([&]() -> Coro<> {
    again();
    co_await errand::yield();
    app.call_later(5ms, [&] { app.stop(); });
    co_await errand::sleep(1h);
  });
  run_app(app, how);
  CHECK(app.all_tasks().empty());
  run_app(app, How::main);
  CHECK(app.all_tasks().empty());
}

}  // namespace

TEST_CASE("a run ends though each posted call posts the next, and so does the next run") {
  for (const How how : all_ways) {
    App app("app");
    int calls = 0;
    std::function<void()> again = [&] {
      if (++calls == 3) app.stop();
      app.post([&] { again(); });
    };
    for (int round = 0; round < 2; ++round) {
      calls = 0;
      app.add_task([&] { again(); });
      run_app(app, how);
      CHECK(calls > 0);
      CHECK(!app.post([] {}));
    }
  }
}

TEST_CASE("a run ends though what is destroyed adds more, on a clock that stands still meanwhile") {
  for (const Adding& way : ways_to_add) {
    for (const How how : all_ways) {
      std::function<void()> again;
      support::Fixture test;
      add_endlessly(test.app, way, how, again);
    }
  }
}

TEST_CASE("a run ends though what is destroyed adds more, on the real clock") {
  for (const Adding& way : ways_to_add) {
    std::function<void()> again;
    support::RealFixture test({.graceful_timeout = 5ms});
    add_endlessly(test.app, way, How::run, again);
  }
}

TEST_CASE("a run ends though on_failure adds a task for each task that is reported") {
  errand::ManualClock clock;
  App* of = nullptr;
  int reports = 0;
  const auto stubborn = []() -> Coro<> {
    for (;;) {
      try {
        co_await errand::sleep(1h);
      } catch (const Cancelled&) {
      }
    }
  };
  App app("app", {.clock = &clock, .on_failure = [&](const errand::TaskFailure&) {
                    ++reports;
                    of->add_task(stubborn);
                  }});
  of = &app;
  app.add_task(stubborn);
  app.call_later(1s, [&] { app.stop(); });
  app.run();
  CHECK(reports > 0);
  CHECK(app.all_tasks().empty());
}

PLAIN_TEST("what was posted in the last phase runs, and what is posted or added after that does not") {
  app.main_process_stop([this] {
    const bool taken = app.post([this] {
      log("posted");
      log(app.post([this] { log("never"); }));
      log(app.add_task(after(0s)).cancelled(), app.call_soon([this] { log("never"); }).cancelled());
      log(app.call_later(0s, [this] { log("never"); }).cancelled());
    });
    log(taken);
  });
  app.run();
  expect("true ; posted ; false ; true true ; true");
  log.clear();
  app.run();
  expect("true ; posted ; false ; true true ; true");
}

TEST_CASE("a thread that posts the next call as soon as one has run is told at the end") {
  support::RealFixture test;
  std::atomic<int> room = 8;  // no semaphore: on Windows that of libstdc++ 12 may miss a release
  int posted = 0;
  std::atomic<int> ran = 0;
  std::thread producer([&] {
    for (;;) {
      while (room == 0) std::this_thread::yield();
      --room;
      const bool taken = test.app.post([&] {
        ++ran;
        ++room;
        std::this_thread::sleep_for(100us);
      });
      if (!taken) return;
      ++posted;
    }
  });
  test.app.call_later(10ms, [&] { test.app.stop(); });
  test.app.run();
  room += 8;
  producer.join();
  CHECK(ran == posted);
}

PLAIN_TEST("work that is submitted while a run ends is cancelled, and nobody waits for it in vain") {
  std::vector<std::future<int>> futures;
  for (const Phase phase : {Phase::before_server_stop, Phase::after_server_stop, Phase::main_process_stop}) {
    app.add_listener(phase, [&] { futures.push_back(app.submit([] { return 7; })); });
  }
  app.run();
  for (auto& future : futures) {
    CHECK((future.wait_for(0s) == std::future_status::ready));
    CHECK_THROWS_AS(future.get(), TaskCancelled);
  }
}

PLAIN_TEST("a callback whose time is never is not called, and time does not jump to it") {
  const auto call = [this] { log("called"); };
  errand::CallHandle handles[] = {app.call_later(std::chrono::nanoseconds::max(), call),
                                  app.call_later(std::chrono::duration<double>(1e300), call),
                                  app.call_at(errand::Clock::time_point::max(), call)};
  std::string what;
  try {
    app.run();
  } catch (const errand::Deadlock& error) {
    what = error.what();
  }
  CHECK(what.find("does not come: 3") != std::string::npos);
  CHECK((now() == 0s));
  CHECK(handles[0].cancel());
  CHECK(handles[1].cancel());
  CHECK(!handles[2].cancelled());
  later(1s, [&] { handles[2].cancel(); });
  app.run();
  CHECK((now() == 1s));
  log(handles[2].cancelled());
  app.call_later(std::chrono::nanoseconds::min(), call);
  app.call_at(errand::Clock::time_point::min(), call);
  app.run();
  expect("true ; called ; called");
}

TEST_CASE("callbacks whose time is never go with the App") {
  errand::CallHandle handle;
  bool is_gone = false;
  {
    App app("app");
    handle = app.call_at(errand::Clock::time_point::max(),
                         [at_end = support::CallsAtEnd([&is_gone] { is_gone = true; })] {});
    CHECK(!is_gone);
  }
  CHECK(is_gone);
  CHECK(handle.cancelled());
}

namespace {

/// Throws at each wait while `fails` is true.
struct Failing : errand::Reactor {
  void wait(std::optional<errand::Clock::time_point>) override {
    if (fails) throw runtime_error("reactor");
  }
  void wake() noexcept override {}
  bool fails = false;
};

constexpr Phase all_phases[] = {Phase::main_process_start, Phase::before_server_start, Phase::after_server_start,
                                Phase::before_server_stop, Phase::after_server_stop,   Phase::main_process_stop};

}  // namespace

TEST_CASE("after a Reactor threw in whatever phase, the next run runs what is added then, and nothing of before") {
  for (const How how : {How::run, How::main}) {
    for (const Phase phase : all_phases) {
      Failing reactor;
      support::RealFixture test({.reactor = &reactor});
      App& app = test.app;
      bool is_armed = true;
      app.add_task([&]() -> Coro<> { co_await errand::sleep(1ms); });
      app.add_task(support::Fixture::after(1ms), "named");
      app.add_listener(phase, [&]() -> Coro<> {
        reactor.fails = is_armed;
        co_await errand::sleep(1ms);
      });
      app.add_task([&]() -> Coro<> { co_await errand::sleep(1ms); });
      CHECK_THROWS_WITH(run_app(app, how), "reactor");
      CHECK(app.all_tasks().empty());
      CHECK(!app.post([] {}));
      is_armed = reactor.fails = false;
      app.add_task([&] { test.log("added"); }, "named");
      run_app(app, how);
      test.expect("added");
    }
  }
}

TEST_CASE("after a Reactor threw while a task cleans up, the next run works") {
  Failing reactor;
  support::RealFixture test({.reactor = &reactor});
  test.app.add_task([&]() -> Coro<> {
    test.app.stop();
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      reactor.fails = true;
    }
    co_await errand::sleep(1h);
  });
  CHECK_THROWS_WITH(test.app.run(), "reactor");
  reactor.fails = false;
  CHECK(test.app.run(support::Fixture::after(1ms, 7)) == 7);
}

namespace {

/// If `left` is n, the n-th reading throws.
struct Broken : errand::ClockSource {
  errand::Clock::time_point now() override {
    if (left > 0 && --left == 0) throw runtime_error("no time");
    return errand::Clock::now();
  }
  int left = 0;
};

}  // namespace

TEST_CASE("after a clock threw at whichever reading, the next run works") {
  for (const How how : all_ways) {
    int finished = 0;
    for (int reading = 1; reading < 150 && finished < 3; ++reading) {
      CAPTURE(static_cast<int>(how), reading);
      Broken clock;
      support::RealFixture test({.clock = &clock});
      App& app = test.app;
      const auto nap = []() -> Coro<> { co_await errand::sleep(200us); };
      for (const Phase phase : all_phases) app.add_listener(phase, nap);
      app.add_task([&]() -> Coro<> {
        try {
          co_await errand::wait_for(errand::sleep(1h), 200us);
        } catch (const TimeoutError&) {
        }
        app.add_task(nap);
      });
      app.add_task(nap, "named");
      app.call_later(200us, [] {});
      clock.left = reading;
      try {
        run_app(app, how);
        ++finished;
      } catch (const runtime_error&) {
      }
      const bool has_thrown = clock.left == 0;
      clock.left = 0;
      while (how == How::poll && has_thrown && app.poll()) std::this_thread::yield();
      CHECK(app.all_tasks().empty());
      app.add_task([&] { test.log("added"); });
      run_app(app, how);
      CHECK(test.log.text() == "added");
    }
    // If the host polls, each poll reads the clock, so the clock may throw in each of the runs.
    CHECK((finished > 0 || how == How::poll));
  }
}

TEST_CASE("the App may be gone while the stop that let its run return is on its way out") {
  std::atomic<App*> to_stop = nullptr;
  std::atomic<bool> over = false;
  std::thread stopper([&] {
    while (!over) {
      if (App* const app = to_stop.exchange(nullptr)) app->stop();
    }
  });
  for (int i = 0; i < 100; ++i) {
    App app("app");
    app.add_task([]() -> Coro<> {
      for (;;) co_await errand::yield();
    });
    to_stop = &app;
    app.run();
  }
  over = true;
  stopper.join();
}
