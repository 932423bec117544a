// SPDX-License-Identifier: MIT
// Conformance cases about gather and wait. Test names begin with the ids of the cases.
#include "support.hpp"

using errand::gather;
using errand::wait_all;
using errand::wait_any;

APP_TEST("E01 gather runs at the same time, and gives the results in the order of the arguments") {
  const auto [a, b, c] = co_await gather(nap("a", 3s, 1), nap("b", 1s, 2), nap("c", 2s, 3));
  log(a, b, c, now());
  expect("a start ; b start ; c start ; b end ; c end ; a end ; 1 2 3 3");
}

APP_TEST("E02 a failure comes out of gather at once, and an observed task runs on") {
  auto s = add(nap("s", 5s));
  try {
    co_await gather(bad(1s, "v"), s);
  } catch (const runtime_error& e) {
    log(e, now(), s.status());
  }
  co_await s;
  expect("s start ; v 1 pending ; s end");
}

APP_TEST("E02' a failure cancels the other Coros of a gather") {
  try {
    co_await gather(bad(1s, "v"), nap("s", 5s));
  } catch (const runtime_error& e) {
    log(e, now());
  }
  expect("s start ; s cancelled ; v 1");
}

APP_TEST("E04 an observed task that is cancelled is an error of the gather, not a request to its caller") {
  auto a = add(nap("a", 5s));
  auto b = add(nap("b", 5s));
  later(1s, [&] { a.cancel(); });
  try {
    co_await gather(a, b);
  } catch (const TaskCancelled& e) {
    log(e, current_task().cancelling(), b.status());
  }
  co_await b;
  expect("a start ; b start ; a cancelled ; TaskCancelled 0 pending ; b end");
}

APP_TEST("E05 cancelling the caller of a gather cancels its Coros, with the reason") {
  const auto c = [&](std::string n) -> Coro<> {
    log(n, "start");
    try {
      co_await errand::sleep(5s);
    } catch (const Cancelled& e) {
      log(n, "cancelled", e.reason());
      throw;
    }
  };
  auto t = add([&]() -> Coro<> { co_await gather(c("a"), c("b")); });
  co_await errand::sleep(1s);
  t.cancel("m");
  try {
    co_await t;
  } catch (const TaskCancelled& e) {
    log(e);
  }
  expect("a start ; b start ; a cancelled m ; b cancelled m ; TaskCancelled m");
}

APP_TEST("E05' cancelling the caller of a gather leaves observed tasks alone") {
  auto a = add(nap("a", 5s));
  auto b = add(nap("b", 5s));
  auto t = add([&]() -> Coro<> { co_await gather(a, b); });
  co_await errand::sleep(1s);
  t.cancel("m");
  try {
    co_await t;
  } catch (const TaskCancelled& e) {
    log(e);
  }
  log(a.status(), b.status());
  co_await a;
  co_await b;
  expect("a start ; b start ; TaskCancelled m ; pending pending ; a end ; b end");
}

APP_TEST("E09 if two Coros would fail, the first failure cancels the other") {
  try {
    co_await gather(bad(1s, "1"), bad(2s, "2"));
  } catch (const runtime_error& e) {
    log(e, now());
  }
  co_await errand::sleep(5s);
  log("end");
  expect("1 1 ; end");
}

APP_TEST("E09' a second failure, in the clean-up, is reported") {
  const auto second = []() -> Coro<> {
    try {
      co_await errand::sleep(2s);
    } catch (const Cancelled&) {
      throw runtime_error("2");
    }
  };
  try {
    co_await gather(bad(1s, "1"), second());
  } catch (const runtime_error& e) {
    log(e, now());
  }
  co_await errand::sleep(5s);
  log("end");
  expect("1 1 ; end", {"2"});
}

APP_TEST("E23 clean-up in a task of its own is finished under a second request") {
  const auto clean = [&]() -> Coro<> {
    co_await errand::sleep(2s);
    log("cleaned", now());
  };
  auto t = add([&]() -> Coro<> {
    std::optional<Cancelled> cancelled;
    try {
      co_await errand::sleep(10s);
    } catch (const Cancelled& e) {
      cancelled = e;
    }
    if (!cancelled) co_return;
    auto k = errand::create_task(clean());
    while (!k.done()) {
      try {
        co_await k;
      } catch (const Cancelled&) {
        log("cancelled during the cleanup");
      }
    }
    throw *cancelled;
  });
  co_await errand::sleep(1s);
  t.cancel();
  co_await errand::sleep(1s);
  t.cancel();
  co_await wait_all(t);
  log(t.status(), now());
  expect("cancelled during the cleanup ; cleaned 3 ; cancelled 3");
}

APP_TEST("E03 gather_settled gives failures and cancellations as outcomes") {
  auto t = add(after(5s));
  later(1s, [&] { t.cancel(); });
  const auto [failed, cancelled, succeeded] = co_await errand::gather_settled(bad(0s, "v"), t, after(0s, 7));
  try {
    (void)failed.value();
  } catch (const runtime_error& e) {
    log(e);
  }
  if (cancelled.cancelled()) log("cancelled");
  log(succeeded.value());
  expect("v ; cancelled ; 7");
}

APP_TEST("E07 gather of nothing returns at once") {
  const auto results = co_await gather(std::vector<Coro<int>>{});
  log(results.size(), now());
  expect("0 0");
}

APP_TEST("E10 wait_all waits for failed and successful tasks alike, and throws nothing") {
  auto a = add(bad(0s, "v"));
  auto b = add(after(1s));
  const auto [done, pending] = co_await wait_all(a, b);
  log(done.size(), pending.size(), now());
  try {
    a.result();
  } catch (const runtime_error& e) {
    log(e);
  }
  expect("2 0 1 ; v");
}

APP_TEST("E11 wait_any returns when the first task is done, and lets the others run on") {
  auto a = add(after(10s));
  auto b = add(after(1s));
  const auto [done, pending] = co_await wait_any(a, b);
  log(done == std::vector{b}, pending == std::vector{a}, now(), a.status());
  expect("true true 1 pending");
  a.cancel();
  co_await wait_all(a);
}

APP_TEST("E14 cancelling who waits for a task leaves the task alone") {
  auto a = add(nap("a", 3s));
  auto t = add([&]() -> Coro<> { co_await wait_all(a); });
  co_await errand::sleep(1s);
  t.cancel();
  co_await wait_all(t);
  log(t.status(), a.status());
  co_await a;
  expect("a start ; cancelled pending ; a end");
}

APP_TEST("E17 wait_any of nothing is InvalidState") {
  try {
    co_await wait_any(std::vector<Task<>>{});
  } catch (const InvalidState& e) {
    log(e);
  }
  expect("InvalidState");
}
