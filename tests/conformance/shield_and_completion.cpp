// SPDX-License-Identifier: MIT
// Conformance cases about as_completed, shield and ScopedTask. Test names begin with the ids of the cases.
#include "support.hpp"

using errand::as_completed;
using errand::ScopedTask;
using errand::shield;

APP_TEST("D22 what is shielded survives the time-out") {
  try {
    co_await errand::wait_for(shield(nap("t", 5s)), 1s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  co_await errand::sleep(9s);
  expect("t start ; TimeoutError 1 ; t end");
}

APP_TEST("E18 as_completed gives the tasks in the order of completion, a failed one at its turn") {
  const auto two = []() -> Coro<int> {
    co_await errand::sleep(2s);
    throw runtime_error("two");
  };
  auto gen = as_completed(std::vector{add(after(3s, 3)), add(after(1s, 1)), add(two())});
  while (const auto t = co_await gen.next()) {
    try {
      const int result = co_await *t;
      log(result, now());
    } catch (const runtime_error& e) {
      log(e, now());
    }
  }
  expect("1 1 ; two 2 ; 3 3");
}

APP_TEST("K13 as_completed sorts 30, 10 and 20 ms") {
  auto gen = as_completed(std::vector{add(after(30ms, 30)), add(after(10ms, 10)), add(after(20ms, 20))});
  while (const auto t = co_await gen.next()) log(co_await *t);
  expect("10 ; 20 ; 30");
}

APP_TEST("E20 cancelling the waiter leaves what is shielded running") {
  auto w = add([&]() -> Coro<> {
    try {
      co_await shield(nap("in", 3s));
    } catch (const Cancelled& e) {
      log("outer", e.reason());
      throw;
    }
  });
  co_await errand::sleep(1s);
  w.cancel("m");
  co_await errand::wait_all(w);
  log(w.status());
  co_await errand::sleep(5s);
  expect("in start ; outer m ; cancelled ; in end");
}

APP_TEST("E21 what is shielded and cancels itself is an error to its waiter, not a request") {
  const auto own = []() -> Coro<> {
    current_task().cancel("own");
    co_await errand::yield();
  };
  try {
    co_await shield(own());
  } catch (const TaskCancelled& e) {
    log(e, current_task().cancelling());
  }
  expect("TaskCancelled own 0");
}

APP_TEST("K25 a ScopedTask aborts its task at the end of the scope, unless it was detached") {
  {
    const ScopedTask s{add(nap("a", 10s))};
    co_await errand::sleep(1s);
  }
  {
    ScopedTask s{add(nap("b", 10s))};
    co_await errand::sleep(1s);
    s.detach();
  }
  co_await errand::sleep(20s);
  expect("a start ; b start ; b end");
}
