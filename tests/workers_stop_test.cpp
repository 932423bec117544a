// SPDX-License-Identifier: MIT
// Tests of how several workers are stopped: by stop, by an error, by the end of main.
#include <atomic>
#include <thread>

#include "real_fixture.hpp"

using support::Notes;
using Numbers = std::vector<unsigned>;

namespace {

/// Adds a task to every worker. The run must end before this task has slept, so that it never notes its worker.
void add_sleepers(App& app, Notes<unsigned>& slept) {
  app.add_task([&slept](App& own) -> Coro<> {
    co_await errand::sleep(2s);
    slept(own.worker());
  });
}

}  // namespace

REAL_PLAIN_TEST("a start that fails on any worker stops all, and comes out of run") {
  for (unsigned failing = 0; failing < 3; ++failing) {
    App own("own");
    Notes<unsigned> slept, stopped;
    own.before_server_start([failing](App& worker) -> Coro<> {
      if (worker.worker() != failing) co_return;
      co_await errand::sleep(5ms);
      throw runtime_error("start");
    });
    own.after_server_stop([&](App& worker) { stopped(worker.worker()); });
    add_sleepers(own, slept);
    CHECK_THROWS_WITH(own.run({.workers = 3, .keep_alive = true}), "start");
    CHECK(slept.all().empty());
    const auto workers = stopped.all();
    CHECK(std::count(workers.begin(), workers.end(), failing) == 1);
  }
}

REAL_PLAIN_TEST("a worker runs stop listeners only if its start had begun") {
  int differ = 0;
  for (int i = 0; i < 50; ++i) {
    App own("own");
    Notes<unsigned> started, stopped;
    own.before_server_start([&](App& worker) {
      started(worker.worker());
      if (worker.worker() == 0) throw runtime_error("start");
    });
    own.before_server_stop([&](App& worker) { stopped(worker.worker()); });
    CHECK_THROWS_WITH(own.run({.workers = 4, .keep_alive = true}), "start");
    differ += stopped.sorted() != started.sorted();
  }
  CHECK(differ == 0);
}

REAL_PLAIN_TEST("a failing main_process_start starts no worker") {
  Notes<unsigned> started;
  app.main_process_start([] { throw runtime_error("main"); });
  app.before_server_start([&](App& own) { started(own.worker()); });
  CHECK_THROWS_WITH(app.run({.workers = 3}), "main");
  CHECK(started.all().empty());
}

REAL_PLAIN_TEST("of the errors of several workers run rethrows one and reports the others") {
  std::atomic<unsigned> started = 0;
  app.after_server_start([&]() -> Coro<> {
    ++started;
    while (started < 3) co_await errand::sleep(1ms);
  });
  app.before_server_stop([] { throw runtime_error("stop"); });
  CHECK_THROWS_WITH(app.run({.workers = 3}), "stop");
  expect("", {"stop", "stop"});
}

REAL_PLAIN_TEST("stop on any worker, and from another thread, stops all") {
  for (unsigned stopping = 0; stopping < 4; ++stopping) {
    App own("own");
    std::atomic<unsigned> started = 0;
    Notes<unsigned> slept, stopped;
    add_sleepers(own, slept);
    own.add_task([&started, stopping](App& worker) -> Coro<> {
      ++started;
      while (started < 3) co_await errand::sleep(1ms);
      if (worker.worker() == stopping) worker.stop();
    });
    own.after_server_stop([&](App& worker) { stopped(worker.worker()); });
    std::thread thread([&] {
      while (started < 3) std::this_thread::sleep_for(1ms);
      if (stopping == 3) own.stop();
    });
    own.run({.workers = 3, .keep_alive = true});
    thread.join();
    CHECK(slept.all().empty());
    CHECK(stopped.sorted() == Numbers{0, 1, 2});
  }
}

REAL_PLAIN_TEST("stop before run, and inside main_process_start, stops all workers") {
  Notes<unsigned> slept;
  add_sleepers(app, slept);
  if (GENERATE(true, false)) {
    app.stop();
  } else {
    app.main_process_start([this] { app.stop(); });
  }
  app.run({.workers = 3});
  CHECK(slept.all().empty());
}

REAL_PLAIN_TEST("stop from another thread while the workers start stops all") {
  Notes<unsigned> slept;
  for (int round = 0; round < 50 && slept.all().empty(); ++round) {
    App own("own");
    add_sleepers(own, slept);
    std::thread thread([&] {
      std::this_thread::sleep_for(round * 20us);
      own.stop();
    });
    own.run({.workers = 3});
    thread.join();
  }
  CHECK(slept.all().empty());
}

REAL_PLAIN_TEST("main of run runs on worker 0, and its end stops all") {
  std::atomic<unsigned> started = 0;
  Notes<unsigned> slept, ended;
  add_sleepers(app, slept);
  app.after_server_start([&] { ++started; });
  app.after_server_stop([&](App& own) { ended(own.worker()); });
  const auto main = [&](bool fails) -> Coro<unsigned> {
    while (started < 3) co_await errand::sleep(1ms);
    started = 0;
    if (fails) throw runtime_error("main");
    co_return App::current().worker();
  };
  CHECK(app.run(main(false), {.workers = 3, .keep_alive = true}) == 0);
  CHECK_THROWS_WITH(app.run(main(true), {.workers = 3, .keep_alive = true}), "main");
  CHECK(slept.all().empty());
  CHECK(ended.sorted() == Numbers{0, 0, 1, 1, 2, 2});
}
