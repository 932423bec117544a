// SPDX-License-Identifier: MIT
// Tests of sleep_until with a time of the system clock, or of a clock that a test can set.
#include "combinators.hpp"
#include "real_fixture.hpp"

using errand::sleep_until;
using std::chrono::system_clock;

namespace {

/// A clock that tests set. It counts how often it was read.
template <class Duration>
struct SetClock {
  using duration = Duration;
  using rep = typename duration::rep;
  using period = typename duration::period;
  using time_point = std::chrono::time_point<SetClock>;
  static constexpr bool is_steady = false;
  static time_point now() {
    ++reads;
    return time_point(time);
  }
  inline static duration time{};
  inline static int reads = 0;
};
using Wall = SetClock<std::chrono::microseconds>;

/// Sleeps until this time of the clock, which is looked at again after `longest`.
Coro<> sleep_by_wall(std::chrono::nanoseconds when, std::chrono::nanoseconds longest) {
  return errand::detail::sleep_until_of(std::chrono::time_point<Wall, std::chrono::nanoseconds>(when), longest);
}

}  // namespace

REAL_APP_TEST("a sleep follows a clock that is set forward, and one that is set back") {
  Wall::time = 0s;
  auto forward = app.add_task(sleep_by_wall(1h, 1ms));
  co_await errand::sleep(20ms);
  CHECK_FALSE(forward.done());
  Wall::time = 2h;
  co_await forward;

  auto back = app.add_task(sleep_by_wall(2h + 20ms, 1h));
  co_await errand::sleep(1ms);
  Wall::time = 1h;
  co_await errand::sleep(40ms);
  CHECK_FALSE(back.done());
  back.cancel();
  co_await errand::wait_all(back);
  CHECK(back.cancelled());

  auto steps = app.add_task(sleep_by_wall(2h, 1ms));
  for (int i = 0; i < 3; ++i) {
    co_await errand::sleep(5ms);
    CHECK_FALSE(steps.done());
    Wall::time += 20min;
  }
  co_await steps;
}

REAL_APP_TEST("a time of the system clock has any precision, and is not reached early") {
  const auto begun = system_clock::now();
  co_await sleep_until(begun + 20ms);
  CHECK(system_clock::now() >= begun + 20ms);
  co_await sleep_until(std::chrono::time_point<system_clock, std::chrono::duration<double>>(
      std::chrono::duration<double>(begun.time_since_epoch()) + 0.03s));
  co_await sleep_until(std::chrono::time_point_cast<std::chrono::hours>(begun));
  co_await sleep_until(system_clock::time_point::min());
  auto waiting = app.add_task(sleep_until(std::chrono::ceil<std::chrono::hours>(begun + 1s)));
  auto never = app.add_task(sleep_until(system_clock::time_point::max()));
  co_await errand::sleep(5ms);
  CHECK_FALSE(waiting.done());
  CHECK_FALSE(never.done());
  waiting.abort();
  never.abort();
}

APP_TEST("with a clock of the configuration the delay is taken once, at the await") {
  Wall::time = 0s;
  Wall::reads = 0;
  auto sleep = sleep_by_wall(1h, 1min);
  Wall::time = 10min;
  auto task = add(std::move(sleep));
  co_await errand::yield();
  Wall::time = 2h;
  co_await task;
  CHECK(Wall::reads == 1);
  CHECK(now() == 50min);
}

APP_TEST("a time that has passed is a yield, and the largest time never comes") {
  Wall::time = 1h;
  add([this]() -> Coro<> {
    log("other");
    co_return;
  });
  co_await sleep_by_wall(1h, 1min);
  log("passed");
  auto never = add(sleep_by_wall(std::chrono::nanoseconds::max(), 1min));
  Wall::time = std::chrono::microseconds::min() / 1000;
  auto long_way = add(sleep_by_wall(std::chrono::nanoseconds::max() - 1h, 1min));
  co_await errand::sleep(std::chrono::hours(24 * 365 * 200));
  CHECK_FALSE(never.done());
  CHECK_FALSE(long_way.done());
  never.abort();
  long_way.abort();
  expect("other ; passed");
}

APP_TEST("a sleep by the system clock works in combinators") {
  auto race = co_await errand::race(sleep_until(system_clock::now() + 10s), errand::sleep(20s));
  CHECK(race.index() == 0);
  bool timed_out = false;
  try {
    co_await errand::wait_for(sleep_until(system_clock::now() + 10s), 1s);
  } catch (const TimeoutError&) {
    timed_out = true;
  }
  CHECK(timed_out);
}

TEST_CASE("a task that sleeps until the largest time of the system clock is a Deadlock") {
  App app;
  app.add_task(sleep_until(system_clock::time_point::max()));
  CHECK_THROWS_AS(app.run(), errand::Deadlock);
}
