// SPDX-License-Identifier: MIT
// Conformance cases about time-outs. Test names begin with the ids of the cases.
#include "support.hpp"

using errand::wait_for;

APP_TEST("D01 a time-out cancels the Coro, awaits its clean-up, then throws TimeoutError") {
  const auto c = [&]() -> Coro<> {
    std::optional<Cancelled> cancelled;
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled& e) {
      cancelled = e;
    }
    if (!cancelled) co_return;
    log("cleanup begin", now());
    co_await errand::sleep(2s);
    log("cleanup end", now());
    throw *cancelled;
  };
  try {
    co_await wait_for(c(), 1s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  expect("cleanup begin 1 ; cleanup end 3 ; TimeoutError 3");
}

APP_TEST("D01' a time-out on a handle only stops looking") {
  auto t = add([&]() -> Coro<> {
    std::optional<Cancelled> cancelled;
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled& e) {
      cancelled = e;
    }
    if (!cancelled) co_return;
    log("cleanup begin", now());
    co_await errand::sleep(2s);
    log("cleanup end", now());
    throw *cancelled;
  });
  try {
    co_await wait_for(t, 1s);
  } catch (const TimeoutError& e) {
    log(e, now(), t.status());
  }
  t.cancel();
  co_await errand::wait_all(t);
  expect("TimeoutError 1 pending ; cleanup begin 1 ; cleanup end 3");
}

APP_TEST("D04 a sleep that is due at the instant of the time-out wins") {
  try {
    log("value", co_await wait_for(nap<std::string>("c", 1s, "v"), 1s));
  } catch (const TimeoutError& e) {
    log(e);
  }
  expect("c start ; c end ; value v");
}

APP_TEST("K11 a time-out of 10 ms around a sleep of 10 ms gives the value") {
  try {
    log(co_await wait_for(after(10ms, 5), 10ms));
  } catch (const TimeoutError& e) {
    log(e);
  }
  expect("5");
}

APP_TEST("D05 a block that ends at the instant of its time-out has not timed out") {
  const auto block = [&]() -> Coro<> {
    co_await errand::sleep(1s);
    log("slept");
  };
  co_await wait_for(block(), 1s);
  log("no time-out");
  expect("slept ; no time-out");
}

APP_TEST("R06 sleep(1s) under a time-out of 1 s is not cancelled") {
  try {
    co_await wait_for(errand::sleep(1s), 1s);
    log("slept", now());
  } catch (const TimeoutError& e) {
    log(e);
  }
  expect("slept 1");
}

APP_TEST("D06 a value that arrives at the deadline, by a timer set before the time-out, wins") {
  errand::Future<int> f;
  at(1s, [&] { f.set_result(5); });
  const auto block = [&]() -> Coro<> {
    log("got", co_await f);
    log("left normally");
  };
  try {
    co_await wait_for(block(), 1s);
  } catch (const TimeoutError& e) {
    log(e);
  }
  log(current_task().cancelling());
  expect("got 5 ; left normally ; 0");
}

APP_TEST("D08 with a time-out of 0 or less a Coro runs to its first suspension") {
  const auto c = [&]() -> Coro<> {
    log("ran");
    co_await errand::sleep(1s);
    log("not reached");
  };
  for (const auto timeout : {0s, -1s}) {
    try {
      co_await wait_for(c(), timeout);
    } catch (const TimeoutError& e) {
      log(e, now());
    }
  }
  expect("ran ; TimeoutError 0 ; ran ; TimeoutError 0");
}

APP_TEST("D10 cancelling wait_for cancels its Coro, and is no TimeoutError") {
  const auto c = [&]() -> Coro<> {
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled&) {
      log("inner cleanup");
      throw;
    }
  };
  auto w = add(wait_for(c(), 60s));
  co_await errand::yield();
  co_await errand::yield();
  w.cancel("m");
  try {
    co_await w;
  } catch (const TaskCancelled& e) {
    log("out", e);
  }
  expect("inner cleanup ; out TaskCancelled m");
}

APP_TEST("D10' cancelling wait_for leaves the task that it observes alone") {
  auto t = add([&]() -> Coro<> {
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled&) {
      log("inner cleanup");
      throw;
    }
  });
  auto w = add(wait_for(t, 60s));
  co_await errand::yield();
  co_await errand::yield();
  w.cancel("m");
  try {
    co_await w;
  } catch (const TaskCancelled& e) {
    log("out", e, t.status());
  }
  expect("out TaskCancelled m pending");
  t.cancel();
  co_await errand::wait_all(t);
}

APP_TEST("D11 a request while the clean-up of a time-out is under way goes into the clean-up") {
  const auto inner = [&]() -> Coro<int> {
    try {
      co_await errand::sleep(3s);
    } catch (const Cancelled&) {
      log("inner cancelled at", now());
    }
    bool again = false;
    try {
      co_await errand::sleep(3s);
    } catch (const Cancelled&) {
      log("inner cancelled again at", now());
      again = true;
    }
    if (again) co_await errand::sleep(3s);
    co_return 42;
  };
  auto t = add(wait_for(inner(), 1s));
  co_await errand::sleep(2s);
  t.cancel();
  const int result = co_await t;
  log(result, now());
  expect("inner cancelled at 1 ; inner cancelled again at 2 ; 42 5");
}

APP_TEST("D13 a shorter inner time-out ends only the inner block") {
  const auto body = [&]() -> Coro<> {
    try {
      co_await wait_for(after(5s), 1s);
    } catch (const TimeoutError&) {
      log("inner at", now());
    }
    co_await errand::sleep(2s);
    log("outer body went on", now());
  };
  co_await wait_for(body(), 10s);
  log("left normally");
  expect("inner at 1 ; outer body went on 3 ; left normally");
}

APP_TEST("D09 a time-out of 0 on a done task gives its result") {
  auto t = add(after<std::string>(0s, "done"));
  co_await t;
  log(co_await wait_for(t, 0s));
  expect("done");
}

APP_TEST("D15 a cancellation before the deadline is no time-out") {
  auto t = add(wait_for(after(5s), 10s));
  co_await errand::sleep(1s);
  t.cancel("ext");
  try {
    co_await t;
  } catch (const TaskCancelled& e) {
    log(e, t.cancelling());
  }
  expect("TaskCancelled ext 1");
}

APP_TEST("D17 a time-out of 0 ends a block at its first yield") {
  const auto block = [&]() -> Coro<> {
    log("body ran");
    co_await errand::yield();
    log("unreachable");
  };
  try {
    co_await wait_for(block(), 0s);
  } catch (const TimeoutError& e) {
    log(e);
  }
  expect("body ran ; TimeoutError");
}

APP_TEST("K10 a time-out of 0 gives the result of a done handle, but no later one") {
  auto t = add(after(0s, 5));
  co_await t;
  log(co_await wait_for(t, 0s));
  try {
    log(co_await wait_for(after(1s, 5), 0s));
  } catch (const TimeoutError& e) {
    log(e);
  }
  expect("5 ; TimeoutError");
}

APP_TEST("K20 a task whose wait timed out can be awaited again") {
  auto t = add(after(5s, 9));
  try {
    co_await wait_for(t, 1s);
  } catch (const TimeoutError& e) {
    log(e, t.status());
  }
  const int result = co_await t;
  log(result, now());
  expect("TimeoutError pending ; 9 5");
}

APP_TEST("R11 time-outs of 0 and of 1 s come at 0 and at 1") {
  const auto block = [&]() -> Coro<> {
    log("body ran");
    co_await errand::yield();
    log("unreachable");
  };
  try {
    co_await wait_for(block(), 0s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  try {
    co_await wait_for(after(5s), 1s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  expect("body ran ; TimeoutError 0 ; TimeoutError 1");
}

APP_TEST("R03 the clean-up of finally is awaited before TimeoutError") {
  const auto cleanup = [&]() -> Coro<> {
    co_await wait_for(after(1s), 5s);
    log("cleaned", now());
  };
  try {
    co_await wait_for(errand::finally(after(10s), cleanup), 1s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  expect("cleaned 2 ; TimeoutError 2");
}

namespace {

Coro<> level(int n, int& cancelled) {
  try {
    if (n == 0) {
      co_await errand::sleep(1h);
    } else {
      co_await wait_for(level(n - 1, cancelled), 1h);
    }
  } catch (const Cancelled&) {
    ++cancelled;
    throw;
  }
}

}  // namespace

APP_TEST("R17 time-outs nested 5000 deep are all cancelled by the outermost one") {
  int cancelled = 0;
  try {
    co_await wait_for(level(5000, cancelled), 1s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  expect("TimeoutError 1");
  CHECK(cancelled == 5001);
}
