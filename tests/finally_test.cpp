// SPDX-License-Identifier: MIT
#include <functional>
#include <memory>

#include "combinators.hpp"

using errand::finally;
using errand::wait_for;

namespace {

/// Logs that it begins and, after a sleep, that it has ended.
Coro<> cleaning(support::Fixture& test, std::chrono::nanoseconds length, std::string name = "cleanup") {
  test.log(name, test.now());
  co_await errand::sleep(length);
  test.log(name, "over");
}
Coro<> own_cancellation() {
  co_await errand::yield();
  throw Cancelled("own");
}
Coro<> failure(std::string what) {
  co_await errand::yield();
  throw runtime_error(what);
}

}  // namespace

APP_TEST(
    "body and clean-up may be Coros, callables that give one, or plain functions, and it gives what the body gives") {
  int target = 1;
  const auto reference = [&]() -> int& { return target; };
  const auto moved = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
  const auto clean = [this] { return cleaning(*this, 0s); };
  const int one = co_await finally([] { return 1; }, [this] { log("plain"); });
  int& given = co_await finally(reference, clean);
  const auto three = co_await finally(moved, clean());
  log(one, &given == &target, *three);
  expect("plain ; cleanup 0 ; cleanup over ; cleanup 0 ; cleanup over ; 1 true 3");
}

APP_TEST("a request is held back during the clean-up, and thrown at the next await that suspends after it") {
  const auto done = add([] {});
  const auto clean = [&]() -> Coro<> {
    co_await errand::sleep(2s);
    co_await end_of(wait_for(after(10s), 1s), log);
    co_await errand::gather(after(1s), after(1s));
    co_await errand::TaskGroup::run([](errand::TaskGroup& group) -> Coro<> {
      group.add(after(1s));
      co_await errand::yield();
    });
    log("cleaned", now(), current_task().cancelling());
  };
  auto t = add([&]() -> Coro<> {
    const int n = co_await finally(after(0s, 5), clean);
    co_await done;
    log("value", n);
    co_await end_of(errand::sleep(1s), log);
    co_await end_of(errand::sleep(1s), log);
  });
  later(1s, [&] { t.cancel("why"); });
  later(4500ms, [&] { t.cancel("again"); });
  co_await end_of(t, log);
  expect("TimeoutError ; cleaned 5 2 ; value 5 ; Cancelled why ; done ; done");
}

APP_TEST("a clean-up that takes the request back withdraws it, and one that asks its own task is not interrupted") {
  const auto withdraws = [this]() -> Coro<> {
    co_await errand::sleep(2s);
    log(current_task().uncancel());
  };
  const auto asks = [this]() -> Coro<> {
    current_task().cancel("own");
    co_await errand::sleep(1s);
    log("cleaned");
  };
  auto t = add([&]() -> Coro<> {
    co_await finally([] {}, withdraws);
    co_await errand::sleep(1s);
    co_await finally([] {}, asks);
    co_await errand::sleep(1s);
  });
  later(1s, [&] { t.cancel("why"); });
  co_await end_of(t, log);
  log(now());
  expect("0 ; cleaned ; TaskCancelled own ; 4");
}

APP_TEST("a body that was cancelled keeps its reason, and a second request during the clean-up is thrown later") {
  auto t = add([this]() -> Coro<> {
    co_await end_of(finally(after(1h), cleaning(*this, 2s)), log);
    co_await end_of(errand::sleep(1s), log);
    co_await errand::sleep(1s);
  });
  later(1s, [&] { t.cancel("one"); });
  later(2s, [&] { t.cancel("two"); });
  co_await end_of(t, log);
  expect("cleanup 1 ; cleanup over ; Cancelled one ; Cancelled two ; done");
}

APP_TEST("an error of the clean-up comes out instead of the body's, which is reported unless it is a cancellation") {
  const auto fine = []() -> Coro<> { co_return; };
  co_await end_of(finally(fine(), failure("cleanup")), log);
  co_await end_of(finally(own_cancellation(), failure("cleanup")), log);
  co_await end_of(finally(failure("body"), fine()), log);
  co_await end_of(finally(own_cancellation(), fine()), log);
  co_await end_of(finally(fine(), own_cancellation()), log);
  CHECK(reports.empty());
  co_await end_of(finally(failure("body"), failure("cleanup")), log);
  co_await errand::yield();
  expect("cleanup ; cleanup ; body ; Cancelled own ; Cancelled own ; cleanup", {"body"});
}

APP_TEST("a clean-up that is cancelled by itself does not lose the error of the body") {
  co_await end_of(finally(failure("body"), own_cancellation()), log);
  co_await errand::yield();
  CHECK((log.text() == "body" || reports == std::vector<std::string>{"body"}));
}

APP_TEST("one that is cancelled before it starts runs neither, and one that starts while asked runs the clean-up") {
  auto t = add(finally(nap("never", 1s), cleaning(*this, 1s)));
  t.cancel("why");
  co_await end_of(t, log);
  t = add([this]() -> Coro<int> {
    current_task().cancel("own");
    co_return co_await finally(nap("body", 1s), cleaning(*this, 1s));
  });
  co_await end_of(t, log);
  expect("TaskCancelled why ; body start ; body cancelled ; cleanup 0 ; cleanup over ; TaskCancelled own");
}

APP_TEST("the clean-up does not run on abort, and does not go on if it has begun") {
  for (const auto abort_at : {1s, 3s}) {
    auto held = std::make_shared<int>();
    const std::weak_ptr<int> watched = held;
    const auto clean = [this](std::shared_ptr<int>) -> Coro<> { co_await cleaning(*this, 2s, "clean-up"); };
    auto t = add(finally(after(2s), clean(std::move(held))));
    co_await errand::sleep(abort_at);
    t.abort();
    CHECK(watched.expired());
    co_await errand::sleep(5s);
  }
  expect("clean-up 8");
}

PLAIN_TEST("the end of the App destroys body and clean-up where they stand, after any number of turns") {
  const auto held = std::make_shared<int>();
  const auto hold = [](std::shared_ptr<int>) -> Coro<> { co_await errand::sleep(1us); };
  for (int turns = 0; turns < 8; ++turns) {
    {
      errand::ManualClock own_clock;
      App own("own", {.clock = &own_clock});
      own.add_task(finally(hold(held), hold(held)));
      for (int i = 0; i < turns; ++i) own.poll();
    }
    CHECK(held.use_count() == 1);
  }
}

APP_TEST("an inner clean-up ends before the outer one begins, and a request in the first waits for the end of both") {
  const auto inner = [&] { return finally(after(1s, 1), cleaning(*this, 2s, "inner")); };
  auto t = add([&]() -> Coro<> {
    const int n = co_await finally(inner, cleaning(*this, 2s, "outer"));
    log(n);
    const auto in_cleanup = [&]() -> Coro<> {
      co_await finally([] {}, cleaning(*this, 1s, "innermost"));
      co_await errand::sleep(1s);
      log("still held");
    };
    co_await end_of(finally([] {}, in_cleanup), log);
    co_await errand::sleep(1h);
  });
  later(2s, [&] { t.cancel("why"); });
  co_await end_of(t, log);
  expect(
      "inner 1 ; inner over ; outer 3 ; outer over ; 1 ; innermost 5 ; innermost over ; still held ; done ; "
      "TaskCancelled why");
}

APP_TEST("a time-out that comes during the clean-up leaves the result, and one before is a TimeoutError after it") {
  const int n = co_await wait_for(finally(after(1s, 5), cleaning(*this, 4s)), 2s);
  log(n, now());
  co_await end_of(wait_for(finally(after(1h), cleaning(*this, 4s)), 2s), log);
  log(now());
  co_await end_of(wait_for(finally(after(1s), failure("cleanup")), 500ms), log);
  expect("cleanup 1 ; cleanup over ; 5 5 ; cleanup 7 ; cleanup over ; TimeoutError ; 11 ; cleanup");
}

APP_TEST("in a combinator a clean-up is awaited, and a request that all members hold back is thrown after it") {
  const auto clean = [this] { return cleaning(*this, 3s); };
  const auto work = [&](std::chrono::nanoseconds second) -> Coro<> {
    co_await errand::gather(finally(after(0s, 1), clean), finally(after(second, 2), clean));
    log("values");
    co_await errand::sleep(1h);
  };
  auto t = add(work(0s));
  later(1s, [&] { t.cancel("one"); });
  co_await end_of(t, log);
  t = add(work(1h));
  later(1s, [&] { t.cancel("two"); });
  co_await end_of(t, log);
  co_await errand::race(after(1s), finally(after(1h), clean));
  log(now());
  const std::string cleanups = "cleanup over ; cleanup over ; ";
  expect("cleanup 0 ; cleanup 0 ; " + cleanups + "values ; TaskCancelled one ; cleanup 3 ; cleanup 4 ; " + cleanups +
         "TaskCancelled two ; cleanup 8 ; cleanup over ; 11");
}
