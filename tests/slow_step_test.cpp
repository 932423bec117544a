// SPDX-License-Identifier: MIT
#include <thread>

#include "support.hpp"

namespace {

errand::AppConfig timed() {
  errand::AppConfig config;
  config.slow_step = 1h;
  return config;
}

}  // namespace

TEST_CASE("with slow_step, callbacks, posts, time-outs, done-callbacks and cancelled tasks run as without") {
  support::Log log;
  App app("app", timed());
  const auto body = [](App& own, support::Log& notes) -> Coro<> {
    own.call_soon([&notes] { notes("soon"); });
    own.call_later(1ms, [&notes] { notes("later"); });
    own.post([&notes] { notes("posted"); });
    auto task = own.add_task([] { return 1; });
    const auto told = task.add_done_callback([&notes](Task<int> done) { notes("done", done.result()); });
    auto unstarted = own.add_task([&notes] { notes("never"); });
    unstarted.cancel();
    bool timed_out = false;
    errand::Event never;
    try {
      co_await errand::wait_for(never.wait(), 5ms);
    } catch (const TimeoutError&) {
      timed_out = true;
    }
    notes(timed_out, unstarted.cancelled());
  };
  app.run(body(app, log));
  CHECK(log.text() == "soon ; posted ; done 1 ; later ; true true");
}

namespace {

Coro<> slow_and_fails() {
  co_await errand::yield();
  std::this_thread::sleep_for(5ms);
  throw runtime_error("fails");
}
Coro<> in_wait_for() { co_await errand::wait_for(slow_and_fails(), 1h); }
Coro<> in_gather() { co_await errand::gather(slow_and_fails()); }
Coro<> in_race() { co_await errand::race(slow_and_fails()); }

}  // namespace

TEST_CASE("the error of a branch is reported if on_slow_step aborts its task before it comes out") {
  for (auto* const work : {in_wait_for, in_gather, in_race}) {
    support::Log log;
    Task<> task;
    errand::AppConfig config;
    config.slow_step = 1ms;
    config.on_slow_step = [&task](const errand::SlowStep&) { task.abort(); };
    config.on_failure = [&log](const errand::TaskFailure& failure) { log(failure.what()); };
    App app("app", config);
    task = app.add_task(work());
    app.run();
    CHECK(log.text() == "fails");
    CHECK(task.cancelled());
  }
}
