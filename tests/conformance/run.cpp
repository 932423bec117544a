// SPDX-License-Identifier: MIT
// Conformance cases about run, stop and the listeners. Test names begin with the ids of the cases.
#include <thread>

#include "support.hpp"

PLAIN_TEST("S11 tasks added before run start in their place among the listeners, and are not awaited") {
  app.before_server_start([this] { log("bstart1"); });
  add([this]() -> Coro<> {
    log("A start");
    co_await errand::sleep(5s);
    log("A end");
  });
  app.before_server_start([this]() -> Coro<> {
    co_await errand::sleep(1s);
    log("bstart2");
  });
  add([this] { log("B start"); });
  app.after_server_start([this]() -> Coro<> {
    co_await errand::sleep(1s);
    log("astart");
  });
  app.run();
  expect("bstart1 ; A start ; bstart2 ; B start ; astart ; A end");
}

PLAIN_TEST("S52 add_task inside main_process_start counts as added before run") {
  Task<> task;
  app.main_process_start([&] {
    task = add([this] { log("T"); }, "t");
    log(bool(task));
  });
  app.run();
  log(task.status());
  expect("true ; T ; succeeded");
}

namespace {

/// Sleeps until it is cancelled, and logs that.
Coro<> sleepy(support::Log& log) {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
    log("cancelled");
    throw;
  }
}

/// Sleeps until it is cancelled. Its clean-up sleeps for `delay`, and then calls `cleaned`.
template <class Clean>
Coro<> cleaning(std::chrono::nanoseconds delay, Clean cleaned) {
  std::optional<Cancelled> caught;
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled& cancelled) {
    caught = cancelled;
  }
  co_await errand::sleep(delay);
  cleaned();
  if (caught) throw Cancelled(*caught);
}

}  // namespace

PLAIN_TEST("S54 tasks still run during before_server_stop, and are cancelled after it") {
  add(sleepy(log), "sleepy");
  app.before_server_stop([this]() -> Coro<> {
    log("bstop begin");
    co_await errand::sleep(100ms);
    log("bstop end");
  });
  app.after_server_stop([this] { log("astop"); });
  later(1s, [this] { app.stop(); });
  app.run();
  expect("bstop begin ; bstop end ; cancelled ; astop");
}

PLAIN_TEST("S61 tasks are cancelled after a plain before_server_stop listener too") {
  add(sleepy(log), "sleepy");
  app.before_server_stop([this] { log("bstop"); });
  app.after_server_stop([this] { log("astop"); });
  later(1s, [this] { app.stop(); });
  app.run();
  expect("bstop ; cancelled ; astop");
}

PLAIN_TEST("S55 the stop awaits a clean-up that takes its time") {
  add(cleaning(500ms, [this] { log("cleaned", now()); }), "cleaning");
  app.after_server_stop([this] { log("astop"); });
  later(1s, [this] { app.stop(); });
  app.run();
  log("returned", now());
  expect("cleaned 1.5 ; astop ; returned 1.5");
}

PLAIN_TEST("S57 the stop cancels and awaits unnamed tasks too") {
  add(sleepy(log));
  app.after_server_stop([this] { log("astop"); });
  later(1s, [this] { app.stop(); });
  app.run();
  log("returned", now());
  expect("cancelled ; astop ; returned 1");
}

PLAIN_TEST("S60 stop may be called twice, and after the end") {
  later(1s, [this] {
    app.stop();
    app.stop();
  });
  app.before_server_stop([this] { log("bstop"); });
  app.after_server_stop([this] { log("astop"); });
  app.run();
  app.stop();
  log("returned");
  expect("bstop ; astop ; returned");
}

PLAIN_TEST("H01 stop while run(main) runs cancels main, and a second run works") {
  auto scenario = [this]() -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      co_await errand::sleep(1s);
      log(i);
      if (i == 1) app.stop();
    }
  };
  try {
    app.run(scenario());
  } catch (const TaskCancelled& error) {
    log(error, now());
  }
  log(app.run(after(1s, 7)));
  expect("0 ; 1 ; TaskCancelled 2 ; 7");
}

PLAIN_TEST("H20 when main ends the tasks that are left are cancelled, and their clean-up is awaited") {
  auto left = [this](std::string name) -> Coro<> {
    log(name, "start");
    std::optional<Cancelled> caught;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled& cancelled) {
      caught = cancelled;
    }
    log(name, "cleanup");
    co_await errand::sleep(1s);
    log(name, "cleaned");
    if (caught) throw Cancelled(*caught);
  };
  auto scenario = [&]() -> Coro<int> {
    add(left("a"));
    add(left("b"));
    co_await errand::yield();
    co_return 123;
  };
  log(app.run(scenario()));
  expect("a start ; b start ; a cleanup ; b cleanup ; a cleaned ; b cleaned ; 123");
}

PLAIN_TEST("H23 an error of a leftover's clean-up is reported, and run returns what main returned") {
  auto scenario = [this]() -> Coro<int> {
    add([]() -> Coro<> {
      try {
        co_await errand::sleep(1h);
      } catch (const Cancelled&) {
        throw runtime_error("oops");
      }
    });
    co_await errand::yield();
    co_return 5;
  };
  log(app.run(scenario()));
  expect("5", {"oops"});
}

PLAIN_TEST("S13 a failure of a task added before run is reported once, and run goes on") {
  add([] { throw runtime_error("boom"); });
  app.run();
  log("returned");
  expect("returned", {"boom"});
}

PLAIN_TEST("S42 start listeners run in the order added, stop listeners in reverse") {
  for (const std::string number : {"1", "2"}) {
    app.before_server_start([this, number] { log("bstart" + number); });
    app.after_server_start([this, number] { log("astart" + number); });
    app.before_server_stop([this, number] { log("bstop" + number); });
    app.after_server_stop([this, number] { log("astop" + number); });
  }
  later(1s, [this] { app.stop(); });
  app.run();
  expect("bstart1 ; bstart2 ; astart1 ; astart2 ; bstop2 ; bstop1 ; astop2 ; astop1");
}

PLAIN_TEST("S43 listeners of a higher priority run first, and last among those of the stop") {
  for (const int priority : {0, 2, 3}) {
    app.before_server_start([this, priority] { log("start", priority); }, priority);
    app.before_server_stop([this, priority] { log("stop", priority); }, priority);
  }
  app.run();
  expect("start 3 ; start 2 ; start 0 ; stop 0 ; stop 2 ; stop 3");
}

PLAIN_TEST("S44 each listener is awaited before the next begins") {
  for (const int number : {1, 2, 3, 4}) {
    if (number % 2 == 1) {
      app.before_server_start([this, number] { log(number); });
    } else {
      app.before_server_start([this, number]() -> Coro<> {
        co_await errand::sleep(1s);
        log(number);
      });
    }
  }
  app.run();
  expect("1 ; 2 ; 3 ; 4");
}

PLAIN_TEST("S49 if main_process_start throws, only main_process_stop runs, and run rethrows") {
  app.main_process_start([this] { log("mstart1"); });
  app.main_process_start([] { throw runtime_error("v"); });
  app.main_process_start([this] { log("mstart3"); });
  app.before_server_start([this] { log("bstart"); });
  app.main_process_stop([this] { log("mstop"); });
  try {
    app.run();
  } catch (const runtime_error& error) {
    log(error);
  }
  expect("mstart1 ; mstop ; v");
}

PLAIN_TEST("S50 main_process_stop listeners run in reverse") {
  app.main_process_stop([this] { log("mstop1"); });
  app.main_process_stop([this] { log("mstop2"); });
  app.run();
  expect("mstop2 ; mstop1");
}

PLAIN_TEST("S51 one worker runs the listeners of the main process too") {
  app.main_process_start([this] { log("mstart"); });
  app.before_server_start([this] { log("bstart"); });
  app.main_process_stop([this] { log("mstop"); });
  app.run();
  expect("mstart ; bstart ; mstop");
}

PLAIN_TEST("H02 callbacks that are in the queue when stop comes still run") {
  add([this] {
    app.call_soon([this] {
      log("a");
      app.stop();
    });
    app.call_soon([this] { log("b"); });
  });
  app.run();
  log("returned");
  expect("a ; b ; returned");
}

PLAIN_TEST("H03 stop before run lets the run make one turn") {
  app.stop();
  app.call_soon([this] { log("once"); });
  app.run();
  log("returned");
  expect("once ; returned");
}

PLAIN_TEST("H07 H26 run inside run is InvalidState, of another App of this thread too") {
  App other("other", {.clock = &clock});
  auto scenario = [&]() -> Coro<> {
    for (App* inner : {&app, &other}) {
      try {
        inner->run();
      } catch (const InvalidState& error) {
        log(error);
      }
    }
    co_return;
  };
  app.run(scenario());
  expect("InvalidState ; InvalidState");
}

PLAIN_TEST("H08 after run, post and cancel say false") {
  Task<> task;
  auto scenario = [&]() -> Coro<> {
    task = add(after(1h));
    co_return;
  };
  app.run(scenario());
  log(app.post([] {}));
  log(task.cancel());
  expect("false ; false");
}

PLAIN_TEST("H21 a task that has not started when main ends does not start") {
  Task<> task;
  auto scenario = [&]() -> Coro<> {
    task = add([this] { log("ran"); });
    co_return;
  };
  app.run(scenario());
  log(task.status());
  expect("cancelled");
}

PLAIN_TEST("H25 the end of run awaits a leftover that swallows the cancellation") {
  auto scenario = [this]() -> Coro<int> {
    add([this]() -> Coro<> {
      try {
        co_await errand::sleep(1h);
      } catch (const Cancelled&) {
      }
      co_await errand::sleep(50ms);
      log("left done");
    });
    co_await errand::yield();
    co_return 5;
  };
  log(app.run(scenario()));
  expect("left done ; 5");
}

PLAIN_TEST("H30 a slow step is reported with the task and the time, a quick one is not") {
  std::vector<errand::SlowStep> steps;
  App own("own", {.slow_step = 10ms, .on_slow_step = [&](const errand::SlowStep& step) { steps.push_back(step); }});
  errand::Clock::duration quick_took{};
  own.add_task([] { std::this_thread::sleep_for(30ms); }, "slow");
  own.add_task(
      [&quick_took] {
        const auto begun = errand::Clock::now();
        std::this_thread::sleep_for(1ms);
        quick_took = errand::Clock::now() - begun;
      },
      "quick");
  own.run();
  if (quick_took >= 5ms) return;  // the machine is too busy to measure steps
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].name() == "slow");
  CHECK((steps[0].duration() >= 30ms));
  expect("");
}

PLAIN_TEST("H32 destroying a polled App destroys a sleeping task's local once and runs no more of its body") {
  struct Local {
    explicit Local(int& count) : destroyed(count) {}
    Local(const Local&) = delete;
    ~Local() { ++destroyed; }
    int& destroyed;
  };
  int destroyed = 0;
  {
    bool sleeping = false;
    App own("own", {.clock = &clock});
    own.add_task([&]() -> Coro<> {
      const Local local(destroyed);
      sleeping = true;
      try {
        co_await errand::sleep(1h);
      } catch (...) {
        log("caught");
        throw;
      }
      log("later");
    });
    while (!sleeping) own.poll();
    CHECK(destroyed == 0);
  }
  CHECK(destroyed == 1);
  expect("");
}

PLAIN_TEST("H35 main that stops its own App is cancelled at the next await that suspends") {
  auto scenario = [this]() -> Coro<> {
    app.stop();
    co_await errand::sleep(1s);
    log("not reached");
  };
  try {
    app.run(scenario());
  } catch (const TaskCancelled& error) {
    log(error);
  }
  expect("TaskCancelled");
}

PLAIN_TEST("H36 awaiting a task of another App is InvalidState") {
  auto task = add(after(1h));
  App other("other", {.clock = &clock});
  auto scenario = [&]() -> Coro<> {
    try {
      co_await task;
    } catch (const InvalidState& error) {
      log(error);
    }
  };
  other.run(scenario());
  expect("InvalidState");
}
