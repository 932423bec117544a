// SPDX-License-Identifier: MIT
// Conformance cases about run with signals and with workers. Test names begin with the ids of the cases.
#include <algorithm>
#include <csignal>
#include <mutex>

#include "support.hpp"

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

void stop_by_signal(support::Fixture& test, int signal) {
  test.add(sleepy(test.log), "sleepy");
  test.app.before_server_stop([&test] { test.log("bstop"); });
  test.app.after_server_stop([&test] { test.log("astop"); });
  test.later(1s, [signal] { std::raise(signal); });
  test.app.run({.handle_signals = true});
  test.log("returned");
  test.expect("bstop ; cancelled ; astop ; returned");
}

/// Sleeps until it is cancelled; then its clean-up sleeps.
Coro<> slow_to_end(support::Log& log, std::chrono::nanoseconds clean_up) {
  std::optional<Cancelled> caught;
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled& cancelled) {
    caught = cancelled;
  }
  if (!caught) co_return;
  log("cancelled", current_task().cancelling());
  co_await errand::sleep(clean_up);
  log("cleaned");
  throw Cancelled(*caught);
}

}  // namespace

APP_TEST("S36 a reported failure is also a signal, and stays with the task") {
  reports_in_log = true;
  app.add_signal("server.exception.report", [this] { log("signal"); });
  add(bad(0s, "boom"), "n");
  co_await errand::sleep(1s);
  try {
    co_await app.get_task("n");
  } catch (const runtime_error& error) {
    log("caught", error);
  }
  expect("report boom ; signal ; caught boom");
}

PLAIN_TEST("S53 SIGINT stops an App that handles signals") { stop_by_signal(*this, SIGINT); }

PLAIN_TEST("S53 SIGTERM stops an App that handles signals") { stop_by_signal(*this, SIGTERM); }

PLAIN_TEST("H27 SIGINT during run(main) cancels main and awaits its clean-up") {
  later(1s, [] { std::raise(SIGINT); });
  try {
    app.run(slow_to_end(log, 1s), {.handle_signals = true});
  } catch (const TaskCancelled& error) {
    log(error);
  }
  expect("cancelled 1 ; cleaned ; TaskCancelled");
}

PLAIN_TEST("H28 main that swallows the cancellation of a SIGINT has succeeded") {
  auto scenario = []() -> Coro<std::string> {
    std::string result = "slept";
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      result = "v";
    }
    co_return result;
  };
  later(1s, [] { std::raise(SIGINT); });
  log(app.run(scenario(), {.handle_signals = true}));
  expect("v");
}

PLAIN_TEST("H29 a second SIGINT ends the waiting for main's clean-up at once") {
  later(1s, [] { std::raise(SIGINT); });
  later(2s, [] { std::raise(SIGINT); });
  try {
    app.run(slow_to_end(log, 10s), {.handle_signals = true});
  } catch (const TaskCancelled& error) {
    log(error, now());
  }
  CHECK(log.text() == "cancelled 1 ; TaskCancelled 2");
  CHECK(reports.size() <= 1);  // main may be reported as still standing
}

TEST_CASE("S14 a callable added before run runs on every worker, a Coro on worker 0 alone") {
  std::mutex mutex;
  std::vector<unsigned> callable, object;
  const auto note = [&mutex](std::vector<unsigned>& workers) {
    const std::lock_guard lock(mutex);
    workers.push_back(App::current().worker());
  };
  const auto coroutine = [&]() -> Coro<> {
    note(object);
    co_return;
  };
  App app("app");
  app.add_task([&] { note(callable); });
  app.add_task(coroutine());
  app.run({.workers = 2});
  std::sort(callable.begin(), callable.end());
  CHECK(callable == std::vector{0U, 1U});
  CHECK(object == std::vector{0U});
}

TEST_CASE("S48 all main_process_start listeners end before any worker starts") {
  std::mutex mutex;
  support::Log log;
  const auto note = [&](const char* entry) {
    const std::lock_guard lock(mutex);
    log(entry);
  };
  App app("app");
  for (const char* entry : {"mstart1", "mstart2"}) {
    app.main_process_start([&note, entry]() -> Coro<> {
      co_await errand::sleep(20ms);
      note(entry);
    });
  }
  app.before_server_start([&note] { note("bstart"); });
  app.run({.workers = 2});
  CHECK(log.text() == "mstart1 ; mstart2 ; bstart ; bstart");
}
