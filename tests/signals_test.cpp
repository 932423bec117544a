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
  if (waiter) return;
  CHECK_THROWS_AS(app.event(event), InvalidEvent);
  CHECK_THROWS_AS(app.subscribe(event), InvalidEvent);
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
  (void)app.subscribe("a.b.*");
}

PLAIN_TEST("of the namespace server only the library's own events may be named") {
  for (const char* event : {"server.a.b", "server.init.now", "server.shutdown.during", "server.exception.other"}) {
    expect_invalid(app, event, false, false);
  }
  for (const char* event : {"server.init.before", "server.init.after", "server.shutdown.before",
                            "server.shutdown.after", "server.exception.report"}) {
    app.add_signal(event, [] {});
    (void)app.event(event);
    (void)app.subscribe(event);
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

APP_TEST("a subscription gives every signal from its subscribe on, in order, also while the subscriber is busy") {
  app.dispatch("shop.order.placed", 0);
  auto orders = app.subscribe("shop.order.placed"), all = app.subscribe("shop.order.*");
  app.dispatch("shop.order.placed", 1);
  app.dispatch("shop.order.paid", 2);
  app.dispatch("shop.other.placed", 3);
  app.dispatch("shop.order.placed", 4);
  for (const int expected : {1, 4}) {
    const auto signal = co_await orders.next();
    CHECK(signal->event == "shop.order.placed");
    CHECK(signal->parameter.empty());
    CHECK(signal->get<int>() == expected);
    co_await errand::sleep(1s);
  }
  CHECK_FALSE(orders.try_next());
  for (const char* action : {"placed", "paid", "placed"}) {
    const auto signal = co_await all.next();
    CHECK(signal->parameter == action);
  }
  CHECK_FALSE(all.try_next());
  CHECK(all.lost() == 0);

  auto last = app.subscribe("shop.order.placed", 1);
  app.dispatch("shop.order.placed", 5);
  app.dispatch("shop.order.placed", 6);
  CHECK(last.lost() == 1);
  CHECK(last.try_next()->get<int>() == 6);
}

APP_TEST("waiters and subscriptions stand in one order, and wake before the first handler runs") {
  auto exact = app.subscribe("a.b.c"), any = app.subscribe("a.b.*");
  const auto take = [this](errand::Subscription<Signal>& from, std::string name) -> Coro<> {
    co_await from.next();
    log(name);
  };
  const auto wait = [this](std::string event, std::string name) -> Coro<> {
    co_await app.event(event);
    log(name);
  };
  app.add_signal("a.b.c", [this] { log("handler"); });
  add(wait("a.b.*", "waits for any"));
  add(take(exact, "subscribed"));
  add(wait("a.b.c", "waits"));
  add(take(any, "subscribed to any"));
  add(wait("a.b.*", "waits for any, too"));
  co_await errand::yield();
  co_await app.dispatch("a.b.c");
  expect("waits for any ; subscribed ; waits ; subscribed to any ; waits for any, too ; handler");
}

APP_TEST("a next that is cancelled or timed out loses no signal") {
  auto mine = app.subscribe("a.b.c");
  const auto take = [this](errand::Subscription<Signal>& from) -> Coro<> {
    const auto signal = co_await from.next();
    log(signal->get<int>());
  };
  auto task = add(take(mine));
  co_await errand::yield();
  app.dispatch("a.b.c", 1);
  task.abort();
  bool timed_out = false;
  auto late = app.subscribe("a.b.c");
  try {
    co_await errand::wait_for(late.next(), 1s);
  } catch (const TimeoutError&) {
    timed_out = true;
  }
  CHECK(timed_out);
  app.dispatch("a.b.c", 2);
  co_await take(mine);
  co_await take(mine);
  co_await take(late);
  expect("1 ; 2 ; 2");
}

APP_TEST("a subscription counts as a listener to the reports of failures") {
  auto failures = app.subscribe("server.exception.report");
  add([]() -> Coro<> {
    co_await errand::yield();
    throw runtime_error("broken");
  });
  const auto report = co_await failures.next();
  CHECK(report->get<errand::TaskFailure>().what() == "broken");
}

namespace {

/// A payload whose copies call a function, which may throw.
struct Copied {
  Copied() = default;
  Copied(const Copied&) {
    if (!at_copy) return;
    const auto call = at_copy;
    call();
  }
  inline static std::function<void()> at_copy;
};

}  // namespace

APP_TEST("if a copy of the payload throws, nobody gets the signal") {
  auto one = app.subscribe("a.b.c"), two = app.subscribe("a.b.c"), any = app.subscribe("a.b.*");
  auto waiting = add([](App& its_app) -> Coro<> { co_await its_app.event("a.b.c"); }(app));
  app.add_signal("a.b.c", [this] { log("handled"); });
  co_await errand::yield();
  const std::any payload = Copied();
  for (int i = 1; i <= 4; ++i) {
    int left = i;
    std::any copy = payload;
    Copied::at_copy = [&left] {
      if (--left == 0) throw runtime_error("copy");
    };
    CHECK_THROWS_AS(app.dispatch("a.b.c", std::move(copy)), runtime_error);
  }
  Copied::at_copy = nullptr;
  co_await errand::yield();
  CHECK_FALSE(one.try_next());
  CHECK_FALSE(two.try_next());
  CHECK_FALSE(any.try_next());
  CHECK_FALSE(waiting.done());
  waiting.cancel();
  expect("");
}

APP_TEST("a copy of the payload may subscribe, unsubscribe and dispatch, and make events that are swept away") {
  for (int what = 0; what < 3; ++what) {
    auto one = std::make_unique<errand::Subscription<Signal>>(app.subscribe("a.b.c"));
    auto any = std::make_unique<errand::Subscription<Signal>>(app.subscribe("a.b.*"));
    std::vector<errand::Subscription<Signal>> more;
    std::any payload = Copied();
    Copied::at_copy = [&] {
      Copied::at_copy = nullptr;
      if (what == 0) more.push_back(app.subscribe("a.b.c"));
      if (what == 1) {
        one.reset();
        any.reset();
        for (int i = 0; i < 300; ++i) (void)app.subscribe("a.b.e" + std::to_string(i));
      }
      if (what == 2) app.dispatch("a.b.c", 1);
    };
    co_await app.dispatch("a.b.c", std::move(payload));
    if (what == 2) {
      CHECK(one->try_next()->get<int>() == 1);
      CHECK(any->try_next()->get<int>() == 1);
    }
    if (what != 1) {
      CHECK(one->try_next());
      CHECK(any->try_next());
    }
  }
}

APP_TEST("a subscription can be moved and destroyed while a task waits") {
  auto one = std::make_unique<errand::Subscription<Signal>>(app.subscribe("a.b.c"));
  const auto take = [this](errand::Subscription<Signal>& from) -> Coro<> {
    try {
      co_await from.next();
      log("signal");
    } catch (const InvalidState&) {
      log("destroyed");
    }
  };
  auto task = add(take(*one));
  co_await errand::yield();
  auto moved = std::make_unique<errand::Subscription<Signal>>(std::move(*one));
  one.reset();
  app.dispatch("a.b.c");
  co_await task;
  task = add(take(*moved));
  co_await errand::yield();
  moved.reset();
  co_await app.dispatch("a.b.c");
  co_await task;
  expect("signal ; destroyed");
}

PLAIN_TEST("a subscription ends with its App, and still gives what is left") {
  auto other = std::make_unique<App>();
  auto mine = other->subscribe("a.b.c");
  other->dispatch("a.b.c", 1);
  const auto task = [&]() -> Coro<> {
    co_await mine.next();
    co_await mine.next();
  };
  other->add_task(task);
  for (int i = 0; i < 5; ++i) other->poll();
  other->dispatch("a.b.c", 2);
  other.reset();
  app.run([](errand::Subscription<Signal>& from) -> Coro<> {
    const auto two = co_await from.next();
    CHECK(two->get<int>() == 2);
    const auto none = co_await from.next();
    CHECK_FALSE(none);
  }(mine));
  CHECK_FALSE(mine.try_next());
}

PLAIN_TEST("a subscription of another App cannot be awaited") {
  App other;
  auto theirs = other.subscribe("a.b.c");
  app.run([](errand::Subscription<Signal>& from) -> Coro<> {
    bool thrown = false;
    try {
      co_await from.next();
    } catch (const InvalidState&) {
      thrown = true;
    }
    CHECK(thrown);
  }(theirs));
}

PLAIN_TEST("a task that waits for a subscription alone is a Deadlock, and a subscription alone keeps no run going") {
  auto mine = app.subscribe("a.b.c");
  app.run();
  app.add_task([&]() -> Coro<> { co_await mine.next(); });
  try {
    app.run();
    FAIL("no Deadlock");
  } catch (const errand::Deadlock& deadlock) {
    CHECK(std::string(deadlock.what()).find("subscription") != std::string::npos);
  }
}
