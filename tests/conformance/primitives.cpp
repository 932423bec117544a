// SPDX-License-Identifier: MIT
// Conformance cases about the primitives. Test names begin with the ids of the cases.
#include <algorithm>

#include "support.hpp"

using errand::Condition;
using errand::Lock;
using errand::Queue;
using errand::Semaphore;
using errand::wait_all;
using errand::wait_for;

APP_TEST("G01 a Lock is given first come, first served") {
  Lock lk;
  std::optional<Lock::Guard> held(co_await lk.acquire());
  const auto c = [&](int i) -> Coro<> {
    const auto guard = co_await lk.acquire();
    log(i);
  };
  std::vector<Task<>> ts;
  for (int i = 0; i < 3; ++i) ts.push_back(add(c(i)));
  co_await errand::yield();
  held.reset();
  co_await wait_all(ts);
  log(lk.locked());
  expect("0 ; 1 ; 2 ; false");
}

APP_TEST("G03 a task that is cancelled after the lock was handed to it has the lock") {
  Lock lk;
  std::optional<Lock::Guard> held(co_await lk.acquire());
  const auto c = [&](std::string n) -> Coro<> {
    const auto guard = co_await lk.acquire();
    log(n);
  };
  auto b = add(c("B"));
  auto c_ = add(c("C"));
  co_await errand::yield();
  held.reset();
  b.cancel();
  co_await wait_all(b, c_);
  log(b.status(), c_.status(), lk.locked());
  expect("B ; C ; succeeded succeeded false");
}

APP_TEST("G04 of three waiters exactly one has the lock, also when it is cancelled before it resumes") {
  Lock lk;
  std::vector<Lock::Guard> kept;
  std::optional<Lock::Guard> held(co_await lk.acquire());
  const auto c = [&](int i) -> Coro<> {
    kept.push_back(co_await lk.acquire());
    log("got", i);
  };
  auto t1 = add(c(1));
  auto t2 = add(c(2));
  auto t3 = add(c(3));
  co_await errand::yield();
  held.reset();
  t1.cancel();
  for (int i = 0; i < 3; ++i) co_await errand::yield();
  log(t1.status(), t2.status(), t3.status());
  expect("got 1 ; succeeded pending pending");
  t2.cancel();
  t3.cancel();
  co_await wait_all(t2, t3);
}

APP_TEST("G07 an Event wakes all in the order in which they began to wait, and is not waited for once it is set") {
  errand::Event e;
  const auto c = [&](int i) -> Coro<> {
    co_await e.wait();
    log(i);
  };
  auto t1 = add(c(1));
  auto t2 = add(c(2));
  co_await errand::yield();
  auto t3 = add(c(3));
  e.set();
  e.set();
  co_await wait_all(t1, t2, t3);
  e.clear();
  log(e.is_set());
  expect("3 ; 1 ; 2 ; false");
}

APP_TEST("G12 a task that is cancelled after a permit was handed to it has the permit") {
  Semaphore s(0);
  std::vector<Semaphore::Permit> kept;
  const auto c = [&]() -> Coro<> { kept.push_back(co_await s.acquire()); };
  auto a = add(c());
  auto b = add(c());
  co_await errand::yield();
  s.release();
  a.cancel();
  co_await errand::yield();
  co_await errand::yield();
  log(a.status(), b.status(), s.try_acquire().has_value());
  expect("succeeded pending false");
  b.cancel();
  co_await wait_all(b);
}

APP_TEST("G14 a getter that is cancelled after an item was handed to it has the item") {
  Queue<int> q;
  auto r = add([&]() -> Coro<int> { co_return co_await q.get(); });
  co_await errand::yield();
  q.try_put(1);
  q.try_put(2);
  r.cancel();
  std::optional<TaskCancelled> cancelled;
  try {
    log("got", co_await r);
  } catch (const TaskCancelled& e) {
    cancelled = e;
  }
  if (cancelled) log(*cancelled, co_await q.get());
  log("size", q.size());
  expect("got 1 ; size 1");
}

APP_TEST("G16 nobody takes an item from under a getter that it was handed to") {
  Queue<std::string> q;
  auto g1 = add([&]() -> Coro<std::string> { co_return co_await q.get(); });
  co_await errand::yield();
  q.try_put("x");
  log("late try_get:", q.try_get());
  co_await errand::yield();
  log(g1.status());
  q.try_put("y");
  log(co_await g1);
  log(q.size());
  expect("late try_get: none ; succeeded ; x ; 1");
}

APP_TEST("G19 notify_one wakes one waiter, in the order of waiting") {
  Condition c;
  const auto w = [&](int i) -> Coro<> {
    co_await c.wait();
    log(i);
  };
  std::vector<Task<>> ts;
  for (int i = 0; i < 4; ++i) ts.push_back(add(w(i)));
  co_await errand::yield();
  c.notify_one();
  c.notify_one();
  log("notified");
  co_await errand::sleep(1s);
  log(ts[0].status(), ts[1].status(), ts[2].status(), ts[3].status());
  c.notify_all();
  co_await wait_all(ts);
  expect("notified ; 0 ; 1 ; succeeded succeeded pending pending ; 2 ; 3");
}

APP_TEST("G24 an item that arrives at the instant of the time-out, by a timer set before it, is got") {
  Queue<std::string> q;
  at(1s, [&] { q.try_put("x"); });
  const auto get = [&]() -> Coro<std::string> { co_return co_await q.get(); };
  try {
    log("got", co_await wait_for(get(), 1s));
  } catch (const TimeoutError& e) {
    log(e, q.size());
  }
  log(q.size());
  expect("got x ; 0");
}

APP_TEST("G05 releasing a Guard again does nothing") {
  Lock lk;
  auto held = co_await lk.acquire();
  held.release();
  held.release();
  log(lk.locked());
  expect("false");
}

APP_TEST("G18 try_put and try_get say if a Queue is full or empty") {
  Queue<int> q(1);
  log(q.try_get());
  log(q.try_put(1));
  log(q.try_put(2));
  log(q.try_get());
  expect("none ; true ; false ; 1");
  co_return;
}

APP_TEST("G23 a Barrier gives each waiter an index, again and again") {
  errand::Barrier b(3);
  const auto c = [&]() -> Coro<std::size_t> { co_return co_await b.wait(); };
  for (int round = 0; round < 2; ++round) {
    auto [first, second, third] = co_await errand::gather(c(), c(), c());
    std::vector indices{first, second, third};
    std::sort(indices.begin(), indices.end());
    log(indices[0], indices[1], indices[2]);
  }
  expect("0 1 2 ; 0 1 2");
}

APP_TEST("K19 a Condition keeps no notification for who comes later") {
  Condition c;
  c.notify_one();
  const auto wait = [&]() -> Coro<> { co_await c.wait(); };
  try {
    co_await wait_for(wait(), 1s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  expect("TimeoutError 1");
}
