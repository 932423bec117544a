// SPDX-License-Identifier: MIT
#include <array>

#include "real_fixture.hpp"

using errand::Phase;

namespace {

constexpr std::array<std::pair<Phase, const char*>, 6> phases = {{{Phase::main_process_start, "mstart"},
                                                                  {Phase::before_server_start, "bstart"},
                                                                  {Phase::after_server_start, "astart"},
                                                                  {Phase::before_server_stop, "bstop"},
                                                                  {Phase::after_server_stop, "astop"},
                                                                  {Phase::main_process_stop, "mstop"}}};

/// Adds a listener to each phase, which logs the name of the phase. The phase `failing` has three listeners, and the
/// second one throws.
void add_listeners(support::Fixture& test, Phase failing) {
  for (const auto& [phase, name] : phases) {
    for (const char* number : {"1", "2", "3"}) {
      if (phase != failing && number[0] != '1') continue;
      test.app.add_listener(phase, [&test, fails = phase == failing && number[0] == '2', label = name, number] {
        if (fails) throw runtime_error(std::string("bad ") + label);
        test.log(label + std::string(number));
      });
    }
  }
}

/// Sleeps for ever, and swallows every request to end.
Coro<> stubborn() {
  for (;;) {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
  }
}

}  // namespace

PLAIN_TEST("if before_server_start throws, the later listeners are skipped and the whole stop sequence runs") {
  add_listeners(*this, Phase::before_server_start);
  add([this] { log("never"); });
  CHECK_THROWS_WITH(app.run(after(0s)), "bad bstart");
  expect("mstart1 ; bstart1 ; bstop1 ; astop1 ; mstop1");
}

PLAIN_TEST("if after_server_start throws, main does not start and the whole stop sequence runs") {
  add_listeners(*this, Phase::after_server_start);
  auto main = [this]() -> Coro<> {
    log("main");
    co_return;
  };
  CHECK_THROWS_WITH(app.run(main()), "bad astart");
  expect("mstart1 ; bstart1 ; astart1 ; bstop1 ; astop1 ; mstop1");
}

PLAIN_TEST("if a stop listener throws, the others run all the same and run rethrows") {
  for (const Phase phase : {Phase::before_server_stop, Phase::after_server_stop, Phase::main_process_stop}) {
    support::Fixture test;
    add_listeners(test, phase);
    CHECK_THROWS(test.app.run());
    const std::string stops[] = {"bstop3 ; bstop1 ; astop1 ; mstop1", "bstop1 ; astop3 ; astop1 ; mstop1",
                                 "bstop1 ; astop1 ; mstop3 ; mstop1"};
    test.expect("mstart1 ; bstart1 ; astart1 ; " + stops[int(phase) - int(Phase::before_server_stop)]);
  }
}

PLAIN_TEST("of several errors run rethrows the first and reports the others") {
  app.after_server_start([] { throw runtime_error("start"); });
  app.before_server_stop([] { throw runtime_error("second"); });
  app.before_server_stop([]() -> Coro<> {
    co_await errand::sleep(1s);
    throw runtime_error("first");
  });
  app.main_process_stop([] { throw runtime_error("last"); });
  CHECK_THROWS_WITH(app.run(), "start");
  expect("", {"first", "second", "last"});
}

PLAIN_TEST("stop cancels the start listener that is under way and skips the later ones, and the stop sequence runs") {
  app.before_server_start([this]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      log("cancelled", now());
      throw;
    }
  });
  app.before_server_start([this] { log("skipped"); });
  app.after_server_start([this] { log("skipped"); });
  app.before_server_stop([this] { log("bstop"); });
  app.main_process_stop([this] { log("mstop"); });
  later(1s, [this] { app.stop(); });
  app.run();
  expect("cancelled 1 ; bstop ; mstop");
}

PLAIN_TEST("a start listener that goes on after stop has the graceful timeout, then the stop sequence runs") {
  for (const Phase phase : {Phase::main_process_start, Phase::before_server_start, Phase::after_server_start}) {
    support::Fixture test;
    auto shared = std::make_shared<int>();
    test.app.add_listener(phase, [shared]() -> Coro<> { co_await stubborn(); });
    test.app.add_listener(phase, [&] { test.log("skipped"); });
    test.app.before_server_stop([&] { test.log("bstop", test.now(), shared.use_count()); });
    test.app.main_process_stop([&] { test.log("mstop", test.now(), shared.use_count()); });
    test.later(1s, [&] { test.app.stop(); });
    test.later(10s, [&] { test.app.stop(); });  // the second stop does not give the listener more time
    test.app.run();
    // Two references to the int are left: the one in the listener, and `shared` itself.
    CHECK(test.log.text() == (phase == Phase::main_process_start ? "mstop 16 2" : "bstop 16 2 ; mstop 16 2"));
    REQUIRE(test.reports.size() == 1);
    CHECK(test.reports[0].find("was still standing at the end of the graceful timeout") != std::string::npos);
  }
}

PLAIN_TEST("a handler of server.init.before that goes on after stop has the graceful timeout too") {
  app.add_signal("server.init.before", [] { return stubborn(); });
  app.before_server_stop([this] { log("bstop", now()); });
  later(1s, [this] { app.stop(); });
  app.run();
  CHECK(log.text() == "bstop 16");
  CHECK(reports.size() == 1);
}

PLAIN_TEST("a start listener that ends in time after stop leaves nothing to be waited for") {
  add([]() -> Coro<> {
    errand::Event never;
    try {
      co_await never.wait();
    } catch (const Cancelled&) {
    }
    co_await never.wait();
  });
  app.before_server_start([this]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      log("cancelled", now());
    }
    co_await errand::sleep(14s);
  });
  app.before_server_stop([this]() -> Coro<> {
    log("bstop", now());
    co_await errand::sleep(14s);
  });
  later(1s, [this] { app.stop(); });
  app.run();
  CHECK(now() == 29s);
  CHECK(log.text() == "cancelled 1 ; bstop 15");
  CHECK(reports.size() == 1);
}

PLAIN_TEST("if only the graceful timeout could wake a start listener, the wait ends at once") {
  errand::Event never;
  app.after_server_start([&]() -> Coro<> {
    for (;;) {
      try {
        co_await never.wait();
      } catch (const Cancelled&) {
      }
    }
  });
  app.after_server_stop([this] { log("astop", now()); });
  later(1s, [this] { app.stop(); });
  later(2s, [] {});
  app.run();
  CHECK(log.text() == "astop 2");
  CHECK(reports.size() == 1);
  log.clear();
  reports.clear();
  CHECK_THROWS_AS(app.run(), errand::Deadlock);  // because nobody calls stop in this run
  CHECK(log.text() == "astop 2");
  CHECK(reports.size() == 1);
}

PLAIN_TEST("polled, a start listener that goes on after stop has the graceful timeout") {
  app.before_server_start([] { return stubborn(); });
  app.after_server_stop([this] { log("astop", now()); });
  later(1s, [this] { app.stop(); });
  int turns = 0;
  while (turns < 1000 && app.poll()) ++turns;
  CHECK(turns < 1000);
  CHECK(log.text() == "astop 16");
  CHECK(reports.size() == 1);
}

TEST_CASE("an App may be destroyed while a start listener has its graceful timeout") {
  auto shared = std::make_shared<int>();
  errand::ManualClock clock;
  errand::AppConfig config;
  config.clock = &clock;
  std::optional<App> app(std::in_place, "app", config);
  bool was_asked = false;
  app->before_server_start([shared, &was_asked]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      was_asked = true;
    }
    co_await errand::sleep(1h);
  });
  app->call_later(1s, [&] { app->stop(); });
  while (!was_asked) REQUIRE(app->poll());
  CHECK((clock.now().time_since_epoch() == 1s));
  CHECK((app->next_deadline() == errand::Clock::time_point(16s)));
  app.reset();
  CHECK(shared.use_count() == 1);
}

TEST_CASE("on the real clock, a start listener that goes on after stop has the graceful timeout") {
  errand::AppConfig config;
  config.graceful_timeout = 50ms;
  support::RealFixture test(config);
  const auto begun = errand::Clock::now();
  test.app.before_server_start([&]() -> Coro<> {
    test.app.stop();
    for (;;) {
      try {
        co_await errand::sleep(1ms);
      } catch (const Cancelled&) {
        test.log("asked");
      }
    }
  });
  test.app.before_server_stop([&] { test.log("bstop"); });
  test.app.run();
  CHECK((errand::Clock::now() - begun >= 50ms));
  CHECK(test.log.text() == "asked ; bstop");
  CHECK(test.reports.size() == 1);
}

PLAIN_TEST("an error that a start listener throws when it is cancelled comes out of run") {
  app.after_server_start([]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("clean-up");
    }
  });
  later(1s, [this] { app.stop(); });
  CHECK_THROWS_WITH(app.run(), "clean-up");
  expect("");
}

PLAIN_TEST("what stands at the end of the graceful timeout is reported by name, and destroyed") {
  auto shared = std::make_shared<int>();
  add([shared]() -> Coro<> { co_await stubborn(); }, "left over");
  app.after_server_stop([&] { log("astop", now(), shared.use_count()); });
  later(1s, [this] { app.stop(); });
  app.run();
  CHECK(log.text() == "astop 16 1");
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("'left over'") != std::string::npos);
  CHECK(app.all_tasks().empty());
}

PLAIN_TEST("the graceful timeout bounds the listeners of a stop phase") {
  app.before_server_stop([this] { log("bstop", now()); });
  app.before_server_stop([] { return stubborn(); });
  app.after_server_stop([this] { log("astop", now()); });
  app.run();
  CHECK(log.text() == "bstop 15 ; astop 15");
  CHECK(reports.size() == 1);
}

PLAIN_TEST("if only the graceful timeout could wake anything, the wait ends at once") {
  errand::Event never;
  add([&]() -> Coro<> {
    for (;;) {
      try {
        co_await never.wait();
      } catch (const Cancelled&) {
      }
    }
  });
  later(1s, [this] { app.stop(); });
  app.run();
  CHECK(now() == 1s);
  CHECK(reports.size() == 1);
}

PLAIN_TEST("what clean-up code adds, and what after_server_stop adds, is cancelled and awaited too") {
  const auto ends = [this](std::string name) -> Coro<> {
    std::optional<Cancelled> caught;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled& cancelled) {
      caught = cancelled;
    }
    log(name, "cancelled");
    co_await errand::sleep(1s);
    log(name, "ended");
    if (caught) throw Cancelled(*caught);
  };
  add([&]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      add([&]() -> Coro<> { co_await ends("a"); });
      throw;
    }
  });
  app.after_server_stop([&]() -> Coro<> {
    add(ends("b"));
    co_await errand::yield();
    log("astop");
  });
  app.main_process_stop([this] { log("mstop", now()); });
  later(1s, [this] { app.stop(); });
  app.run();
  expect("a cancelled ; a ended ; astop ; b cancelled ; b ended ; mstop 3");
}

PLAIN_TEST("what a done-callback adds while the run ends is cancelled and awaited like the others") {
  const auto last = []() -> Coro<> { co_await errand::sleep(1h); };
  add([&]() -> Coro<> { co_await last(); }).add_done_callback([this](const Task<>&) {
    add([says = std::make_shared<support::LogsAtEnd>(log, "gone")] {});
    log("added");
  });
  app.after_server_stop([this] { log("astop", app.all_tasks().size()); });
  later(1s, [this] { app.stop(); });
  app.run();
  expect("added ; gone ; astop 0");
}

PLAIN_TEST("tasks that were added before run are cancelled if the start fails") {
  auto task = add(after(1s), "t");
  app.before_server_start([] { throw runtime_error("start"); }, 1);
  CHECK_THROWS_WITH(app.run(), "start");
  CHECK(task.cancelled());
  expect("");
}

PLAIN_TEST("a second run calls the listeners again, and starts what was added in between") {
  app.before_server_start([this] { log("bstart"); });
  app.after_server_stop([this] { log("astop"); });
  add([this] { log("first"); });
  app.run();
  add([this] { log("second"); });
  app.run();
  expect("bstart ; first ; astop ; bstart ; second ; astop");
}

PLAIN_TEST("stop before the first run is remembered for that one alone, after a run it is forgotten") {
  app.stop();
  add(after(1h));
  app.run();
  log(now());
  app.stop();
  log(app.run(after(1s, 7)));
  log(now());
  expect("0 ; 7 ; 1");
}

PLAIN_TEST("main starts behind the after_server_start listeners, and is a task like the others") {
  app.after_server_start([this]() -> Coro<> {
    co_await errand::sleep(1s);
    log("astart");
  });
  auto main = [this]() -> Coro<std::string> {
    log(now(), app.all_tasks().size(), app.all_tasks()[0] == current_task(), current_task().id() > 0);
    co_return "result";
  };
  log(app.run(main()));
  CHECK_THROWS_WITH(app.run(bad(1s, "main")), "main");
  expect("astart ; 1 1 true true ; result ; astart");
}

PLAIN_TEST("run waits for tasks, callbacks and KeepAlives, with keep_alive for stop alone") {
  add(after(1s));
  later(2s, [this] { log("callback", now()); });
  std::optional<errand::KeepAlive> alive = app.keep_alive();
  later(3s, [&] { alive.reset(); });
  app.run();
  log(now());
  later(1s, [this] { app.call_soon([this] { app.call_later(1s, [this] { app.stop(); }); }); });
  app.run({.keep_alive = true});
  log(now());
  expect("callback 2 ; 3 ; 5");
}

PLAIN_TEST("a Deadlock shuts down, and shows the tasks") {
  errand::Event never;
  add([&]() -> Coro<> { co_await never.wait(); }, "stuck");
  app.after_server_stop([this] { log("astop", app.all_tasks().size()); });
  std::string what;
  try {
    app.run();
  } catch (const errand::Deadlock& error) {
    what = error.what();
  }
  CHECK(what.find("stuck") != std::string::npos);
  expect("astop 0");
}

TEST_CASE("what an advance of a held clock made due in the last step of a turn runs: that is no Deadlock") {
  support::Log log;
  errand::ManualClock clock(errand::ManualClock::held);
  App app("app", {.clock = &clock});
  const auto sleep = [&](std::string_view name) -> Coro<> {
    app.call_soon([&] { clock.advance(1s); });
    co_await errand::sleep(1s);
    log(name, clock.now().time_since_epoch());
  };
  app.before_server_start([&] { return sleep("start"); });
  app.after_server_stop([&] { return sleep("stop"); });
  app.add_task([&]() -> Coro<> {
    co_await sleep("task");
    app.stop();
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_await sleep("clean-up");
  });
  app.run();
  CHECK(log.text() == "start 1 ; task 2 ; clean-up 3 ; stop 4");
}

TEST_CASE("what is added in the turn in which the stop sequence ends does not start, however busy the App was before") {
  support::Log log;
  errand::ManualClock clock;
  errand::AppConfig config;
  config.clock = &clock;
  config.graceful_timeout = 1s;
  config.on_failure = [&](const errand::TaskFailure& failure) { log("left", failure.name()); };
  App app("app", config);
  Task<> late;
  const auto busy = [&]() -> Coro<> {
    app.stop();
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    app.call_later(1s, [&] { app.call_soon([&] { late = app.add_task([&] { log("started"); }); }); });
    for (;;) {
      clock.advance(100ms);
      co_await errand::yield();
    }
  };
  app.add_task(busy, "busy");
  app.run();
  log(late.cancelled());
  CHECK(log.text() == "left busy ; true");
}

PLAIN_TEST("poll makes one turn a call and the stop sequence at the end, and throws no Deadlock") {
  errand::Event event;
  app.before_server_start([this] { log("bstart"); });
  app.after_server_stop([this] { log("astop"); });
  add([&]() -> Coro<> {
    co_await event.wait();
    log("woken");
  });
  for (int i = 0; i < 20; ++i) CHECK(app.poll());
  CHECK(!app.next_deadline());
  CHECK_THROWS_AS(app.run(), InvalidState);
  log(app.all_tasks().size());
  event.set();
  CHECK((app.next_deadline() == clock.now()));
  while (app.poll()) {
  }
  expect("bstart ; 1 ; woken ; astop");
}

PLAIN_TEST("a run of a main that is refused ends nothing but that main") {
  auto work = add(after(1s));
  CHECK_THROWS_AS(app.run(after(1s), {.workers = 0}), InvalidState);
  CHECK_THROWS_AS(app.run(after(1s), {.workers = 2}), InvalidState);
  CHECK(app.poll());
  auto more = add(after(1s));
  CHECK_THROWS_AS(app.run(after(1s)), InvalidState);
  while (app.poll()) continue;
  CHECK(work.status() == TaskStatus::succeeded);
  CHECK(more.status() == TaskStatus::succeeded);
}
