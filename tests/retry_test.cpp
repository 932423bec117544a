// SPDX-License-Identifier: MIT
// Tests of retry and supervise.
#include <algorithm>
#include <limits>
#include <memory>
#include <sstream>

#include "combinators.hpp"

using errand::Backoff;
using errand::retry;
using errand::supervise;
using errand::wait_for;

namespace {

/// Returns the message of the exception that `f` throws.
template <class F>
std::string message_of(F f) {
  try {
    f();
    return "nothing";
  } catch (const InvalidState& e) {
    return e.what();
  }
}

}  // namespace

APP_TEST("retry waits longer after each failure, up to the longest wait, and returns the first result") {
  int attempts = 0;
  const auto flaky = [&]() -> Coro<int> {
    log(now());
    if (++attempts < 7) throw runtime_error("flaky");
    co_return attempts;
  };
  log(co_await retry(flaky, {.first = 1s, .most = 10s}));
  expect("0 ; 1 ; 3 ; 7 ; 15 ; 25 ; 35 ; 7");
}

APP_TEST("retry makes so many attempts, and the error of the last one comes out, the others are not reported") {
  int attempts = 0;
  const auto fails = [&]() -> Coro<> {
    co_await errand::sleep(1s);
    throw runtime_error(std::to_string(++attempts));
  };
  co_await end_of(retry(fails, {.first = 1s, .attempts = 3}), log);
  log(now());
  co_await end_of(retry(fails, {.attempts = 1}), log);
  log(now());
  expect("3 ; 6 ; 4 ; 7");
}

APP_TEST("retry takes functions that are no coroutines, and gives results of every kind") {
  int attempts = 0, target = 0;
  const auto plain = [&] { return ++attempts < 3 ? throw runtime_error("plain") : attempts; };
  const auto nothing = [&] {
    if (--attempts > 0) throw runtime_error("nothing");
  };
  const auto reference = [&]() -> Coro<int&> { co_return target; };
  const auto moved = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  const auto throws_at_call = [&]() -> Coro<int> {
    if (++attempts < 3) throw runtime_error("call");
    return after(1s, attempts);
  };
  log(co_await retry(plain));
  co_await retry(nothing);
  log(attempts, now());
  log(&co_await retry(reference) == &target, *co_await retry(moved), co_await retry(throws_at_call));
  expect("3 ; 0 0.6 ; true 5 3");
}

APP_TEST("retry keeps its callable until the end, and destroys it then") {
  const auto alive = std::make_shared<int>(0);
  auto made = std::make_unique<Coro<long>>();
  {
    const auto use = [alive, this]() -> Coro<long> {
      co_await errand::sleep(1s);
      if (now() < 2s) throw runtime_error("early");
      co_return alive.use_count();
    };
    *made = retry(use);
  }
  log(co_await std::move(*made), alive.use_count());
  auto unbegun = retry([] { return 1; });
  expect("2 1");
}

APP_TEST("values of a Backoff that make no sense are refused at the call, by their name") {
  const auto f = [] { return 1; };
  const auto refused = [&](Backoff backoff) {
    const std::string of_retry = message_of([&] { (void)retry(f, backoff); });
    const std::string of_supervise = message_of([&] { (void)supervise(f, backoff); });
    CHECK(of_retry == of_supervise);
    return of_retry;
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK(refused({.first = -1ns}) == "a Backoff with a value of -1 ns for 'first', which must not be negative");
  CHECK(refused({.most = -5ns}) == "a Backoff with a value of -5 ns for 'most', which must not be negative");
  CHECK(refused({.factor = 0.5}) == "a Backoff with a value of 0.5 for 'factor', which must be at least 1");
  CHECK(refused({.factor = nan}) == "a Backoff with a value of nan for 'factor', which must be at least 1");
  CHECK(refused({.jitter = 1.5}) == "a Backoff with a value of 1.5 for 'jitter', which must be from 0 to 1");
  CHECK(refused({.jitter = -0.1}) == "a Backoff with a value of -0.1 for 'jitter', which must be from 0 to 1");
  CHECK(refused({.jitter = nan}) == "a Backoff with a value of nan for 'jitter', which must be from 0 to 1");
  CHECK(refused({.first = 0ns, .most = 0ns, .factor = 1, .jitter = 1}) == "nothing");
  CHECK(refused({.factor = inf}) == "nothing");
  co_return;
}

APP_TEST("waits are exact, and do not overflow") {
  const auto waits = [this](Backoff backoff) -> Coro<> {
    std::vector<std::chrono::nanoseconds> times;
    const auto fails = [&] {
      times.push_back(now());
      throw runtime_error("bad");
    };
    backoff.attempts = 6;
    try {
      co_await retry(fails, backoff);
    } catch (const runtime_error&) {
    }
    std::string text;
    for (std::size_t i = 1; i < times.size(); ++i) text += ' ' + std::to_string((times[i] - times[i - 1]).count());
    log(text.substr(1));
  };
  constexpr double inf = std::numeric_limits<double>::infinity();
  co_await waits({.first = 1ns, .factor = 1.5});
  co_await waits({.first = 1ns, .most = 3ns, .factor = 1.0});
  co_await waits({.first = 100ms, .most = 200ms, .factor = 1.1});
  co_await waits({.first = 7ns, .most = 5ns});
  co_await waits({.first = 3ns, .most = 5ns, .factor = inf});
  co_await waits({.first = 0ns, .factor = 2});
  co_await waits({.first = 1h, .most = 365 * 24h, .factor = 1e300});
  expect(
      "1 2 2 3 5 ; 1 1 1 1 1 ; 100000000 110000000 121000000 133100000 146410000 ; 5 5 5 5 5 ; 3 5 5 5 5 ; 0 0 0 0 0 ; "
      "3600000000000 31536000000000000 31536000000000000 31536000000000000 31536000000000000");
}

APP_TEST("the largest wait never ends") {
  constexpr auto never = std::chrono::nanoseconds::max();
  const auto fails = [] { throw runtime_error("bad"); };
  co_await end_of(wait_for(retry(fails, {.first = 1h, .most = never, .factor = 1e300}), 10000h), log);
  co_await end_of(wait_for(retry(fails, {.first = never, .most = never, .jitter = 0.1}), 10000h), log);
  expect("TimeoutError ; TimeoutError");
}

TEST_CASE("a jitter shortens each wait by a random part, which is the same in each run with a ManualClock") {
  std::vector<std::vector<std::chrono::nanoseconds>> runs(2);
  for (auto& waits : runs) {
    support::Fixture fixture;
    const auto work = [&]() -> Coro<> {
      auto last = fixture.now();
      const auto fails = [&] {
        waits.push_back(fixture.now() - last);
        last = fixture.now();
        throw runtime_error("bad");
      };
      const auto one = [&]() -> Coro<> {
        co_await end_of(retry(fails, {.first = 2s, .factor = 1, .jitter = 0.5, .attempts = 1000}), fixture.log);
      };
      co_await one();
    };
    fixture.app.run(work());
    waits.erase(waits.begin());
  }
  CHECK(runs[0] == runs[1]);
  std::chrono::nanoseconds least = 2s, most = 1s, sum{};
  for (const auto wait : runs[0]) {
    least = std::min(least, wait);
    most = std::max(most, wait);
    sum += wait;
  }
  CHECK(least >= 1s);
  CHECK(least < 1010ms);
  CHECK(most <= 2s);
  CHECK(most > 1990ms);
  CHECK(std::chrono::abs(sum / 999 - 1500ms) < 50ms);
}

APP_TEST("retries that fail at the same time wait for different times") {
  std::vector<std::chrono::nanoseconds> times;
  const auto work = [&](int) -> Coro<> {
    bool again = false;
    const auto f = [&] {
      if (std::exchange(again, true)) return times.push_back(now());
      throw runtime_error("bad");
    };
    co_await retry(f, {.first = 1h, .most = 1h, .jitter = 1});
  };
  co_await errand::gather(std::vector<int>(100), work, 100);
  std::sort(times.begin(), times.end());
  CHECK(std::adjacent_find(times.begin(), times.end()) == times.end());
}

APP_TEST("Cancelled passes through retry and supervise: of a request, in f and in a wait, and of f itself") {
  const auto throws_cancelled = []() -> Coro<> {
    throw Cancelled("alone");
    co_return;
  };
  const auto fails = [] { throw runtime_error("bad"); };
  const auto sleeps = [this] { return nap("f", 1h); };
  co_await end_of(retry(throws_cancelled), log);
  co_await end_of(supervise(throws_cancelled), log);
  const auto cancel = [&](Coro<> work) -> Coro<> {
    auto task = add(end_of(std::move(work), log));
    later(50ms, [&] { task.cancel("stop"); });
    co_await errand::wait_all(task);
  };
  co_await cancel(retry(fails));
  co_await cancel(supervise(fails));
  co_await cancel(supervise(sleeps));
  const auto retries = [&]() -> Coro<> { co_await retry(sleeps); };
  co_await cancel(retries());
  co_await end_of(wait_for(retries, 1s), log);
  expect(
      "Cancelled alone ; Cancelled alone ; Cancelled stop ; Cancelled stop ; f start ; f cancelled ; Cancelled stop ; "
      "f start ; f cancelled ; Cancelled stop ; f start ; f cancelled ; TimeoutError",
      {"bad"});
}

APP_TEST("if a request has come, an error of f comes out and there is no further attempt, also by a time-out") {
  int attempts = 0;
  const auto fails_when_asked = [&]() -> Coro<> {
    ++attempts;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("clean-up");
    }
  };
  const auto ways = [&](int way) -> Coro<> { return way % 2 ? supervise(fails_when_asked) : retry(fails_when_asked); };
  for (const int way : {0, 1, 2, 3}) {
    auto task = add(end_of(way < 2 ? ways(way) : wait_for(ways(way), 1s), log));
    if (way < 2) later(1s, [&] { task.cancel("stop"); });
    co_await errand::wait_all(task);
  }
  log(attempts);
  expect("clean-up ; clean-up ; clean-up ; clean-up ; 4");
}

APP_TEST("an f that swallows a request with uncancel is retried when it fails later") {
  int attempts = 0;
  const auto goes_on = [&]() -> Coro<int> {
    if (++attempts == 2) co_return attempts;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      errand::current_task().uncancel();
    }
    throw runtime_error("later");
  };
  const auto work = [&]() -> Coro<> { log(co_await retry(goes_on)); };
  auto task = add(work());
  later(1s, [&] { task.cancel(); });
  co_await errand::wait_all(task);
  expect("2");
}

APP_TEST("supervise reports each failure under the task's name, notes the restart, and returns when f returns") {
  std::vector<std::string> names;
  app.add_signal("server.exception.report",
                 [&](const errand::Signal& signal) { names.push_back(signal.get<errand::TaskFailure>().name()); });
  int runs = 0;
  const auto service = [&]() -> Coro<int> {
    log(errand::current_task().note(), now());
    co_await errand::sleep(1s);
    if (++runs < 4) throw runtime_error(std::to_string(runs));
    co_return runs;
  };
  auto task = add(supervise(service, {.first = 1s}), "service");
  later(1500ms, [&] { log(task.note()); });
  co_await task;
  log(task.note(), now());
  CHECK(names == std::vector<std::string>(3, "service"));
  expect("0 ; restart 1 ; restart 1 2 ; restart 2 5 ; restart 3 10 ; restart 3 11", {"1", "2", "3"});
}

APP_TEST("supervise begins with `first`, and with the count, again when f ran longer than the longest wait") {
  int runs = 0;
  const auto service = [&]() -> Coro<> {
    log(errand::current_task().note(), now());
    ++runs;
    co_await errand::sleep(runs == 3 ? 4001ms : runs == 5 ? 4000ms : 0ms);
    throw runtime_error(std::to_string(runs));
  };
  co_await end_of(supervise(service, {.first = 1s, .most = 4s, .attempts = 5}), log);
  expect("0 ; restart 1 1 ; restart 2 3 ; restart 1 8.001 ; restart 2 10.001 ; restart 3 18.001 ; restart 4 22.001 ; 7",
         {"1", "2", "3", "4", "5", "6"});
}

TEST_CASE("supervise reports a failure of f also if the clock throws then") {
  struct Clock : errand::ClockSource {
    errand::Clock::time_point now() override {
      if (std::exchange(fails, false)) throw runtime_error("no time");
      return {};
    }
    bool fails = false;
  } clock;
  support::Log log;
  errand::AppConfig config;
  config.clock = &clock;
  config.on_failure = [&](const errand::TaskFailure& failure) { log(failure.what()); };
  App app("test", config);
  const auto fails = [&] {
    clock.fails = true;
    throw runtime_error("of f");
  };
  CHECK_THROWS_WITH(app.run(supervise(fails)), "no time");
  CHECK(log.text() == "of f");
}

APP_TEST("supervise takes plain functions, and an f that is destroyed with an aborted task") {
  int runs = 0;
  const auto plain = [&] {
    if (++runs < 3) throw runtime_error("plain");
    return runs;
  };
  co_await supervise(plain);
  log(runs);
  const auto sleeps = [this]() -> Coro<> {
    const support::LogsAtEnd end(log, "gone");
    co_await errand::sleep(1h);
  };
  auto task = add(supervise(sleeps));
  auto retried = add([&]() -> Coro<> { co_await retry(sleeps); });
  const auto fails = [] { throw runtime_error("bad"); };
  auto waiting = add(supervise(fails));
  co_await errand::yield();
  co_await errand::yield();
  task.abort();
  retried.abort();
  waiting.abort();
  expect("3 ; gone ; gone", {"plain", "plain", "bad"});
}

TEST_CASE("retry and supervise are destroyed with the App, in an attempt, in a wait and unbegun") {
  const auto alive = std::make_shared<int>(0);
  {
    errand::AppConfig config;
    config.on_failure = [](const errand::TaskFailure&) {};
    App app("app", config);
    const auto sleeps = [alive]() -> Coro<> { co_await errand::sleep(1h); };
    const auto fails = [alive] { throw runtime_error("bad"); };
    const auto add = [&] {
      app.add_task(retry(sleeps));
      app.add_task(supervise(sleeps));
      app.add_task(retry(fails, {.first = 1h, .most = 1h}));
      app.add_task(supervise(fails, {.first = 1h, .most = 1h}));
    };
    add();
    for (int i = 0; i < 3; ++i) app.poll();
    add();
    CHECK(alive.use_count() == 11);
  }
  CHECK(alive.use_count() == 1);
}

APP_TEST("the table of an App shows that a task retries, and the end of an App ends a service") {
  const auto sleeps = []() -> Coro<> { co_await errand::sleep(1h); };
  auto task = add(supervise(sleeps), "service");
  auto retried = add([&]() -> Coro<> { co_await retry(sleeps); });
  co_await errand::yield();
  co_await errand::yield();
  std::ostringstream table;
  app.dump_tasks(table);
  CHECK(table.str().find("supervise") != std::string::npos);
  CHECK(table.str().find("retry") != std::string::npos);
  retried.cancel();
  const auto left = co_await app.shutdown_tasks(1s);
  CHECK(left == 0);
  CHECK(task.cancelled());
}

APP_TEST("ten thousand failures in a row, and ten thousand retries at once") {
  int attempts = 0;
  const auto often = [&] { return ++attempts < 10'000 ? throw runtime_error("often") : attempts; };
  log(co_await retry(often, {.first = 0s}));
  const auto each = [&](int item) -> Coro<int> {
    bool again = false;
    const auto f = [&] { return std::exchange(again, true) ? item : throw runtime_error("once"); };
    co_return co_await retry(f);
  };
  const auto all = co_await errand::gather(std::vector<int>(10'000, 1), each, 10'000);
  log(all.size(), now());
  expect("10000 ; 10000 0.1");
}
