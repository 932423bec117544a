// SPDX-License-Identifier: MIT
// Tests of rare cases: handles and awaitables that nobody uses, lists that are swept, requests at odd moments.
#include <any>
#include <functional>
#include <thread>

#include "real_fixture.hpp"

namespace {

/// An error of the user's own class, with which a future is set.
struct Broken : std::runtime_error {
  Broken() : runtime_error("broken") {}
};

}  // namespace

APP_TEST("a future takes an error as an object and as a pointer, and gives the same error") {
  errand::Future<int> by_object, by_pointer;
  by_object.set_exception(Broken());
  by_pointer.set_exception(std::make_exception_ptr(Broken()));
  const auto shared_by_object = errand::Future<int>::shared(), shared_by_pointer = errand::Future<int>::shared();
  shared_by_object.set_exception(Broken());
  shared_by_pointer.set_exception(std::make_exception_ptr(Broken()));
  const auto look = [this](auto& future) -> Coro<> {
    try {
      co_await future;
    } catch (const Broken& error) {
      log(error.what());
    }
  };
  co_await look(by_object);
  co_await look(by_pointer);
  co_await look(shared_by_object);
  co_await look(shared_by_pointer);
  expect("broken ; broken ; broken ; broken");
}

APP_TEST("an empty ScopedTask cancels nothing, and one takes a task later") {
  errand::ScopedTask<int> scoped;
  const Task<int> task = add(nap("task", 1s));
  {
    errand::ScopedTask<int> owner(task);
    scoped = std::move(owner);
  }
  co_await errand::yield();
  log(task.done());
  scoped = {};
  log(task.done());
  expect("task start ; false ; true");
}

APP_TEST("events that everybody has left are forgotten, those with a waiter or a handler are not") {
  int handled = 0;
  app.add_signal("edge.kept.handler", [&handled] { ++handled; });
  const auto waiter = add([this]() -> Coro<int> {
    co_await app.event("edge.kept.waiter");
    co_return 1;
  });
  co_await errand::yield();
  for (int i = 0; i < 300; ++i) {
    try {
      co_await app.event("edge.left.n" + std::to_string(i), 1ms);
    } catch (const TimeoutError&) {
    }
  }
  co_await app.dispatch("edge.kept.handler");
  app.dispatch("edge.kept.waiter");
  const int woken = co_await waiter;
  CHECK(woken == 1);
  CHECK(handled == 1);
}

APP_TEST("a call for a thread that is never awaited is never made") {
  bool called = false;
  {
    [[maybe_unused]] const auto unused = errand::to_thread([&called] { called = true; });
  }
  co_await errand::yield();
  CHECK_FALSE(called);
}

APP_TEST("wait_any and wait_all with a time limit of nothing look, and yield") {
  const std::vector<Task<int>> tasks{add(nap("a", 1s)), add(nap("b", 2s))};
  const auto first = co_await errand::wait_any(tasks, 0s);
  CHECK(first.done.empty());
  const auto all = co_await errand::wait_all(tasks, 0s);
  CHECK(all.pending.size() == 2);
  co_await errand::wait_all(tasks);
  const auto late = co_await errand::wait_all(tasks, 0s);
  CHECK(late.done.size() == 2);
}

APP_TEST("of a race whose losers all fail, the result comes out, and every error is reported") {
  const auto fails_at_end = [](std::string what) -> Coro<int> {
    bool asked = false;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      asked = true;
    }
    if (asked) throw runtime_error(what);
    co_return 0;
  };
  const auto race = co_await errand::race(after(1s, 7), fails_at_end("first"), fails_at_end("second"));
  CHECK(race.index() == 0);
  std::sort(reports.begin(), reports.end());
  expect("", {"first", "second"});
}

PLAIN_TEST("a stop listener that nothing can wake is ended at once, and reported") {
  errand::Event never;
  app.before_server_stop([this, &never]() -> Coro<> {
    const support::LogsAtEnd end(log, "listener gone");
    co_await never.wait();
  });
  app.after_server_stop([this] { log("stopped at", now()); });
  app.run();
  CHECK(reports.size() == 1);
  expect("listener gone ; stopped at 0", reports);
}

APP_TEST("to sleep until a time that has passed is to yield") {
  add([this] { log("other"); });
  co_await errand::sleep_until(clock.now() - 1s);
  log("goes on at", now());
  expect("other ; goes on at 0");
}

TEST_CASE("a callback that is asked for while the App is being destroyed is destroyed at once, and never runs") {
  support::Log log;
  bool ran = false;
  {
    struct Asks {
      ~Asks() {
        const auto kept = std::make_shared<int>(1);
        const auto soon = app.call_soon([kept, &ran = ran] { ran = true; });
        const auto later = app.call_later(1ms, [kept, &ran = ran] { ran = true; });
        log(kept.use_count() == 1 ? "destroyed" : "kept", soon.cancelled(), later.cancelled());
      }
      App& app;
      bool& ran;
      support::Log& log;
    };
    App app("app");
    const auto work = [](App& own, bool& its_ran, support::Log& its_log) -> Coro<> {
      const Asks asks{own, its_ran, its_log};
      co_await errand::sleep(1h);
    };
    app.add_task(work(app, ran, log));
    app.poll();
    app.poll();
  }
  CHECK_FALSE(ran);
  CHECK(log.text().starts_with("destroyed"));
}

namespace {

/// Aborts the task named "job" when it is destroyed.
struct AbortsNamesake {
  explicit AbortsNamesake(App& its_app) : app(&its_app) {}
  AbortsNamesake(AbortsNamesake&& other) noexcept : app(std::exchange(other.app, nullptr)) {}
  ~AbortsNamesake() {
    if (!app) return;
    if (auto task = app->find_task("job")) task.abort();
  }
  App* app;
};
/// A payload that aborts all other tasks when it is copied.
struct AbortsAll {
  explicit AbortsAll(App& its_app) : app(its_app) {}
  AbortsAll(const AbortsAll& other) : app(other.app) {
    for (auto& task : app.all_tasks()) {
      if (task != errand::current_task()) task.abort();
    }
  }
  App& app;
};

}  // namespace

APP_TEST("a task that is aborted by what the last one of its name leaves behind never runs") {
  co_await errand::wait_all(add([this]() -> Coro<AbortsNamesake> { co_return AbortsNamesake(app); }, "job"));
  auto task = add(nap("second", 1s), "job");
  log(task.cancelled());
  co_await errand::sleep(2s);
  expect("true");
}

APP_TEST("a payload that aborts all tasks when it is copied is copied before the task of the dispatch exists") {
  auto waiter = add([this]() -> Coro<> { co_await app.event("a.b.*"); });
  co_await errand::yield();
  co_await errand::yield();
  auto payload = std::any(std::in_place_type<AbortsAll>, app);
  auto dispatch = app.dispatch("a.b.x", std::move(payload));
  co_await errand::wait_all(dispatch);
  log(waiter.cancelled());
  log(dispatch.cancelled());
  expect("true ; false");
}

APP_TEST("a task that is given a name by what goes at its end is purged once") {
  using Names = support::CallsAtEnd<std::function<void()>>;
  const auto work = [](Names, bool stays) -> Coro<> {
    if (stays) co_await errand::sleep(1h);
  };
  for (const bool by_abort : {false, true}) {
    Task<> task;
    Names names([&] { app.add_task(task, "late"); });
    task = add(work(std::move(names), by_abort));
    co_await errand::yield();
    if (by_abort) task.abort();
    co_await errand::wait_all(task);
    log(app.purge_tasks());
    log(app.tasks().size());
  }
  expect("1 ; 0 ; 1 ; 0");
}
