// SPDX-License-Identifier: MIT
// Conformance cases about TaskGroup. Test names begin with the ids of the cases.
#include "support.hpp"

using errand::TaskGroup;

APP_TEST("F01 a group waits for all its members") {
  Task<int> a, b;
  co_await TaskGroup::run([&](TaskGroup& g) -> Coro<> {
    a = g.add(after(1s, 42));
    b = g.add(after(2s, 11));
    co_return;
  });
  log(a.result(), b.result(), now());
  expect("42 11 2");
}

APP_TEST("F02, R08 the first failure cancels the members and the body, awaits them, and comes out as it is") {
  try {
    co_await TaskGroup::run([&](TaskGroup& g) -> Coro<> {
      g.add(bad(1s, "bad"));
      g.add(nap("sib", 5s));
      co_await nap("body", 9s);
    });
  } catch (const runtime_error& e) {
    log(e, now(), current_task().cancelling());
  }
  const bool is_body_first = log.text().find("body cancelled") < log.text().find("sib cancelled");
  expect(is_body_first ? "body start ; sib start ; body cancelled ; sib cancelled ; bad 1 0"
                       : "body start ; sib start ; sib cancelled ; body cancelled ; bad 1 0");
}

APP_TEST("F03 a member that is cancelled alone is no failure") {
  Task<int> a, b;
  co_await TaskGroup::run([&](TaskGroup& g) -> Coro<> {
    a = g.add(after(5s));
    b = g.add(after(2s, 1));
    co_await errand::sleep(1s);
    a.cancel();
  });
  log(a.status(), b.result(), now());
  expect("cancelled 1 2");
}

APP_TEST("F04 cancelling the caller cancels the members, in the order added") {
  auto t = add([&]() -> Coro<> {
    co_await TaskGroup::run([&](TaskGroup& g) -> Coro<> {
      g.add(nap("a", 5s));
      g.add(nap("b", 5s));
      co_return;
    });
  });
  co_await errand::sleep(1s);
  t.cancel("m");
  try {
    co_await t;
  } catch (const TaskCancelled& e) {
    log(e, t.cancelling());
  }
  expect("a start ; b start ; a cancelled ; b cancelled ; TaskCancelled m 1");
}

APP_TEST("F06 a body that throws cancels the members") {
  Task<int> a;
  try {
    co_await TaskGroup::run([&](TaskGroup& g) -> Coro<> {
      a = g.add(nap("a", 5s));
      co_await errand::sleep(1s);
      throw runtime_error("b");
    });
  } catch (const runtime_error& e) {
    log(e, a.status());
  }
  expect("a start ; a cancelled ; b cancelled");
}

APP_TEST("F08 if the body's clean-up fails after a member, the member's error comes out and the body's is reported") {
  try {
    co_await TaskGroup::run([](TaskGroup& g) -> Coro<> {
      g.add(bad(1s, "member"));
      try {
        co_await errand::sleep(10s);
      } catch (const Cancelled&) {
        throw runtime_error("body");
      }
    });
  } catch (const runtime_error& e) {
    log(e);
  }
  expect("member", {"body"});
}

namespace {

/// Sleeps, and tries to add a member to its group when it is cancelled.
Coro<> late(support::Fixture& test, TaskGroup& g) {
  try {
    co_await errand::sleep(5s);
  } catch (const Cancelled&) {
    try {
      g.add(test.after(0s));
    } catch (const InvalidState& e) {
      test.log(e);
    }
    throw;
  }
}

}  // namespace

APP_TEST("F09 a group that ends because a member failed takes no more members") {
  try {
    co_await TaskGroup::run([&](TaskGroup& g) -> Coro<> {
      g.add(bad(1s, "bad"));
      g.add(late(*this, g));
      co_return;
    });
  } catch (const runtime_error& e) {
    log(e);
  }
  expect("InvalidState ; bad");
}

APP_TEST("F14, R10 a group that ends because its body failed takes no more members") {
  try {
    co_await TaskGroup::run([&](TaskGroup& g) -> Coro<> {
      g.add(late(*this, g));
      co_await errand::sleep(1s);
      throw runtime_error("bad");
    });
  } catch (const runtime_error& e) {
    log(e);
  }
  expect("InvalidState ; bad");
}

namespace {

/// Runs a group in the body of another group. Each of them has a member that fails.
Coro<> nested(std::chrono::seconds outer_delay, std::chrono::seconds inner_delay) {
  co_await TaskGroup::run([=](TaskGroup& g1) -> Coro<> {
    g1.add(support::Fixture::bad(outer_delay, "outer"));
    co_await TaskGroup::run([=](TaskGroup& g2) -> Coro<> {
      g2.add(support::Fixture::bad(inner_delay, "inner"));
      co_return;
    });
  });
}

}  // namespace

APP_TEST("F11 a failure in an outer group cancels the inner one, and comes out as it is") {
  try {
    co_await nested(1s, 10s);
  } catch (const runtime_error& e) {
    log(e, now());
  }
  expect("outer 1");
}

APP_TEST("F12 a failure in an inner group ends the outer one, and comes out as it is") {
  try {
    co_await nested(10s, 1s);
  } catch (const runtime_error& e) {
    log(e, now());
  }
  expect("inner 1");
}

APP_TEST("F15 cancelling the caller of an empty group cancels its body") {
  auto t = add([]() -> Coro<> { co_await TaskGroup::run([](TaskGroup&) -> Coro<> { co_await errand::sleep(10s); }); });
  co_await errand::sleep(1s);
  t.cancel();
  co_await errand::wait_all(t);
  log(t.status());
  expect("cancelled");
}
