// SPDX-License-Identifier: MIT
#include <limits>

#include "support.hpp"

using errand::every;
using errand::MissedTick;

namespace {

/// Takes `count` ticks with a period of 2 s, and is busy for the time `busy` after the first one. Returns "due@now" for
/// each tick, in seconds since the first one.
Coro<std::string> ticks(support::Fixture& test, MissedTick missed, std::chrono::nanoseconds busy, int count = 5) {
  support::Log log;
  const auto begun = test.now();
  auto interval = every(2s, missed);
  for (int i = 0; i < count; ++i) {
    const auto due = (co_await interval.tick()).time_since_epoch() - begun;
    log(support::seconds(due) + "@" + support::seconds(test.now() - begun));
    if (i == 0) co_await errand::sleep(busy);
  }
  co_return log.text();
}

}  // namespace

APP_TEST("the first tick comes at once, without letting others run, and later ones at their time") {
  co_await errand::sleep(1s);
  add([this] { log("other"); });
  auto interval = every(2s);
  log((co_await interval.tick()).time_since_epoch(), now());
  log((co_await interval.tick()).time_since_epoch(), now());
  expect("1 1 ; other ; 3 3");
}

APP_TEST("ticks do not drift, however long the task is busy between them, up to a period") {
  for (const auto missed : {MissedTick::burst, MissedTick::delay, MissedTick::skip}) {
    const auto begun = now();
    auto interval = every(0.1s, missed);
    for (int i = 0; i < 1000; ++i) {
      const auto due = (co_await interval.tick()).time_since_epoch();
      if (due - begun != 100ms * i || due != now()) FAIL("tick " << i << " was due at " << support::seconds(due));
      co_await errand::sleep(1ms * (i % 101));
    }
  }
  expect("");
}

APP_TEST("burst makes up for the ticks that were missed") {
  log(co_await ticks(*this, MissedTick::burst, 3s));
  log(co_await ticks(*this, MissedTick::burst, 4s));
  log(co_await ticks(*this, MissedTick::burst, 7s));
  expect("0@0 ; 2@3 ; 4@4 ; 6@6 ; 8@8 ; 0@0 ; 2@4 ; 4@4 ; 6@6 ; 8@8 ; 0@0 ; 2@7 ; 4@7 ; 6@7 ; 8@8");
}

APP_TEST("delay goes on a period after the late tick, however late that is") {
  log(co_await ticks(*this, MissedTick::delay, 3s));
  log(co_await ticks(*this, MissedTick::delay, 4s));
  log(co_await ticks(*this, MissedTick::delay, 7s));
  expect("0@0 ; 2@3 ; 5@5 ; 7@7 ; 9@9 ; 0@0 ; 2@4 ; 6@6 ; 8@8 ; 10@10 ; 0@0 ; 2@7 ; 9@9 ; 11@11 ; 13@13");
}

APP_TEST("skip leaves the missed ticks out, and goes on at the next multiple of the period") {
  log(co_await ticks(*this, MissedTick::skip, 3s));
  log(co_await ticks(*this, MissedTick::skip, 7s));
  expect("0@0 ; 2@3 ; 4@4 ; 6@6 ; 8@8 ; 0@0 ; 2@7 ; 8@8 ; 10@10 ; 12@12");
  log.clear();
  // The task is ready again when the third tick is due. This tick may count as missed or not, so both results are
  // right.
  log(co_await ticks(*this, MissedTick::skip, 4s));
  CHECK((log.text() == "0@0 ; 2@4 ; 4@4 ; 6@6 ; 8@8" || log.text() == "0@0 ; 2@4 ; 6@6 ; 8@8 ; 10@10"));
}

APP_TEST("skip is the default") {
  auto interval = every(2s);
  co_await interval.tick();
  co_await errand::sleep(7s);
  co_await interval.tick();
  log((co_await interval.tick()).time_since_epoch());
  expect("8");
}

APP_TEST("a period that is not above zero is InvalidState, and any other duration will do, the largest too") {
  CHECK_THROWS_AS(every(0s), InvalidState);
  CHECK_THROWS_AS(every(-1ns), InvalidState);
  CHECK_THROWS_AS(every(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())), InvalidState);
  auto shortest = every(std::chrono::duration<int, std::pico>(1));
  for (int i = 0; i < 3; ++i) co_await shortest.tick();
  log(now().count());
  for (const auto missed : {MissedTick::burst, MissedTick::delay, MissedTick::skip}) {
    auto never = every(std::chrono::hours::max(), missed);
    co_await never.tick();
    try {
      co_await errand::wait_for(never.tick(), 24h * 365 * 10);
    } catch (const TimeoutError& e) {
      log(e);
    }
  }
  expect("2 ; TimeoutError ; TimeoutError ; TimeoutError");
}

APP_TEST("a late tick lets the others run, so that a task that is always late starves nobody") {
  auto interval = every(1s, MissedTick::burst);
  co_await interval.tick();
  clock.advance(3s);
  for (int i = 0; i < 3; ++i) {
    add([this] { log("other"); });
    log((co_await interval.tick()).time_since_epoch(), now());
  }
  expect("other ; 1 3 ; other ; 2 3 ; other ; 3 3");
}

APP_TEST("a cancellation while it waits, or lets others run, loses no tick") {
  auto interval = every(2s);
  const auto asked = [&](bool is_late) -> Coro<> {
    if (is_late) clock.advance(3s);
    try {
      co_await interval.tick();
    } catch (const Cancelled& e) {
      log("Cancelled", e.reason(), now());
    }
    log((co_await interval.tick()).time_since_epoch(), now());
  };
  co_await interval.tick();
  for (const bool is_late : {false, true}) {
    auto t = add(asked(is_late));
    co_await errand::yield();
    t.cancel("why");
    co_await t;
  }
  expect("Cancelled why 0 ; 2 2 ; Cancelled why 5 ; 4 5");
}

APP_TEST("a request in the turn in which the tick comes leaves it, and is thrown at the next suspension") {
  auto interval = every(2s);
  auto t = add([&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) log((co_await interval.tick()).time_since_epoch());
  });
  at(2s, [&] { t.cancel("why"); });
  co_await errand::wait_all(t);
  log(t.status(), now());
  expect("0 ; 2 ; cancelled 2");
}

APP_TEST("a time-out around a tick, and a race that it loses, leave it for the next time") {
  auto interval = every(3s);
  co_await interval.tick();
  try {
    co_await errand::wait_for(interval.tick(), 1s);
  } catch (const TimeoutError& e) {
    log(e, now());
  }
  const auto lost = co_await errand::race(interval.tick(), errand::sleep(1s));
  const auto won = co_await errand::race(interval.tick(), errand::sleep(5s));
  log(lost.index(), won.index(), std::get<0>(won.value()).time_since_epoch(), now());
  expect("TimeoutError 1 ; 1 0 3 3");
}
