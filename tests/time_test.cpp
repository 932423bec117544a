// SPDX-License-Identifier: MIT
// Tests of sleep, sleep_until, yield and wait_for.
#include <cstdint>
#include <limits>
#include <memory>

#include "combinators.hpp"

using errand::sleep;
using errand::sleep_until;
using errand::wait_for;
using errand::yield;

namespace {

/// Goes on for 2 s after a time-out. Then it returns 7, or throws if `failure` is not empty.
Coro<int> late(std::string failure = {}) {
  try {
    co_await sleep(1h);
  } catch (const Cancelled&) {
  }
  co_await sleep(2s);
  if (!failure.empty()) throw runtime_error(failure);
  co_return 7;
}

/// Puts a time-out of each of these lengths around the next one, the first is the outermost. Each logs what it throws.
Coro<> nested(support::Log& log, std::vector<std::chrono::nanoseconds> timeouts, std::size_t level = 0) {
  if (level == timeouts.size()) co_return co_await sleep(1h);
  const std::string name = std::to_string(level);
  try {
    co_await wait_for(nested(log, timeouts, level + 1), timeouts[level]);
  } catch (const TimeoutError& e) {
    log(name, e);
    throw;
  } catch (const Cancelled& e) {
    log(name, "Cancelled", e.reason());
    throw;
  }
}

}  // namespace

APP_TEST("sleep takes any duration: fractions round up, and what is not above zero is a yield") {
  co_await sleep(0.25s);
  co_await sleep(std::chrono::duration<float, std::milli>(0.5f));
  co_await sleep(std::chrono::duration<int, std::pico>(1));
  co_await sleep(std::chrono::duration<std::uint8_t, std::ratio<60>>(1));
  log(now());
  add([this] { log("other"); });
  co_await sleep(-0.5s);
  add([this] { log("other"); });
  co_await sleep(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()));
  add([this] { log("other"); });
  co_await sleep(std::chrono::hours::min());
  log(now());
  expect("60.250500001 ; other ; other ; other ; 60.250500001");
}

APP_TEST("the largest durations and times never end, and can be cancelled") {
  std::vector<Task<>> tasks;
  const auto until = [](errand::Clock::time_point when) -> Coro<> { co_await sleep_until(when); };
  const auto for_hours = []() -> Coro<> { co_await sleep(std::chrono::hours::max()); };
  const auto for_seconds = []() -> Coro<> { co_await sleep(std::chrono::duration<double>(1e300)); };
  const auto for_minutes = []() -> Coro<> {
    co_await sleep(std::chrono::duration<std::uint64_t, std::ratio<60>>(~0ull));
  };
  tasks.push_back(add(until(errand::Clock::time_point::max())));
  tasks.push_back(add(for_hours()));
  tasks.push_back(add(for_seconds()));
  tasks.push_back(add(for_minutes()));
  tasks.push_back(add(wait_for(until(errand::Clock::time_point::max()), std::chrono::nanoseconds::max())));
  co_await sleep(24h * 365 * 100);
  for (auto& task : tasks) {
    CHECK(!task.done());
    task.cancel("why");
    co_await end_of(task, log);
  }
  const std::string one = "TaskCancelled why";
  expect(one + " ; " + one + " ; " + one + " ; " + one + " ; " + one);
}

APP_TEST("durations and time points of every period are taken, and rounded up") {
  using Frames = std::chrono::duration<int, std::ratio<1, 60>>;
  using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 90'000>>;
  co_await sleep(Frames(1));
  log(now());
  co_await sleep(Ticks(1));
  log(now());
  // No double is exactly 0.1. The result must not be rounded up to one nanosecond more because of that.
  co_await sleep(std::chrono::duration<double>(0.1));
  log(now());
  co_await sleep_until(clock.now() + std::chrono::duration<double>(0.5));
  log(now());
  app.call_at(clock.now() + Frames(3), [this] { log("called at", now()); });
  app.call_later(Frames(6), [this] { log("called later", now()); });
  bool timed_out = false;
  try {
    co_await wait_for(sleep(1h), Frames(12));
  } catch (const TimeoutError&) {
    timed_out = true;
  }
  CHECK(timed_out);
  expect("0.016666667 ; 0.016677779 ; 0.116677779 ; 0.616677779 ; called at 0.666677779 ; called later 0.716677779");
}

TEST_CASE("a duration that no nanoseconds hold becomes the largest, or the smallest") {
  using errand::detail::to_nanoseconds;
  using std::chrono::duration;
  using std::chrono::nanoseconds;
  using Thirds = duration<std::int64_t, std::ratio<1, 3>>;
  STATIC_REQUIRE(to_nanoseconds(Thirds(1)) == nanoseconds(333'333'334));
  STATIC_REQUIRE(to_nanoseconds(Thirds(-1)) == nanoseconds(-333'333'333));
  STATIC_REQUIRE(to_nanoseconds(Thirds::max()) == nanoseconds::max());
  STATIC_REQUIRE(to_nanoseconds(Thirds::min()) == nanoseconds::min());
  STATIC_REQUIRE(to_nanoseconds(duration<std::uint64_t, std::nano>::max()) == nanoseconds::max());
  STATIC_REQUIRE(to_nanoseconds(duration<int, std::exa>(1)) == nanoseconds::max());
  STATIC_REQUIRE(to_nanoseconds(duration<int, std::exa>(0)) == nanoseconds::zero());
  STATIC_REQUIRE(to_nanoseconds(duration<std::int64_t, std::femto>::max()) == nanoseconds(9'223'372'036'855));
  STATIC_REQUIRE(to_nanoseconds(duration<double, std::milli>(0.5)) == nanoseconds(500'000));
  CHECK(to_nanoseconds(duration<double>(1e300)) == nanoseconds::max());
  CHECK(to_nanoseconds(duration<float>(-1e30F)) == nanoseconds::min());
}

APP_TEST("sleep_until wakes at its time, and a time that is not ahead is a yield") {
  co_await sleep_until(errand::Clock::time_point(2s));
  log(now());
  for (const auto when : {2s, 1s}) {
    add([this] { log("other"); });
    co_await sleep_until(errand::Clock::time_point(when));
  }
  co_await sleep_until(errand::Clock::time_point::min());
  log(now());
  expect("2 ; other ; other ; 2");
}

APP_TEST("a sleep counts from the clock at the await, not from the beginning of the turn") {
  clock.advance(3s);
  co_await sleep(1s);
  auto slow = add([this] { clock.advance(2s); });
  auto sleeper = add([this]() -> Coro<> {
    co_await sleep(1s);
    log(now());
  });
  co_await sleeper;
  expect("7");
}

APP_TEST("a request that is pending is thrown at once, and one made while it yields is thrown when it resumes") {
  const auto each = [this](auto make) -> Coro<> {
    current_task().cancel("own");
    co_await end_of(make(), log);
    co_await end_of(yield(), log);
    log(now());
  };
  co_await add(each([] { return sleep(1s); }));
  co_await add(each([] { return sleep(0s); }));
  co_await add(each([] { return sleep_until(errand::Clock::time_point()); }));
  co_await add(each([] { return yield(); }));
  co_await add(each([] { return wait_for(after(1s), 0s); }));
  auto yields = add(end_of(sleep(-1s), log));
  co_await yield();
  yields.cancel("why");
  co_await yields;
  const std::string one = "Cancelled own ; done ; 0 ; ";
  expect(one + one + one + one + one + "Cancelled why");
}

APP_TEST("equal deadlines end in the order in which they were set, whatever set them") {
  const auto note = [this](int n) { return [this, n] { log(n); }; };
  const auto sleeps = [this](int n, errand::Clock::time_point when) -> Coro<> {
    co_await sleep_until(when);
    log(n);
  };
  auto a = add(sleeps(1, errand::Clock::time_point(2s)));
  co_await yield();
  at(2s, note(2));
  co_await sleep(1s);
  auto b = add(sleeps(3, errand::Clock::time_point(2s)));
  co_await yield();
  later(1s, note(4));
  co_await sleep(2s);
  expect("1 ; 2 ; 3 ; 4");
}

APP_TEST("wait_for gives a value, a reference, or what can only be moved, and lets an error out") {
  int target = 1;
  const auto reference = [&]() -> Coro<int&> { co_return target; };
  const auto moved = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(2); };
  const auto task = add(moved());
  int& given = co_await wait_for(reference(), 1s);
  const auto from_coro = co_await wait_for(moved(), 1s);
  const auto from_task = co_await wait_for(task, 1s);
  log(&given == &target, *from_coro, *from_task);
  CHECK_THROWS_AS(task.result(), InvalidState);
  co_await end_of(wait_for(bad(0s, "failed"), 1s), log);
  co_await end_of(wait_for(add(bad(0s, "failed too")), 1s), log);
  expect("true 2 2 ; failed ; failed too");
}

APP_TEST("a time-out that does not come leaves no timer") {
  errand::Event event;
  event.set();
  co_await wait_for(after(1s), 1h);
  co_await wait_for(event.wait(), 1h);
  co_await end_of(wait_for(bad(1s, "failed"), 1h), log);
  CHECK_FALSE(app.next_deadline().has_value());
  expect("failed");
}

APP_TEST("a result or an error that comes in spite of the time-out comes out, and nothing is pending") {
  const int seven = co_await wait_for(late(), 1s);
  log(seven, now(), current_task().cancelling());
  co_await end_of(wait_for(late("failed"), 1s), log);
  co_await end_of(wait_for(late("failed at once"), 0s), log);
  co_await end_of(sleep(1s), log);
  expect("7 3 0 ; failed ; failed at once ; done");
}

APP_TEST("with a time-out that is not above zero what is ready is given, and what is not is a TimeoutError at once") {
  errand::Queue<int> queue;
  errand::Event event;
  queue.try_put(1);
  for (const auto timeout : {0s, -1s}) {
    co_await end_of(wait_for(after(0s), timeout), log);
    co_await end_of(wait_for(event.wait(), timeout), log);
  }
  log(co_await wait_for(queue.get(), 0s));
  co_await end_of(wait_for(queue.get(), 0s), log);
  event.set();
  co_await end_of(wait_for(wait_for(event.wait(), 0s), 0s), log);
  co_await end_of(wait_for(wait_for(sleep(1s), 0s), 1s), log);
  co_await end_of(wait_for(wait_for(sleep(1s), 1s), 0s), log);
  log(now());
  expect(
      "TimeoutError ; TimeoutError ; TimeoutError ; TimeoutError ; 1 ; TimeoutError ; done ; TimeoutError ; "
      "TimeoutError ; 0");
}

APP_TEST("of nested time-outs of equal deadlines only the outermost throws TimeoutError") {
  auto all = nested(log, {2s, 2s, 2s});
  co_await end_of(std::move(all), log);
  log(now());
  expect("2 Cancelled ; 1 Cancelled ; 0 TimeoutError ; TimeoutError ; 2");
}

APP_TEST("a shorter time-out inside comes out of the longer ones as the error that it is") {
  auto all = nested(log, {3s, 1s, 2s});
  co_await end_of(std::move(all), log);
  log(now());
  expect("2 Cancelled ; 1 TimeoutError ; 0 TimeoutError ; TimeoutError ; 1");
}

APP_TEST("a request in the turn of the time-out, before or after it, makes it a cancellation, and later it does not") {
  const auto work = [this](errand::Event& never) -> Coro<> {
    co_await end_of(wait_for(never.wait(), 1s), log);
    co_await end_of(sleep(1s), log);
  };
  errand::Event never;
  for (const int order : {0, 1, 2}) {
    Task<> t;
    const auto ask = [&] { t.cancel("why"); };
    if (order == 0) later(1s, ask);
    t = add(work(never));
    co_await yield();
    co_await yield();
    if (order == 1) later(1s, ask);
    if (order == 2) later(1s, [&] { app.call_soon(ask); });
    co_await t;
  }
  expect("Cancelled why ; done ; Cancelled why ; done ; TimeoutError ; Cancelled why");
}

APP_TEST("a time-out in the clean-up after a request does not make it a TimeoutError") {
  const auto cleans = []() -> Coro<> {
    std::optional<Cancelled> asked;
    try {
      co_await sleep(1h);
    } catch (const Cancelled& e) {
      asked = e;
    }
    const auto clean = []() -> Coro<> { co_await sleep(5s); };
    co_await errand::finally([] {}, clean);
    throw *asked;
  };
  auto t = add(wait_for(cleans(), 2s));
  later(1s, [&] { t.cancel("why"); });
  co_await end_of(t, log);
  log(now());
  expect("TaskCancelled why ; 6");
}

APP_TEST("what would be handed over in the turn of a time-out that has asked stays where it is") {
  errand::Queue<int> queue;
  errand::Lock lock;
  std::optional<errand::Lock::Guard> held(lock.try_acquire());
  auto getter = add(wait_for(queue.get(), 1s));
  auto locker = add(wait_for(lock.acquire(), 1s));
  co_await yield();
  later(1s, [&] {
    queue.try_put(1);
    held.reset();
  });
  co_await end_of(std::move(getter), log);
  co_await end_of(std::move(locker), log);
  log(queue.size(), lock.locked());
  expect("TimeoutError ; TimeoutError ; 1 false");
}

APP_TEST("what was handed over before the time-out, in the same turn, is given") {
  errand::Queue<int> queue;
  at(1s, [&] { queue.try_put(1); });
  const int item = co_await wait_for(queue.get(), 1s);
  log(item);
  expect("1");
}

APP_TEST("wait_for of what cannot be awaited is InvalidState") {
  App other;
  const auto foreign = other.add_task(after(1s));
  co_await end_of(wait_for(Coro<>(), 1s), log);
  co_await end_of(wait_for(Task<>(), 1s), log);
  co_await end_of(wait_for(foreign, 1s), log);
  co_await end_of(wait_for(current_task(), 1s), log);
  log(now());
  expect("InvalidState ; InvalidState ; InvalidState ; InvalidState ; 0");
}

APP_TEST("abort of who waits destroys what it waits for, and no time-out comes") {
  const auto held = std::make_shared<int>();
  const auto hold = [](std::shared_ptr<int>) -> Coro<> { co_await sleep(1h); };
  auto t = add(wait_for(wait_for(hold(held), 1s), 2s));
  co_await sleep(500ms);
  t.abort("why");
  CHECK(held.use_count() == 1);
  co_await sleep(5s);
  co_await end_of(t, log);
  expect("TaskCancelled why");
}

PLAIN_TEST("the end of the App destroys what a time-out is around, after any number of turns") {
  const auto held = std::make_shared<int>();
  const auto hold = [](std::shared_ptr<int>) -> Coro<> { co_await late(); };
  for (int turns = 0; turns < 8; ++turns) {
    {
      errand::ManualClock own_clock;
      App own("own", {.clock = &own_clock});
      own.add_task(wait_for(hold(held), 1us));
      for (int i = 0; i < turns; ++i) own.poll();
    }
    CHECK(held.use_count() == 1);
  }
}

APP_TEST("a task that is cancelled just before the time-out around its handle comes out as cancelled") {
  auto t = add(after(1h));
  later(1s, [&] { t.abort("first"); });
  co_await end_of(wait_for(t, 1s), log);
  log(now());
  expect("TaskCancelled first ; 1");
}
