// SPDX-License-Identifier: MIT
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
