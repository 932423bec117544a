// SPDX-License-Identifier: MIT
// Conformance cases about signals and the websocket pattern. Test names begin with the ids of the cases.
#include "support.hpp"

namespace {

constexpr const char* E = "my.custom.event";

Coro<> waiter(support::Fixture& test, std::string name) {
  const auto signal = co_await test.app.event(E);
  test.log(name, signal.get<int>());
}

Coro<> timed_waiter(support::Fixture& test, std::string name) {
  const auto signal = co_await test.app.event(E, 5s);
  test.log(name, signal.get<int>());
}

}  // namespace

APP_TEST("E01s an event is not remembered") {
  co_await app.dispatch(E, 1);
  try {
    co_await app.event(E, 50ms);
  } catch (const TimeoutError& error) {
    log(error, now());
  }
  expect("TimeoutError 0.05");
}

APP_TEST("E02s one dispatch wakes every waiter") {
  for (const char* name : {"0", "1", "2"}) add(waiter(*this, name));
  co_await errand::yield();
  co_await app.dispatch(E, 2);
  co_await errand::yield();
  expect("0 2 ; 1 2 ; 2 2");
}

APP_TEST("E03s a cancelled waiter disturbs no other") {
  add(waiter(*this, "0"));
  auto second = add(waiter(*this, "1"));
  add(waiter(*this, "2"));
  co_await errand::yield();
  second.cancel();
  co_await errand::wait_all(second);
  co_await app.dispatch(E, 2);
  co_await errand::yield();
  expect("0 2 ; 2 2");
}

APP_TEST("E06s a waiter in a loop gets every one of dispatches that are awaited") {
  int count = 0;
  auto endless = add([&]() -> Coro<> {
    for (;;) {
      co_await app.event(E);
      ++count;
    }
  });
  co_await errand::yield();
  for (int i = 0; i < 5; ++i) co_await app.dispatch(E, i);
  co_await errand::yield();
  log(count);
  expect("5");
  endless.cancel();
  co_await errand::wait_all(endless);
}

APP_TEST("E11s dispatch returns a task that runs the handlers") {
  app.add_signal(E, [this] { log("h"); });
  auto t = app.dispatch(E);
  log(t.status());
  co_await t;
  log(t.status());
  expect("pending ; h ; succeeded");
}

APP_TEST("E12s an event that nobody declared can be dispatched and waited for") {
  auto t = app.dispatch("no.such.event");
  co_await t;
  log(t.status());
  try {
    co_await app.event("no.such.event", 1s);
  } catch (const TimeoutError& error) {
    log(error);
  }
  expect("succeeded ; TimeoutError");
}

APP_TEST("E13s a waiter gets an event that has no handler") {
  add(waiter(*this, "0"));
  co_await errand::yield();
  co_await app.dispatch(E, 7);
  co_await errand::yield();
  expect("0 7");
}

APP_TEST("E17s a dispatch after the only waiter was cancelled is no error") {
  add(waiter(*this, "w"), "w");
  co_await errand::yield();
  const bool cancelled = co_await app.cancel_task("w");
  log(cancelled);
  co_await app.dispatch(E, 1);
  log("ok");
  expect("true ; ok");
}

APP_TEST("E18s waiters with a time-out stand in the one common order") {
  add(waiter(*this, "w1"));
  add(timed_waiter(*this, "w2"));
  add(waiter(*this, "w3"));
  co_await errand::yield();
  co_await app.dispatch(E, 1);
  co_await errand::yield();
  expect("w1 1 ; w2 1 ; w3 1");
}

namespace {

Coro<> receiver(support::Log& log) {
  log("receiver");
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
    log("receiver cancelled");
    throw;
  }
}

/// The handler of a websocket whose peer is gone, so that each send throws.
Coro<> feed(support::Fixture& test, Coro<> its_receiver) {
  test.add(std::move(its_receiver), "receiver:1");
  const auto send = [](const char*) { throw runtime_error("closed"); };
  auto body = [&]() -> Coro<> {
    for (;;) {
      co_await test.app.event(E);
      send("A message");
    }
  };
  auto cleanup = [&]() -> Coro<> {
    test.log("cleanup", current_task().cancelling());
    const bool cancelled = co_await test.app.cancel_task("receiver:1");
    test.log(cancelled);
    test.app.purge_tasks();
  };
  co_await errand::finally(body, cleanup);
}

}  // namespace

APP_TEST("W1 if the peer is gone, the handler cancels its receiver and fails") {
  auto f = add(feed(*this, receiver(log)));
  co_await errand::yield();
  co_await errand::yield();
  app.dispatch(E);
  try {
    co_await f;
  } catch (const runtime_error& error) {
    log(error, app.tasks().size());
  }
  expect("receiver ; cleanup 0 ; receiver cancelled ; true ; closed 0");
}

APP_TEST("W2 a handler that is cancelled cancels its receiver, and awaits its end") {
  auto f = add(feed(*this, receiver(log)));
  co_await errand::yield();
  co_await errand::yield();
  f.cancel();
  co_await errand::wait_all(f);
  log(f.status(), app.tasks().size());
  expect("receiver ; cleanup 1 ; receiver cancelled ; true ; cancelled 0");
}

APP_TEST("W3 a receiver that has ended is not cancelled any more") {
  const auto returns_at_once = [this]() -> Coro<> {
    log("receiver");
    co_return;
  };
  auto f = add(feed(*this, returns_at_once()));
  co_await errand::yield();
  co_await errand::yield();
  f.cancel();
  co_await errand::wait_all(f);
  log(f.status(), app.tasks().size());
  expect("receiver ; cleanup 1 ; false ; cancelled 0");
}
