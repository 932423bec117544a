// SPDX-License-Identifier: MIT
// Tests of Timeout and of move_on_after.
#include <algorithm>
#include <functional>
#include <memory>
#include <type_traits>

#include "combinators.hpp"

using errand::move_on_after;
using errand::Timeout;
using errand::wait_for;

namespace {

Coro<> nothing(std::chrono::nanoseconds delay) { co_await errand::sleep(delay); }
Coro<int> returns_when_asked(std::chrono::nanoseconds cleanup = {}) {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
  }
  if (cleanup > 0s) co_await errand::sleep(cleanup);
  co_return 5;
}
Coro<int> throws_when_asked() {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
    throw runtime_error("clean-up");
  }
  co_return 5;
}

}  // namespace

APP_TEST("move_on_after gives an optional, or a bool if the work gives nothing") {
  int target = 1;
  const auto reference = [&]() -> Coro<int&> {
    co_await errand::sleep(1s);
    co_return target;
  };
  const auto make = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
  const auto perhaps = []() -> Coro<std::optional<int>> { co_return std::nullopt; };
  errand::Queue<int> queue;
  const std::optional<int> in_time = co_await move_on_after(after(1s, 7), 2s);
  const std::optional<int> late = co_await move_on_after(after(2s, 7), 1s);
  const std::optional<std::reference_wrapper<int>> given = co_await move_on_after(reference, 2s);
  const std::optional<std::unique_ptr<int>> moved = co_await move_on_after(make, 2s);
  const std::optional<std::optional<int>> nested = co_await move_on_after(perhaps, 2s);
  const bool done = co_await move_on_after(nothing(1s), 2s);
  const bool over = co_await move_on_after(nothing(2s), 1s);
  log(*in_time, late.has_value(), &given->get() == &target, **moved, nested.has_value() && !nested->has_value());
  log(done, over, now());
  const auto task = add(after(2500ms, 8));
  const std::optional<int> of_task = co_await move_on_after(task, 1s);
  const std::optional<int> of_queue = co_await move_on_after(queue.get(), 1s);
  log(of_task.has_value(), of_queue.has_value(), task.status());
  const std::optional<int> later = co_await move_on_after(task, 1s);
  log(*later);
  expect("7 false true 3 true ; true false 5 ; false false pending ; 8");
}

APP_TEST("move_on_after gives a result that the work returns all the same, and throws its error") {
  const auto result = co_await move_on_after(returns_when_asked(1s), 1s);
  log(result.value_or(0), now());
  co_await end_of(move_on_after(throws_when_asked(), 1s), log);
  co_await end_of(move_on_after(bad(1s, "early"), 2s), log);
  const auto at_once = co_await move_on_after(after(0s, 1), 0s);
  const auto ready = co_await move_on_after([]() -> Coro<int> { co_return 2; }, -1s);
  log(at_once.has_value(), ready.value_or(0));
  expect("5 2 ; clean-up ; early ; false 2");
}

APP_TEST("a request to the caller of move_on_after is thrown, also in the turn in which the time is over") {
  const auto work = [this]() -> Coro<> { co_await end_of(move_on_after(after(1h), 1s), log); };
  auto early = add(work);
  auto same_turn = add(work);
  later(500ms, [&] { early.cancel("early"); });
  later(1s, [&] { same_turn.cancel("same turn"); });
  co_await errand::wait_all(early, same_turn);
  // A request that comes during a clean-up that it does not interrupt is thrown out of the next await.
  const auto late = [this]() -> Coro<> {
    const auto cleans_up = []() -> Coro<> {
      try {
        co_await errand::sleep(1h);
      } catch (const Cancelled&) {
        errand::current_task().cancel("late");
        throw;
      }
    };
    log(co_await move_on_after(cleans_up, 1s));
    co_await end_of(errand::sleep(1h), log);
  };
  co_await errand::wait_all(add(late));
  expect("Cancelled early ; Cancelled same turn ; false ; Cancelled late");
}

APP_TEST("move_on_after inside wait_for of the same time leaves the time-out to the outer one") {
  const auto inner = [this]() -> Coro<> {
    log(co_await move_on_after(nothing(1h), 1s));
    co_return;
  };
  co_await end_of(wait_for(inner, 1s), log);
  const auto outer = [this]() -> Coro<> { co_await end_of(wait_for(nothing(1h), 1s), log); };
  log(co_await move_on_after(outer, 1s));
  expect("TimeoutError ; Cancelled ; true");
}

APP_TEST("a Timeout counts from its construction on, and again from each reset") {
  Timeout timeout(3s);
  co_await errand::sleep(1s);
  co_await end_of(wait_for(nothing(1h), timeout), log);
  log(now(), timeout.expired());
  timeout.reset();
  log(timeout.expired());
  co_await wait_for(nothing(2s), timeout);
  log(now(), timeout.expired());
  co_await end_of(wait_for(nothing(1h), timeout), log);
  log(now());
  timeout.reset(500ms);
  co_await end_of(wait_for(nothing(1h), timeout), log);
  log(now());
  timeout.reset();
  const bool in_time = co_await move_on_after(nothing(1h), timeout);
  log(in_time, now());
  expect("TimeoutError ; 3 true ; false ; 5 false ; TimeoutError ; 6 ; TimeoutError ; 6.5 ; false 7");
}

APP_TEST("a reset during a wait moves its end, later and earlier") {
  Timeout timeout(2s);
  later(1s, [&] { timeout.reset(); });        // to 3 s
  later(2500ms, [&] { timeout.reset(5s); });  // to 7.5 s
  later(4s, [&] { timeout.reset(1s); });      // to 5 s
  co_await end_of(wait_for(nothing(1h), timeout), log);
  log(now(), timeout.expired());
  timeout.reset(1h);
  later(1s, [&] { timeout.reset(0s); });
  co_await end_of(wait_for(nothing(1h), timeout), log);
  log(now());
  timeout.reset(10s);
  later(1s, [&] { timeout.reset(std::chrono::nanoseconds::max()); });
  later(2s, [&] { timeout.reset(-1s); });
  co_await end_of(wait_for(nothing(1h), timeout), log);
  log(now());
  expect("TimeoutError ; 5 true ; TimeoutError ; 6 ; TimeoutError ; 8");
}

APP_TEST("a reset in the turn in which the time is over saves the wait if it comes first, and comes too late else") {
  {
    Timeout timeout(1s);
    later(1s, [&] { timeout.reset(); });  // set before the deadline of the wait
    co_await end_of(wait_for(nothing(1h), timeout), log);
    log(now());
  }
  Timeout timeout(1s);
  auto wait = end_of(wait_for(returns_when_asked(2s), timeout), log);
  const auto task = add(std::move(wait));
  co_await errand::yield();
  later(1s, [&] { timeout.reset(1h); });
  co_await task;
  log(now(), timeout.expired());
  expect("TimeoutError ; 2 ; done ; 5 false");
}

APP_TEST("a Timeout that is zero or negative, or over at the await, lets the work run to its first suspension") {
  Timeout zero(0s), negative(-1s), never(std::chrono::nanoseconds::max()), fraction(0.25s);
  log(zero.expired(), negative.expired(), never.expired(), fraction.expired());
  co_await end_of(wait_for(nap("a", 1s), zero), log);
  log(co_await wait_for([]() -> Coro<int> { co_return 1; }, negative));
  co_await end_of(wait_for(errand::sleep(1s), negative), log);
  co_await wait_for(nothing(1000h), never);
  log(now(), never.expired(), fraction.expired());
  expect("true true false false ; a start ; a cancelled ; TimeoutError ; 1 ; TimeoutError ; 3600000 false true");
}

APP_TEST("one wait at a time uses a Timeout, of its own App, and no App means no Timeout") {
  Timeout timeout(1s);
  const auto first = add(wait_for(nothing(1h), timeout));
  co_await errand::yield();
  co_await end_of(wait_for(nothing(1h), timeout), log);
  co_await end_of(first, log);
  timeout.reset();
  co_await end_of(wait_for(wait_for(nothing(1h), timeout), timeout), log);
  const bool again = co_await move_on_after(nothing(1ms), timeout);
  log(again);
  expect("InvalidState ; TimeoutError ; InvalidState ; true");
}

TEST_CASE("a Timeout outside an App, after its App, and of another App") {
  CHECK_THROWS_AS(Timeout(1s), InvalidState);
  std::optional<Timeout> timeout;
  {
    App app;
    app.run([](std::optional<Timeout>& made) -> Coro<> {
      made.emplace(1h);
      co_return;
    }(timeout));
    CHECK(!timeout->expired());
    const auto use = [&]() -> Coro<> { co_await wait_for(nothing(1h), *timeout); };
    CHECK_THROWS_AS(App().run(use()), InvalidState);
  }
  CHECK_THROWS_AS(timeout->expired(), InvalidState);
  CHECK_THROWS_AS(timeout->reset(), InvalidState);
  timeout.reset();
}

APP_TEST("a Timeout that is destroyed during a wait asks the work to end, and the wait throws InvalidState") {
  auto timeout = std::make_unique<Timeout>(1h);
  later(1s, [&] { timeout.reset(); });
  co_await end_of(wait_for(tidy(log, "work", 1s), *timeout), log);
  log(now());
  timeout = std::make_unique<Timeout>(1h);
  later(1s, [&] { timeout.reset(); });
  co_await end_of(move_on_after(nothing(1h), *timeout), log);
  timeout = std::make_unique<Timeout>(1h);
  later(1s, [&] { timeout.reset(); });
  log(co_await wait_for(returns_when_asked(), *timeout));
  // The time is over, and then it is destroyed: a time-out, and the clean-up is not interrupted.
  timeout = std::make_unique<Timeout>(1s);
  later(1500ms, [&] { timeout.reset(); });
  co_await end_of(wait_for(tidy(log, "late", 1s), *timeout), log);
  // The work itself destroys it.
  timeout = std::make_unique<Timeout>(1h);
  const auto destroys = [&]() -> Coro<> {
    timeout.reset();
    co_await errand::sleep(1h);
  };
  co_await end_of(wait_for(destroys, *timeout), log);
  expect(
      "work asked ; work cleaned ; InvalidState ; 2 ; InvalidState ; 5 ; late asked ; late cleaned ; TimeoutError ; "
      "InvalidState");
}

APP_TEST("a wait with a Timeout ends with its task, cancelled or aborted, and the Timeout can be used again") {
  Timeout timeout(1h);
  for (const bool aborts : {false, true}) {
    auto task = add(end_of(wait_for(nap("work", 1h), timeout), log));
    co_await errand::yield();
    if (aborts) {
      task.abort();
    } else {
      task.cancel("asked");
    }
    co_await errand::wait_all(task);
    timeout.reset();
    const bool in_time = co_await move_on_after(nothing(1s), timeout);
    log(in_time);
  }
  expect("work start ; work cancelled ; Cancelled asked ; true ; work start ; true");
}

APP_TEST("a Timeout that one branch of a task owns and another one waits with goes with that task") {
  const auto work = [](bool owner_first) -> Coro<> {
    std::optional<Timeout> timeout;
    const auto owner = [&]() -> Coro<> {
      timeout.emplace(1h);
      const support::CallsAtEnd end([&] { timeout.reset(); });
      co_await errand::sleep(1h);
    };
    const auto waiter = [&]() -> Coro<> {
      co_await errand::yield();
      co_await wait_for(nothing(1h), *timeout);
    };
    if (owner_first) {
      co_await errand::gather(owner, waiter);
    } else {
      co_await errand::gather(waiter, owner);
    }
  };
  for (const bool aborts : {false, true}) {
    for (const bool owner_first : {false, true}) {
      auto task = add(end_of(work(owner_first), log));
      for (int i = 0; i < 3; ++i) co_await errand::yield();
      if (aborts) {
        task.abort();
      } else {
        task.cancel("asked");
      }
      co_await errand::wait_all(task);
    }
  }
  expect("Cancelled asked ; Cancelled asked");
}

TEST_CASE("waits with a Timeout are destroyed with the App, before or after the Timeout") {
  for (const bool timeout_first : {false, true}) {
    const auto alive = std::make_shared<int>(0);
    std::unique_ptr<Timeout> timeout;
    auto app = std::make_unique<App>();
    const auto work = [&timeout, alive]() -> Coro<> {
      timeout = std::make_unique<Timeout>(1h);
      co_await move_on_after(nothing(1h), *timeout);
    };
    app->add_task(work);
    for (int i = 0; i < 3; ++i) app->poll();
    REQUIRE(timeout);
    if (timeout_first) timeout.reset();
    app.reset();
    timeout.reset();
    CHECK(alive.use_count() == 2);
  }
}

APP_TEST("ten thousand waits with Timeouts, each reset twenty times, end in the order of their ends") {
  constexpr int count = 10'000;
  std::vector<int> ended;
  std::vector<std::unique_ptr<Timeout>> timeouts;
  std::vector<Task<>> tasks;
  const auto wait = [&](int i) -> Coro<> {
    co_await move_on_after(nothing(1000h), *timeouts[static_cast<std::size_t>(i)]);
    ended.push_back(i);
  };
  for (int i = 0; i < count; ++i) {
    timeouts.push_back(std::make_unique<Timeout>(1h));
    tasks.push_back(add(wait(i)));
  }
  co_await errand::yield();
  for (int round = 0; round < 20; ++round) {
    for (auto& timeout : timeouts) timeout->reset();
    co_await errand::sleep(30min);
  }
  CHECK(ended.empty());
  for (int i = 0; i < count; ++i) timeouts[static_cast<std::size_t>(i)]->reset(1h - i * 1ms);
  co_await errand::wait_all(tasks);
  CHECK(ended.front() == count - 1);
  CHECK(std::is_sorted(ended.rbegin(), ended.rend()));
  CHECK(app.next_deadline() == std::nullopt);
}
