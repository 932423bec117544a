// SPDX-License-Identifier: MIT
// Conformance cases about results, callbacks and failures. Test names begin with the ids of the cases.
#include <set>

#include "support.hpp"

using errand::Future;

APP_TEST("C04 a failure that nobody looked at is reported when the last handle goes") {
  reports_in_log = true;
  auto t = add(bad(0s, "v"));
  co_await errand::yield();
  co_await errand::yield();
  log("before drop");
  t = {};
  co_await errand::yield();
  log("after drop");
  expect("before drop ; report v ; after drop");
}

APP_TEST("C08 a circle of two tasks can be cancelled") {
  Task<> ta, tb;
  ta = add([&]() -> Coro<> { co_await tb; });
  tb = add([&]() -> Coro<> { co_await ta; });
  try {
    co_await errand::wait_for(ta, 1s);
  } catch (const TimeoutError&) {
    log("still pending", ta.status(), tb.status());
  }
  log(ta.cancel());
  co_await errand::yield();
  co_await errand::yield();
  log(ta.status(), tb.status());
  try {
    tb.result();
  } catch (const TaskCancelled& e) {
    log(e);
  }
  expect("still pending pending pending ; true ; cancelled failed ; TaskCancelled");
}

PLAIN_TEST("C08' a circle of two tasks and nothing else is a Deadlock that names both") {
  Task<> ta, tb;
  ta = add([&]() -> Coro<> { co_await tb; }, "a");
  tb = add([&]() -> Coro<> { co_await ta; }, "b");
  std::string what;
  try {
    app.run();
  } catch (const errand::Deadlock& e) {
    what = e.what();
  }
  CHECK(what.find("a") != std::string::npos);
  CHECK(what.find("b") != std::string::npos);
  CHECK(ta.done());
  CHECK(tb.done());
  expect("");
}

PLAIN_TEST("C16 a task that waits for something only it refers to is not lost, and ends at the end of run") {
  const auto main = [&]() -> Coro<> {
    add([&]() -> Coro<> {
      Future<> f;
      try {
        co_await f;
      } catch (const Cancelled&) {
        log("cleanup ran");
        throw;
      }
    });
    const std::size_t n0 = app.all_tasks().size();
    co_await errand::yield();
    co_await errand::yield();
    log(app.all_tasks().size() == n0);
  };
  app.run(main());
  expect("true ; cleanup ran");
}

APP_TEST("C01 result and exception of a pending task are InvalidState") {
  auto t = add(after(1s));
  try {
    (void)t.result();
  } catch (const InvalidState& e) {
    log(e);
  }
  try {
    (void)t.exception();
  } catch (const InvalidState& e) {
    log(e);
  }
  expect("InvalidState ; InvalidState");
  t.cancel();
  co_await errand::wait_all(t);
}

APP_TEST("C02 all readers of a failed task get the same exception object") {
  auto t = add(bad(0s, "v"));
  co_await errand::wait_all(t);
  std::set<const runtime_error*> errors;
  for (int i = 0; i < 3; ++i) {
    try {
      t.result();
    } catch (const runtime_error& e) {
      errors.insert(&e);
    }
  }
  log(errors.size());
  try {
    std::rethrow_exception(t.exception());
  } catch (const runtime_error& e) {
    log(e);
  }
  expect("1 ; v");
}

APP_TEST("C05 a failure whose exception was looked at is not reported") {
  auto t = add(bad(0s, "v"));
  co_await errand::yield();
  co_await errand::yield();
  log(bool(t.exception()));
  t = {};
  co_await errand::yield();
  log("end");
  expect("true ; end");
}

APP_TEST("C06 done and cancelled are not a look: the failure is reported all the same") {
  reports_in_log = true;
  auto t = add(bad(0s, "v"));
  co_await errand::yield();
  co_await errand::yield();
  log(t.done(), t.cancelled());
  t = {};
  co_await errand::yield();
  log("end");
  expect("true false ; report v ; end");
}

APP_TEST("C07 a task that awaits itself gets InvalidState") {
  auto t = add([]() -> Coro<> { co_await current_task(); });
  co_await errand::wait_all(t);
  log(t.status());
  try {
    t.result();
  } catch (const InvalidState& e) {
    log(e);
  }
  expect("failed ; InvalidState");
}

APP_TEST("C09 a callback that was added twice runs twice") {
  auto t = add(after(0s));
  const auto cb = [this](const Task<int>&) { log("cb"); };
  t.add_done_callback(cb);
  t.add_done_callback(cb);
  co_await t;
  expect("cb ; cb");
}

APP_TEST("C10 a callback of a done task runs from the loop, not inside add_done_callback") {
  auto t = add(after(0s));
  co_await t;
  t.add_done_callback([this](const Task<int>&) { log("cb"); });
  log("after add");
  co_await errand::yield();
  expect("after add ; cb");
}

APP_TEST("P04, C15 what is thrown and is no std::exception comes out as it is, and the loop lives") {
  auto t = add([]() -> Coro<> {
    throw 42;
    co_return;
  });
  try {
    co_await t;
  } catch (int i) {
    log("int", i);
  }
  co_await errand::sleep(1s);
  log("loop lives");
  expect("int 42 ; loop lives");
}

APP_TEST("K07 a task that fails harms no other") {
  auto o = add(nap("o", 1s));
  auto t = add(bad(0s, "boom"));
  try {
    co_await t;
  } catch (const runtime_error& e) {
    log(e);
  }
  co_await o;
  expect("o start ; boom ; o end");
}
