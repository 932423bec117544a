// SPDX-License-Identifier: MIT
#include "support.hpp"

using errand::InvalidEvent;
using errand::PayloadTypeMismatch;
using errand::Signal;

namespace {

void expect_invalid(App& app, const std::string& event, bool handler, bool waiter) {
  CAPTURE(event);
  CHECK_THROWS_AS(app.dispatch(event), InvalidEvent);
  if (!handler) CHECK_THROWS_AS(app.add_signal(event, [] {}), InvalidEvent);
  if (!waiter) CHECK_THROWS_AS(app.event(event), InvalidEvent);
}

}  // namespace

PLAIN_TEST("an event's name has three parts") {
  for (const char* event : {"", "a", "a.b", "a.b.c.d", ".b.c", "a..c", "a.b.", "..", "a.b.c."}) {
    expect_invalid(app, event, false, false);
  }
  try {
    app.dispatch("one.two");
  } catch (const InvalidEvent& error) {
    CHECK(error.event() == "one.two");
    CHECK(std::string(error.what()).find("'one.two'") != std::string::npos);
  }
}

PLAIN_TEST("<name> is for the last part in add_signal, * for the last part in event") {
  expect_invalid(app, "a.b.<name>", true, false);
  expect_invalid(app, "a.b.*", false, true);
  for (const char* event : {"<a>.b.c", "a.<b>.c", "*.b.c", "a.*.c", "a.b.<>"}) expect_invalid(app, event, false, false);
  app.add_signal("a.b.<name>", [] {});
  (void)app.event("a.b.*");
}

PLAIN_TEST("of the namespace server only the library's own events may be named") {
  for (const char* event : {"server.a.b", "server.init.now", "server.shutdown.during", "server.exception.other"}) {
    expect_invalid(app, event, false, false);
  }
  for (const char* event : {"server.init.before", "server.init.after", "server.shutdown.before",
                            "server.shutdown.after", "server.exception.report"}) {
    app.add_signal(event, [] {});
    (void)app.event(event);
  }
}

APP_TEST("a handler of <name> finds the action in parameter, and stands among the others as it was added") {
  const auto handler = [this](std::string name) {
    return [this, name](const Signal& signal) { log(name, signal.event, signal.parameter, signal.get<int>()); };
  };
  app.add_signal("user.account.created", handler("exact"));
  app.add_signal("user.account.<action>", handler("pattern"));
  app.add_signal("user.account.created", handler("last"));
  app.add_signal("user.other.<action>", handler("other"));
  co_await app.dispatch("user.account.created", 1);
  co_await app.dispatch("user.account.removed", 2);
  expect(
      "exact user.account.created 1 ; pattern user.account.created created 1 ; last user.account.created 1 ; "
      "pattern user.account.removed removed 2");
}

APP_TEST("waiters for *, for the event, and with a time-out stand in one order") {
  const auto waiter = [this](std::string event, std::chrono::nanoseconds timeout) -> Coro<> {
    const auto signal = co_await app.event(event, timeout);
    log(event, signal.event, signal.get<int>());
  };
  add(waiter("a.b.*", 1h));
  add(waiter("a.b.c", std::chrono::nanoseconds::max()));
  add(waiter("a.b.*", std::chrono::nanoseconds::max()));
  add(waiter("a.b.c", 1h));
  auto other = add(waiter("a.b.d", 1h));
  co_await errand::yield();
  co_await app.dispatch("a.b.c", 1);
  expect("a.b.* a.b.c 1 ; a.b.c a.b.c 1 ; a.b.* a.b.c 1 ; a.b.c a.b.c 1");
  other.cancel();
  co_await errand::wait_all(other);
}

APP_TEST("the payload of another type is PayloadTypeMismatch, which names both types") {
  std::string what, empty;
  app.add_signal("a.b.c", [&](const Signal& signal) {
    try {
      signal.get<double>();
    } catch (const PayloadTypeMismatch& error) {
      (signal.payload.has_value() ? what : empty) = error.what();
    }
  });
  co_await app.dispatch("a.b.c", 1);
  co_await app.dispatch("a.b.c");
  for (const char* part : {"a.b.c", "int", "double"}) CHECK(what.find(part) != std::string::npos);
  for (const char* part : {"a.b.c", "double"}) CHECK(empty.find(part) != std::string::npos);
}

APP_TEST("handlers are awaited one after the other, behind the waiters") {
  for (const char* name : {"h1", "h2"}) {
    app.add_signal("a.b.c", [this, name](const Signal& signal) -> Coro<> {
      log(name, "start");
      co_await errand::sleep(1s);
      log(name, "end", signal.get<int>());
    });
  }
  add([this]() -> Coro<> {
    co_await app.event("a.b.c");
    log("waiter");
  });
  co_await errand::yield();
  co_await app.dispatch("a.b.c", 1);
  log(now());
  expect("waiter ; h1 start ; h1 end 1 ; h2 start ; h2 end 1 ; 2");
}

APP_TEST("a handler that throws fails the dispatch, and the later ones don't run") {
  app.add_signal("a.b.c", [this] { log("first"); });
  app.add_signal("a.b.c", []() -> Coro<> {
    co_await errand::yield();
    throw runtime_error("broken");
  });
  app.add_signal("a.b.c", [this] { log("third"); });
  auto looked_at = app.dispatch("a.b.c");
  try {
    co_await looked_at;
  } catch (const runtime_error& error) {
    log(error, looked_at.status());
  }
  expect("first ; broken failed");
  app.dispatch("a.b.c");
  co_await errand::sleep(1s);
  expect("first ; broken failed ; first", {"broken"});
}

APP_TEST("a waiter that two dispatches reach in one turn gets the first") {
  add([this]() -> Coro<> {
    const auto first = co_await app.event("a.b.c");
    log(first.get<int>());
    const auto second = co_await app.event("a.b.c");
    log(second.get<int>());
  });
  co_await errand::yield();
  app.dispatch("a.b.c", 1);
  app.dispatch("a.b.c", 2);
  co_await errand::sleep(1s);
  app.dispatch("a.b.c", 3);
  co_await errand::sleep(1s);
  expect("1 ; 3");
}

APP_TEST("a waiter that is cancelled in the turn of the dispatch keeps the signal") {
  auto waiter = add([this]() -> Coro<> {
    const auto signal = co_await app.event("a.b.c");
    log(signal.get<int>());
  });
  co_await errand::yield();
  app.dispatch("a.b.c", 1);
  log(waiter.cancel());
  co_await errand::wait_all(waiter);
  log(waiter.status());
  expect("true ; 1 ; succeeded");
}

APP_TEST("an event may be waited for and dispatched by a handler, and handlers may be added meanwhile") {
  app.add_signal("a.b.c", [this] {
    log("c");
    app.add_signal("a.b.c", [this] { log("late"); });
    app.dispatch("a.b.d");
  });
  app.add_signal("a.b.d", [this] { log("d"); });
  co_await app.dispatch("a.b.c");
  co_await errand::yield();
  expect("c ; d");
}

APP_TEST("event with no time left is TimeoutError, and a signal outlives its dispatch") {
  std::optional<Signal> kept;
  try {
    co_await app.event("a.b.c", 0s);
  } catch (const TimeoutError& error) {
    log(error, now());
  }
  add([&]() -> Coro<> { kept = co_await app.event("a.b.*"); });
  co_await errand::yield();
  co_await app.dispatch("a.b.c", std::string("text"));
  log(kept->event, kept->get<std::string>());
  expect("TimeoutError 0 ; a.b.c text");
}

PLAIN_TEST("the server's signals come at the four points, behind the listeners, and are awaited") {
  for (const char* event :
       {"server.init.before", "server.init.after", "server.shutdown.before", "server.shutdown.after"}) {
    app.add_signal(event, [this](const Signal& signal) -> Coro<> {
      log(signal.event);
      co_await errand::sleep(1s);
      log("end");
    });
  }
  app.before_server_start([this] { log("bstart"); });
  app.after_server_start([this] { log("astart"); });
  app.before_server_stop([this] { log("bstop"); });
  app.after_server_stop([this] { log("astop"); });
  app.run([this]() -> Coro<> {
    log("main");
    co_return;
  }());
  expect(
      "bstart ; server.init.before ; end ; astart ; server.init.after ; end ; main ; "
      "bstop ; server.shutdown.before ; end ; astop ; server.shutdown.after ; end");
}

PLAIN_TEST("a task that was added before run can wait for the server's signals, a handler gets their last part") {
  add([this]() -> Coro<> {
    const auto signal = co_await app.event("server.init.*");
    log("waiter", signal.event);
  });
  app.add_signal("server.init.<point>", [this](const Signal& signal) { log(signal.parameter); });
  app.before_server_start([]() -> Coro<> { co_await errand::yield(); });
  app.run();
  expect("waiter server.init.before ; before ; after");
}

PLAIN_TEST("a handler of server.init.before that throws fails the start, one of server.shutdown.before the stop") {
  bool failing_start = true;
  app.add_signal("server.init.before", [&] {
    if (failing_start) throw runtime_error("start");
  });
  app.add_signal("server.shutdown.before", [&] {
    if (!failing_start) throw runtime_error("stop");
  });
  app.after_server_start([this] { log("astart"); });
  app.after_server_stop([this] { log("astop"); });
  CHECK_THROWS_WITH(app.run(), "start");
  failing_start = false;
  CHECK_THROWS_WITH(app.run(), "stop");
  expect("astop ; astart ; astop");
}

PLAIN_TEST("an event of another App cannot be awaited, nor one of an App that is gone") {
  auto other = std::make_unique<App>("other", errand::AppConfig{.clock = &clock});
  const auto events = {app.event("a.b.c"), other->event("a.b.c"), other->event("a.b.d", 1ms)};
  App third("third", {.clock = &clock});
  const auto await_each = [&]() -> Coro<> {
    for (const auto& event : events) {
      try {
        co_await event;
      } catch (const InvalidState& error) {
        log(error.what());
      }
    }
  };
  third.run(await_each());
  other = nullptr;
  third.run(await_each());
  const char* const said =
      "'a.b.c' is an event of another App ; 'a.b.c' is an event of another App ; 'a.b.d' is an event of another App";
  expect(std::string(said) + " ; " + said);
}
