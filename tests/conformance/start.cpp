// SPDX-License-Identifier: MIT
// Conformance cases about the start of tasks, their order and their names. Test names begin with the ids of the cases.
#include "support.hpp"

APP_TEST("A01 K01 tasks start first in, first out, never inside add_task") {
  for (const char* name : {"t0", "t1", "t2"}) add(nap(name, 0s));
  log("main after create");
  co_await errand::yield();
  log("main after yield");
  co_await errand::yield();
  log("main 2");
  co_await errand::yield();
  log("main 3");
  expect(
      "main after create ; t0 start ; t1 start ; t2 start ; main after yield ; t0 end ; t1 end ; t2 end ; main 2 ; "
      "main 3");
}

APP_TEST("A02 awaiting a Coro runs it inline, without a turn") {
  auto c = [&]() -> Coro<int> {
    log("c");
    co_return 1;
  };
  auto other = add(nap("other", 0s));
  log("before");
  const int r = co_await c();
  log("r", r);
  log("after");
  co_await other;
  expect("before ; c ; r 1 ; after ; other start ; other end");
}

APP_TEST("A03 awaiting a done task does not yield") {
  auto t = add(after(0s, 7));
  while (!t.done()) co_await errand::yield();
  auto other = add(nap("other", 0s));
  const int first = co_await t;
  const int second = co_await t;
  log(first, second);
  log("main still first");
  co_await other;
  expect("7 7 ; main still first ; other start ; other end");
}

APP_TEST("A04 late awaiters don't wait, and callbacks run in the order added, before a waiter that came after them") {
  auto c = [&]() -> Coro<int> {
    log("c runs");
    co_return 7;
  };
  Task<int> t;
  auto w = [&](std::string name) -> Coro<> {
    const int value = co_await t;
    log(name, value);
  };
  t = add(c());
  t.add_done_callback([&](Task<int> task) { log("cb1", task.status()); });
  t.add_done_callback([&](Task<int>) { log("cb2"); });
  add(w("w1"));
  add(w("w2"));
  t.add_done_callback([&](Task<int>) { log("cb3"); });
  const int value = co_await t;
  log("main", value);
  expect("c runs ; w1 7 ; w2 7 ; cb1 succeeded ; cb2 ; cb3 ; main 7");
}

APP_TEST("A05 yield lets each of the other branches run once") {
  auto c = [&](std::string name) -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      log(name + std::to_string(i));
      co_await errand::yield();
    }
  };
  co_await errand::gather(c("a"), c("b"), c("c"));
  expect("a0 ; b0 ; c0 ; a1 ; b1 ; c1 ; a2 ; b2 ; c2");
}

APP_TEST("K18 yield lets each of the other tasks run once") {
  auto c = [&](std::string name) -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      log(name + std::to_string(i));
      co_await errand::yield();
    }
  };
  auto ta = add(c("a"));
  auto tb = add(c("b"));
  auto tc = add(c("c"));
  co_await errand::wait_all(ta, tb, tc);
  expect("a0 ; b0 ; c0 ; a1 ; b1 ; c1 ; a2 ; b2 ; c2");
}

APP_TEST("A06 a negative delay is a yield") {
  auto o = add(nap("o", 0s));
  co_await errand::sleep(-5s);
  log("main", now());
  co_await o;
  expect("o start ; main 0 ; o end");
}

APP_TEST("A07 what is added during a turn runs in the next one") {
  app.call_soon([this] {
    log("a");
    app.call_soon([this] { log("a2"); });
  });
  app.call_soon([this] { log("b"); });
  co_await errand::yield();
  log("main");
  co_await errand::yield();
  log("main2");
  expect("a ; b ; main ; a2 ; main2");
}

APP_TEST("A11 a task without a name is called after its id, and ids count up") {
  auto a = add(after(0s));
  auto b = add(after(0s));
  auto x = add(after(0s), "x");
  log(a.name() == "Task-" + std::to_string(a.id()), b.id() - a.id(), x.name());
  expect("true 1 x");
  co_await errand::wait_all(a, b, x);
}

APP_TEST("A12 current_task is the running task, and empty in a callback") {
  Task<> t;
  t = add(
      [&]() -> Coro<> {
        log(current_task() == t, current_task().name());
        co_return;
      },
      "x");
  app.call_soon([this] { log("in callback", bool(current_task())); });
  co_await t;
  log(current_task() != t);
  expect("true x ; in callback false ; true");
}

APP_TEST("A13 all_tasks holds every task that is pending") {
  const auto n0 = app.all_tasks().size();
  auto a = add(after(0s));
  auto b = add(after(1s));
  log(app.all_tasks().size() - n0);
  co_await a;
  log(app.all_tasks().size() - n0);
  b.cancel();
  log(app.all_tasks().size() - n0);
  co_await errand::wait_all(b);
  log(app.all_tasks().size() - n0);
  expect("2 ; 1 ; 1 ; 0");
}

APP_TEST("C14 work that throws at once fails its task, not add_task") {
  auto t = add(bad(0s, "v"));
  log("created", t.status());
  try {
    co_await t;
  } catch (const runtime_error& e) {
    log("awaited", e);
  }
  expect("created pending ; awaited v");
}

APP_TEST("C17 a task lives although nobody holds a handle") {
  add([this]() -> Coro<> {
    co_await errand::sleep(1s);
    log("ran");
  });
  co_await errand::sleep(2s);
  expect("ran");
}

APP_TEST("K05 dropping a handle detaches the task") {
  {
    auto t = add(nap("t", 1s));
    co_await errand::yield();
  }
  co_await errand::sleep(2s);
  expect("t start ; t end");
}

APP_TEST("K08 equal deadlines fire in the order in which they were set") {
  std::vector<Task<>> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(add([this, i]() -> Coro<> {
      co_await errand::sleep(1s);
      log(i);
    }));
  }
  co_await errand::wait_all(tasks);
  expect("0 ; 1 ; 2 ; 3 ; 4 ; 5 ; 6 ; 7 ; 8 ; 9");
}

APP_TEST("K09 sleepers wake by deadline, then in the order in which they fell asleep") {
  std::vector<Task<>> tasks;
  for (const auto delay : {30ms, 10ms, 20ms, 10ms}) {
    tasks.push_back(add([this, i = tasks.size(), delay]() -> Coro<> {
      co_await errand::sleep(delay);
      log(i, delay.count());
    }));
  }
  co_await errand::wait_all(tasks);
  expect("1 10 ; 3 10 ; 2 20 ; 0 30");
}

APP_TEST("K15 a day on a ManualClock takes no time") {
  const auto start = std::chrono::steady_clock::now();
  co_await errand::sleep(24h);
  log(now());
  expect("86400");
  CHECK(std::chrono::steady_clock::now() - start < 1s);
}

PLAIN_TEST("K35 a ManualClock that is held advances by exactly what it is told") {
  errand::ManualClock held(errand::ManualClock::held);
  const auto start = held.now();
  const auto log_elapsed = [&] {
    log(std::chrono::duration_cast<std::chrono::microseconds>(held.now() - start).count());
  };
  held.advance(51592us);
  log_elapsed();
  held.advance(1us);
  log_elapsed();
  expect("51592 ; 51593");
}

APP_TEST("R12 the clock jumps from deadline to deadline") {
  std::vector<Task<>> tasks;
  for (const auto delay : {1'000'000s, 1s, 1'000s}) {
    tasks.push_back(add([this, delay]() -> Coro<> {
      co_await errand::sleep(delay);
      log(std::chrono::duration_cast<std::chrono::seconds>(now()).count());
    }));
  }
  co_await errand::wait_all(tasks);
  expect("1 ; 1000 ; 1000000");
}
