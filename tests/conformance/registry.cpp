// SPDX-License-Identifier: MIT
// Conformance cases about the registry and add_task. Test names begin with the ids of the cases.
#include "support.hpp"

using errand::NameTaken;
using errand::TaskNameInUse;
using errand::TaskNotFound;

namespace {

/// Sleeps until it is cancelled. Logs the name of its task, the reason, and the number of requests.
Coro<> sleepy(support::Log& log) {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled& cancelled) {
    log(current_task().name(), cancelled.reason(), current_task().cancelling());
    throw;
  }
}

// Three kinds of callable that add_task takes. None of them can capture a log, so the log comes from `App::ctx`.
using SharedLog = std::reference_wrapper<support::Log>;
Coro<> bare() {
  App::current().ctx().get<SharedLog>()("bare");
  co_return;
}
Coro<> with_app(App& app) {
  app.ctx().get<SharedLog>()(app.name());
  co_return;
}
struct Object {
  Coro<> operator()() const {
    App::current().ctx().get<SharedLog>()("object");
    co_return;
  }
};

}  // namespace

APP_TEST("S01 a task without a name gives a handle and is not registered") {
  auto task = add(after(0s));
  log(bool(task), app.tasks().size());
  co_await task;
  expect("true 0");
}

APP_TEST("S02 a task with a name is found under it") {
  auto task = add(after(0s), "dummy");
  const auto tasks = app.tasks();
  log(app.get_task("dummy") == task, tasks.size(), tasks.at(0) == task);
  co_await task;
  expect("true 1 true");
}

APP_TEST("S03 a callable is given the App, and its coroutine's result is the task's") {
  auto task = add([](App& self) -> Coro<std::string> { co_return self.name(); });
  const std::string awaited = co_await task;
  log(awaited, task.result());
  expect("app app");
}

APP_TEST("S04 add_task takes coroutine functions, objects and plain callables, with the App or without") {
  app.ctx().emplace<SharedLog>(log);
  add(bare);
  add(with_app);
  add(Object());
  auto plain = add([this] {
    log("plain");
    return 3;
  });
  const int result = co_await plain;
  log(result);
  expect("bare ; app ; object ; plain ; 3");
}

APP_TEST("S05 a plain callable that throws is called once, and its error is the task's") {
  int calls = 0;
  auto task = add([&calls] {
    ++calls;
    throw runtime_error("v");
  });
  try {
    co_await task;
  } catch (const runtime_error& error) {
    log(error, calls);
  }
  expect("v 1");
}

APP_TEST("S07 a result stays with the handle when the task is purged") {
  auto task = add(after(0s, 42), "n");
  const int first = co_await task;
  const int second = co_await task;
  log(first, second);
  log(app.purge_tasks());
  const int third = co_await task;
  log(third);
  expect("42 42 ; 1 ; 42");
}

APP_TEST("S08 a plain callable runs on a later turn, not inside add_task") {
  add([this] { log("s"); });
  log("added");
  co_await errand::yield();
  expect("added ; s");
}

APP_TEST("S15 get_task throws TaskNotFound with the name, and find_task gives an empty handle") {
  try {
    app.get_task("nope");
  } catch (const TaskNotFound& error) {
    log(error.name());
  }
  log(bool(app.find_task("nope")));
  expect("nope ; false");
  co_return;
}

APP_TEST("S16 cancel_task of an unknown name throws TaskNotFound") {
  try {
    co_await app.cancel_task("nope");
  } catch (const TaskNotFound& error) {
    log(error.name());
  }
  expect("nope");
}

APP_TEST("S18 a task that is cancelled before it started never runs") {
  auto task = add([this] { log("ran"); }, "n");
  const bool cancelled = co_await app.cancel_task("n");
  log(cancelled);
  log(task.cancelled());
  expect("true ; true");
}

APP_TEST("S19 cancel_task of a task that has succeeded does nothing") {
  auto task = add(after(0s, 5), "n");
  co_await task;
  const bool cancelled = co_await app.cancel_task("n");
  log(cancelled, task.result(), task.cancelled());
  expect("false 5 false");
}

APP_TEST("S20 cancel_task of a task that has failed does nothing, and does not rethrow") {
  auto task = add(bad(0s, "boom"), "n");
  co_await errand::yield();
  co_await errand::yield();
  const bool cancelled = co_await app.cancel_task("n");
  log(cancelled, task.status());
  try {
    task.result();
  } catch (const runtime_error& error) {
    log(error);
  }
  expect("false failed ; boom");
}

APP_TEST("S24 cancel_task in the task of that name throws InvalidState and cancels nothing") {
  auto task = add(
      [this]() -> Coro<> {
        try {
          co_await app.cancel_task("n");
        } catch (const InvalidState& error) {
          log(error, current_task().cancelling());
        }
        log("goes on");
      },
      "n");
  co_await task;
  log(task.status());
  expect("InvalidState 0 ; goes on ; succeeded");
}

APP_TEST("S27 cancel_task joins a request that was made before") {
  auto task = add(after(1h), "n");
  co_await errand::yield();
  task.cancel();
  const bool cancelled = co_await app.cancel_task("n");
  log(cancelled, task.cancelled());
  expect("true true");
}

APP_TEST("S33 purging while walking over tasks() is safe") {
  add(after(0s), "one");
  add(after(0s), "two");
  auto pending = add(after(1h), "three");
  co_await errand::sleep(1s);
  for (const Task<>& task : app.tasks()) {
    app.purge_tasks();
    log(task.name());
  }
  log(app.tasks().size());
  expect("one ; two ; three ; 1");
  co_await app.shutdown_tasks(1s);
}

APP_TEST("S32 adding while walking over tasks() is safe") {
  add(after(0s), "old");
  for (const Task<>& task : app.tasks()) {
    add(after(0s), "new");
    log(task.name());
  }
  log(app.tasks().size());
  expect("old ; 2");
  co_await app.shutdown_tasks(1s);
}

APP_TEST("S37 a task cancelled through cancel_task is cancelled, and nothing is reported") {
  auto task = add(after(1h), "n");
  co_await errand::yield();
  co_await app.cancel_task("n");
  log(task.status());
  expect("cancelled");
}

APP_TEST("S41 an empty name registers nothing, and neither does create_task with a name") {
  add(after(0s), "");
  auto unregistered = errand::create_task(after(0s), "u");
  log(app.tasks().size(), unregistered.name(), bool(app.find_task("u")));
  expect("0 u false");
  co_await app.shutdown_tasks(1s);
}

APP_TEST("S17 cancel_task gives the reason, awaits the end, leaves the task registered, and is idle the second time") {
  auto task = add(sleepy(log), "sleepy");
  co_await errand::yield();
  const bool first = co_await app.cancel_task("sleepy", "No more sleeping!");
  log(first);
  log(task.cancelled(), app.get_task("sleepy") == task);
  const bool second = co_await app.cancel_task("sleepy");
  log(second);
  expect("sleepy No more sleeping! 1 ; true ; true true ; true");
}

APP_TEST("S21 cancel_task gives false if the task swallows the request, and awaits its end") {
  auto stubborn = []() -> Coro<std::string> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_await errand::sleep(50ms);
    co_return "survived";
  };
  auto task = add(stubborn, "n");
  co_await errand::yield();
  const bool cancelled = co_await app.cancel_task("n");
  log(cancelled, now());
  log(task.cancelled(), task.result());
  expect("false 0.05 ; false survived");
}

APP_TEST("S22 an error of the target's clean-up comes out of cancel_task") {
  auto breaking = []() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("broken");
    }
  };
  auto task = add(breaking, "n");
  co_await errand::yield();
  try {
    co_await app.cancel_task("n");
  } catch (const runtime_error& error) {
    log(error);
  }
  log(task.status());
  expect("broken ; failed");
}

APP_TEST("S25 two callers of cancel_task share one clean-up") {
  auto cleaning = [this]() -> Coro<> {
    std::optional<Cancelled> caught;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled& cancelled) {
      caught = cancelled;
    }
    co_await errand::sleep(50ms);
    log("cleaned", now());
    throw Cancelled(*caught);
  };
  auto canceller = [this]() -> Coro<bool> { co_return co_await app.cancel_task("two"); };
  add(cleaning, "two");
  co_await errand::yield();
  const auto [first, second] = co_await errand::gather(canceller(), canceller());
  log(first, second);
  expect("cleaned 0.05 ; true true");
}

APP_TEST("S29 a running task keeps its name from a new one, and gives it away with NameTaken::replace") {
  std::function<Coro<>(int)> rounds = [this, &rounds](int n) -> Coro<> {
    log("run", n);
    if (n == 1) {
      try {
        add(rounds(9), "r");
      } catch (const TaskNameInUse& error) {
        log(error);
      }
    }
    if (n < 3) app.add_task(rounds(n + 1), "r", NameTaken::replace);
    co_return;
  };
  add(rounds(1), "r");
  co_await errand::sleep(1s);
  log(app.tasks().size(), app.get_task("r").status());
  expect("run 1 ; TaskNameInUse ; run 2 ; run 3 ; 1 succeeded");
}

APP_TEST("K26 NameTaken::cancel cancels the old task and takes its name") {
  auto old = add(nap("old", 10s), "k");
  co_await errand::yield();
  auto fresh = app.add_task(nap("new", 1s), "k", NameTaken::cancel);
  log(app.get_task("k") == fresh, app.tasks().size());
  co_await fresh;
  log(old.status());
  const bool old_first = log.text().find("old cancelled ; new start") != std::string::npos;
  expect(old_first ? "old start ; true 1 ; old cancelled ; new start ; new end ; cancelled"
                   : "old start ; true 1 ; new start ; old cancelled ; new end ; cancelled");
}

APP_TEST("S30 purge_tasks forgets what is done, and only what is pending stays") {
  add(after(0s), "done");
  add(bad(0s, "boom"), "failed");
  add(after(1h), "cancelled");
  add(after(1h), "slow");
  co_await errand::sleep(1s);
  co_await app.cancel_task("cancelled");
  log(app.purge_tasks());
  const auto tasks = app.tasks();
  log(tasks.size(), tasks.at(0).name());
  expect("3 ; 1 slow", {"boom"});
  co_await app.shutdown_tasks(1s);
}

APP_TEST("S35 a named task that fails without a handle is reported when it fails, once") {
  reports_in_log = true;
  add(bad(0s, "boom"), "n");
  co_await errand::sleep(1s);
  log(app.tasks().size());
  log(app.purge_tasks());
  log("end");
  expect("report boom ; 1 ; 1 ; end");
}

PLAIN_TEST("S09 add_task before run gives a valid handle, and the task runs in run") {
  auto task = add([this] { log("ran"); });
  log(bool(task), task.status());
  app.run();
  log(task.status());
  expect("true pending ; ran ; succeeded");
}

PLAIN_TEST("S10 add_task before run registers the name at once") {
  auto task = add([this] { log("ran"); }, "x");
  log(bool(task), task.status(), app.get_task("x") == task);
  app.run();
  log(task.status());
  expect("true pending true ; ran ; succeeded");
}
