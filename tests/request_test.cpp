// SPDX-License-Identifier: MIT
// Tests of requests to end that come just when the wait of the task ends, or just after somebody else has asked the
// task to end. Each request must be thrown once, by the right await, and none may be lost.
#include <functional>

#include "combinators.hpp"

using errand::gather;
using errand::race;
using errand::sleep;
using errand::wait_for;
using support::end_of;

namespace {

using Act = std::function<void(Task<>&)>;

/// A task waits for branches that all end at an event. The task is asked to end just then, so no branch is thrown the
/// request. `act` is called before the task goes on: when the second failure is reported, or when a result is
/// destroyed. Then the task sleeps. Returns whether the request has ended the task.
template <class Wait>
bool is_cancelled_after(Wait wait, const Act& act) {
  Task<> task;
  errand::Event event;
  errand::ManualClock clock;
  errand::AppConfig config;
  config.clock = &clock;
  config.on_failure = [&](const errand::TaskFailure&) { act(task); };
  App app("app", config);
  const auto work = [&]() -> Coro<> {
    try {
      co_await wait(event, task);
    } catch (const std::exception&) {
    }
    co_await sleep(1s);
  };
  const auto main = [&]() -> Coro<> {
    task = errand::create_task(work);
    co_await errand::yield();
    co_await errand::yield();
    event.set();
    task.cancel("please");
    co_await errand::wait_all(task);
  };
  app.run(main());
  return task.cancelled();
}

Coro<> ends_at(errand::Event& event) { co_await event.wait(); }
Coro<> fails_at(errand::Event& event) {
  co_await event.wait();
  throw runtime_error("fails");
}
const auto gather_of_failures = [](errand::Event& event, Task<>&) -> Coro<> {
  co_await gather(fails_at(event), fails_at(event));
};
const auto race_of_failures = [](errand::Event& event, Task<>&) -> Coro<> {
  co_await race(ends_at(event), fails_at(event), fails_at(event));
};

/// Runs a group whose member has a result that calls `act` when it is destroyed.
struct GroupOfResult {
  struct Result {
    Result(const Act& its_act, Task<>& its_task) : act(&its_act), task(its_task) {}
    Result(Result&& other) noexcept : act(std::exchange(other.act, nullptr)), task(other.task) {}
    ~Result() {
      if (act) (*act)(task);
    }
    const Act* act;
    Task<>& task;
  };
  static Coro<Result> member(const Act& act, errand::Event& event, Task<>& task) {
    co_await event.wait();
    co_return Result(act, task);
  }
  Coro<> operator()(errand::Event& event, Task<>& task) const {
    const auto body = [&](errand::TaskGroup& group) -> Coro<> {
      group.add(member(act, event, task));
      co_return;
    };
    co_await errand::TaskGroup::run(body);
  }
  const Act& act;
};

template <class Wait>
errand::AsyncGenerator<int> after_wait(Wait wait, errand::Event& event, Task<>& task) {
  co_await wait(event, task);
  co_yield 1;
}

/// Like is_cancelled_after, but the wait is inside a generator, and the act is to drop this generator.
template <class Wait>
bool is_cancelled_after_generator(const Wait& wait, Act& act) {
  errand::AsyncGenerator<int> generator;
  act = [&generator](Task<>&) { generator = {}; };
  return is_cancelled_after(
      [&](errand::Event& event, Task<>& task) -> Coro<> {
        generator = after_wait(wait, event, task);
        co_await generator.next();
      },
      act);
}

}  // namespace

TEST_CASE("a request that no branch was thrown is pending as soon as the last of them has ended") {
  Act act = [](Task<>&) {};
  CHECK(is_cancelled_after(gather_of_failures, act));
  CHECK(is_cancelled_after(race_of_failures, act));
  CHECK(is_cancelled_after(GroupOfResult{act}, act));
  SECTION("it can be taken back before the combinator goes on") {
    act = [](Task<>& task) { task.uncancel(); };
    CHECK_FALSE(is_cancelled_after(gather_of_failures, act));
    CHECK_FALSE(is_cancelled_after(race_of_failures, act));
    CHECK_FALSE(is_cancelled_after(GroupOfResult{act}, act));
  }
  SECTION("it is not lost if the generator that awaits the combinator is dropped") {
    CHECK(is_cancelled_after_generator(gather_of_failures, act));
    CHECK(is_cancelled_after_generator(race_of_failures, act));
    CHECK(is_cancelled_after_generator(GroupOfResult{act}, act));
  }
}

namespace {

/// Waits for the event in a race. The tests put this race into other combinators.
Coro<> raced(errand::Event& event, Task<>&) { co_await race(ends_at(event), sleep(1h)); }
Coro<> raced_raw(errand::Event& event, Task<>&) { co_await race(event.wait(), sleep(1h)); }

/// Sleeps until it is asked to end, and then waits for an event in its clean-up.
Coro<> cleans_up(errand::Event& event) {
  bool is_asked = false;
  try {
    co_await sleep(1h);
  } catch (const Cancelled&) {
    is_asked = true;
  }
  co_await event.wait();
  if (is_asked) throw Cancelled("clean");
}
Coro<> gives_up(std::chrono::nanoseconds after) {
  try {
    co_await wait_for(sleep(1h), after);
  } catch (const TimeoutError&) {
  }
}

}  // namespace

TEST_CASE("a request that only losers of a race were thrown is still to come, whatever the race stands in") {
  const Act nothing = [](Task<>&) {};
  const auto in_all = [&](auto wait) {
    CHECK(is_cancelled_after(wait, nothing));
    const auto timed = [wait](errand::Event& event, Task<>& task) -> Coro<> {
      co_await wait_for(wait(event, task), 1h);
    };
    CHECK(is_cancelled_after(timed, nothing));
    const auto gathered = [wait](errand::Event& event, Task<>& task) -> Coro<> { co_await gather(wait(event, task)); };
    CHECK(is_cancelled_after(gathered, nothing));
    const auto raced_again = [wait](errand::Event& event, Task<>& task) -> Coro<> {
      co_await race(wait(event, task), sleep(1h));
    };
    CHECK(is_cancelled_after(raced_again, nothing));
    const auto grouped = [wait](errand::Event& event, Task<>& task) -> Coro<> {
      const auto body = [&](errand::TaskGroup&) -> Coro<> { co_await wait(event, task); };
      co_await errand::TaskGroup::run(body);
    };
    CHECK(is_cancelled_after(grouped, nothing));
    return timed;
  };
  in_all(in_all(raced));
  in_all(raced_raw);
}

APP_TEST("a request that a branch beside a race was thrown is not thrown again") {
  errand::Event event;
  int others = 0;
  auto task = add([&]() -> Coro<> {
    co_await end_of(gather(race(ends_at(event), sleep(1h)), sleep(1h)), log);
    ++others;
    co_await sleep(1s);
  });
  co_await sleep(1s);
  event.set();
  task.cancel("please");
  co_await task;
  log(now(), others, task.cancelling());
  expect("Cancelled please ; 2 1 1");
}

APP_TEST("a time-out that only losers of a race were thrown still comes") {
  errand::Event event;
  const auto work = [&]() -> Coro<> {
    co_await gather(race(ends_at(event), sleep(1h)));
    co_await sleep(1h);
  };
  later(2s, [&] { event.set(); });
  co_await end_of(wait_for(work(), 2s), log);
  log(now());
  expect("TimeoutError ; 2");
}

APP_TEST("a time-out of one's own is no request from outside") {
  const auto work = []() -> Coro<> {
    const auto body = []() -> Coro<> { co_return; };
    co_await gather(errand::finally(body, gives_up(2s)));  // the clean-up holds back the outer time-out
    co_await sleep(1h);
  };
  co_await end_of(wait_for(work(), 1s), log);
  log(now());
  errand::Event event;
  const auto raced_later = [&]() -> Coro<> {
    const auto first = [&]() -> Coro<> {
      co_await gives_up(1s);
      co_await event.wait();
    };
    co_await race(first(), sleep(1h));
    co_await sleep(1h);
  };
  auto task = add(end_of(wait_for(raced_later(), 2s), log));
  later(2s, [&] { event.set(); });
  co_await task;
  log(now());
  expect("TimeoutError ; 2 ; TimeoutError ; 4");
}

APP_TEST("a second request is thrown, though the first was and has been taken back") {
  errand::Event event;
  Task<> task;
  const auto takes_back = [&]() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const Cancelled&) {
      task.uncancel();
    }
    co_await event.wait();
  };
  const auto goes_on = []() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const Cancelled&) {
    }
    co_await sleep(1h);
  };
  task = add([&]() -> Coro<> {
    co_await race(takes_back(), goes_on());
    log("raced");
    co_await end_of(sleep(1s), log);
  });
  co_await sleep(1s);
  task.cancel("first");
  co_await sleep(1s);
  event.set();
  task.cancel("second");
  co_await errand::wait_all(task);
  log(task.cancelling());
  expect("raced ; Cancelled second ; 1");
}

APP_TEST("a time-out that was thrown stays one, though a request comes that is thrown no more") {
  errand::Event event;
  auto task = add([&]() -> Coro<> {
    co_await end_of(wait_for(cleans_up(event), 1s), log);
    co_await end_of(sleep(1s), log);
  });
  co_await sleep(2s);
  event.set();
  task.cancel("please");
  co_await task;
  expect("TimeoutError ; Cancelled please");
}

APP_TEST("gather_settled gives its outcomes, though a request comes that is thrown no more") {
  errand::Event event;
  const auto own = []() -> Coro<> {
    throw Cancelled("own");
    co_return;
  };
  auto task = add([&]() -> Coro<> {
    const auto [first, second] = co_await errand::gather_settled(own(), ends_at(event));
    log(first.cancelled(), second.has_value());
    co_await end_of(sleep(1s), log);
  });
  co_await sleep(1s);
  event.set();
  task.cancel("please");
  co_await task;
  expect("true true ; Cancelled please");
}

APP_TEST("a request that comes when a group has ended leaves it its result") {
  const Act act = [](Task<>& task) { task.cancel("please"); };
  errand::Event event;
  Task<> task;
  task = add([&]() -> Coro<> {
    const auto body = [&](errand::TaskGroup& group) -> Coro<int> {
      group.add(GroupOfResult::member(act, event, task));
      co_return 42;
    };
    log(co_await errand::TaskGroup::run(body));
    co_await end_of(sleep(1s), log);
  });
  co_await sleep(1s);
  event.set();
  co_await task;
  expect("42 ; Cancelled please");
}

APP_TEST("the owner of a group whose body has ended is thrown the first of two requests") {
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    group.add(tidy(log, "member", 5s));
    co_return;
  };
  auto task = add(end_of(errand::TaskGroup::run(body), log));
  co_await sleep(1s);
  task.cancel("first");
  co_await sleep(1s);
  task.cancel("second");
  co_await task;
  expect("member asked first ; member interrupted first ; Cancelled first");
}

namespace {

Coro<> waits() { co_await sleep(1h); }
Coro<> cleans_for(std::chrono::nanoseconds time) { co_await sleep(time); }
/// A wait with a clean-up, which begins at the first request and holds back all later requests.
Coro<> holds() { return errand::finally(waits(), cleans_for(5s)); }

}  // namespace

APP_TEST("a request that was thrown stays so, though a second one comes that is not thrown there") {
  const auto timed = []() -> Coro<> { co_await wait_for(holds(), 2s); };
  const auto timed_race = []() -> Coro<> { co_await wait_for(race(holds(), holds()), 2s); };
  const auto settled = []() -> Coro<> { co_await errand::gather_settled(holds()); };
  const auto twice = [this](auto work) -> Coro<> {
    auto task = add([&]() -> Coro<> {
      co_await end_of(work(), log);
      co_await end_of(sleep(1s), log);
    });
    co_await sleep(1s);
    task.cancel("one");
    co_await sleep(500ms);
    task.cancel("two");
    co_await task;
    log(task.cancelling());
  };
  co_await twice(timed);
  co_await twice(timed_race);
  co_await twice(settled);
  expect("Cancelled one ; Cancelled two ; 2 ; Cancelled one ; Cancelled two ; 2 ; Cancelled one ; Cancelled two ; 2");
}

APP_TEST("a time-out that was thrown stays so, though the time of one inside it comes") {
  const auto inner = [this]() -> Coro<> {
    std::exception_ptr thrown;
    try {
      co_await wait_for(holds(), 2s);
    } catch (const Cancelled& cancelled) {
      log("inner", cancelled.reason(), now());
      thrown = std::current_exception();
    }
    if (thrown) std::rethrow_exception(thrown);
  };
  co_await end_of(wait_for(inner(), 1s), log);
  expect("inner 6 ; TimeoutError");
}

namespace {

// These waits hold back all requests after the first one, and end with the first one.
constexpr auto alone = []() -> Coro<> { co_await holds(); };
constexpr auto beside_another = []() -> Coro<> { co_await gather(holds(), waits()); };
constexpr auto in_race = []() -> Coro<> { co_await race(holds(), waits()); };
constexpr auto against_another = []() -> Coro<> { co_await race(holds(), holds()); };

}  // namespace

APP_TEST("of two times, the one that comes first is thrown, and what it was for goes on with the other") {
  const auto within = [this](std::chrono::nanoseconds outer, std::chrono::nanoseconds inner, auto wait) -> Coro<> {
    const auto work = [&]() -> Coro<> {
      co_await end_of(wait_for(wait(), inner), log);
      co_await end_of(sleep(1s), log);
    };
    co_await end_of(wait_for(work(), outer), log);
  };
  const auto in_all = [&](std::chrono::nanoseconds outer, std::chrono::nanoseconds inner) -> Coro<> {
    co_await within(outer, inner, alone);
    co_await within(outer, inner, beside_another);
    co_await within(outer, inner, in_race);
    co_await within(outer, inner, against_another);
  };
  co_await in_all(2s, 1s);
  expect(
      "TimeoutError ; Cancelled ; done ; TimeoutError ; Cancelled ; done ; TimeoutError ; Cancelled ; done ; "
      "TimeoutError ; Cancelled ; done");
  log.clear();
  co_await in_all(1s, 3s);
  expect("Cancelled ; done ; done ; Cancelled ; done ; done ; Cancelled ; done ; done ; Cancelled ; done ; done");
}

APP_TEST("a second request is thrown, though the first was thrown in what won a race, and taken back since") {
  auto task = add([&]() -> Coro<> {
    const auto raced_first = []() -> Coro<> { co_await race(waits(), holds()); };
    const auto [raced] = co_await errand::gather_settled(raced_first());
    log(raced.cancelled());
    co_await end_of(sleep(1s), log);
  });
  co_await sleep(1s);
  task.cancel("first");
  co_await sleep(1s);
  task.uncancel();
  task.cancel("second");
  co_await task;
  expect("true ; Cancelled second");
}

APP_TEST("an error that comes out of a race uses up nothing, though the loser that it is of was thrown the request") {
  errand::Future<void> future;
  const auto fails = []() -> Coro<> {
    bool is_asked = false;
    while (!is_asked) {
      try {
        co_await errand::yield();  // so that this branch ends before the winner is resumed
      } catch (const Cancelled&) {
        is_asked = true;
      }
    }
    throw runtime_error("fails");
  };
  auto task = add([&]() -> Coro<> {
    co_await end_of(race(future, fails()), log);
    co_await end_of(sleep(1s), log);
  });
  co_await errand::yield();
  co_await errand::yield();
  future.set_exception(std::make_exception_ptr(Cancelled("future")));
  task.cancel("please");
  co_await task;
  expect("fails ; Cancelled please");
}

APP_TEST("a request that only losers were thrown is still to come if their race is dropped") {
  errand::Event event;
  Task<> task;
  errand::AsyncGenerator<int> generator;
  const auto race_of = [&]() -> errand::AsyncGenerator<int> {
    co_await race(ends_at(event), holds());
    co_yield 1;
  };
  generator = race_of();
  const auto next = [&]() -> Coro<> { co_await generator.next(); };
  task = add([&]() -> Coro<> {
    co_await end_of(next(), log);
    co_await end_of(sleep(1s), log);
  });
  co_await sleep(1s);
  event.set();
  task.cancel("please");
  co_await sleep(1s);
  generator = {};
  co_await task;
  expect("InvalidState ; Cancelled please");
}

APP_TEST("what was taken back is not thrown, though a time-out or a dropped generator ends the wait in the same turn") {
  Task<> task;
  const auto leaf = [this]() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const Cancelled& cancelled) {
      log("leaf", cancelled.reason());
      throw;
    }
  };
  task = add([&]() -> Coro<> { co_await end_of(wait_for(leaf(), 1s), log); });
  co_await errand::yield();
  later(1s, [&] {
    task.cancel("taken back");
    task.uncancel();
  });
  co_await task;
  for (const bool gathered : {false, true}) {
    errand::AsyncGenerator<int> generator;
    const auto waiting = [&]() -> errand::AsyncGenerator<int> {
      if (gathered) {
        co_await gather(waits());
      } else {
        co_await waits();
      }
      co_yield 1;
    };
    generator = waiting();
    const auto next = [&]() -> Coro<> { co_await generator.next(); };
    task = add([&]() -> Coro<> {
      co_await end_of(next(), log);
      co_await end_of(sleep(1s), log);
    });
    co_await sleep(1s);
    task.cancel("taken back");
    task.uncancel();
    generator = {};
    co_await task;
  }
  expect("leaf ; TimeoutError ; InvalidState ; done ; InvalidState ; done");
}

APP_TEST("a request that is still to come for a race keeps its reason, though a loser was thrown it") {
  errand::Event event;
  auto task = add([&]() -> Coro<> {
    co_await end_of(race(ends_at(event), holds()), log);
    co_await end_of(sleep(1s), log);
  });
  co_await sleep(1s);
  event.set();
  task.cancel("first");
  co_await sleep(1s);
  task.cancel("second");
  co_await task;
  expect("done ; Cancelled first");
}

APP_TEST(
    "a race that begins with a request pending is decided by the branch that suspends, not by one that never began") {
  const auto begins = [this]() -> Coro<> {
    log("begins");
    co_return;
  };
  const auto swallows = [this]() -> Coro<int> {
    try {
      co_await sleep(1h);
    } catch (const Cancelled& cancelled) {
      log("swallows", cancelled.reason());
    }
    co_await sleep(1s);
    co_return 1;
  };
  const auto swallowing_race = [&]() -> Coro<> { log((co_await race(swallows(), begins())).index()); };
  auto task = add([&]() -> Coro<> {
    current_task().cancel("first");
    co_await end_of(race(sleep(1h), begins()), log);
    co_await end_of(sleep(1s), log);
    current_task().cancel("second");
    co_await swallowing_race();
    co_await end_of(sleep(1s), log);
  });
  co_await task;
  expect("Cancelled first ; done ; swallows second ; 0 ; done");
}

APP_TEST("a request that is pending when a group begins, and that its body has no await for, reaches the members") {
  const auto member = [this]() -> Coro<> { co_await end_of(sleep(1h), log); };
  auto task = add([&]() -> Coro<> {
    current_task().cancel("please");
    const auto body = [&](errand::TaskGroup& group) -> Coro<> {
      group.add(member);
      co_return;
    };
    co_await end_of(errand::TaskGroup::run(body), log);
    co_await end_of(sleep(1s), log);
  });
  co_await task;
  expect("Cancelled please ; done");
  CHECK(now() == 1s);
}

APP_TEST("the time-out of a loser that is in its clean-up already is no failure, and its request is used up") {
  const auto loser = [this]() -> Coro<> {
    const auto cleanup = [this]() -> Coro<> {
      co_await sleep(2s);
      log("clean");
    };
    co_await end_of(wait_for(errand::finally(waits(), cleanup()), 1s), log);
    co_await end_of(sleep(1s), log);
  };
  co_await race(loser(), errand::yield());
  expect("clean ; Cancelled ; done");
  CHECK(reports.empty());
}

APP_TEST("a request of the task has its reason if a combinator had asked just before") {
  Task<> task;
  const auto loser = [this]() -> Coro<> { co_await end_of(sleep(1h), log); };
  const auto asks = [&]() -> Coro<> {
    co_await errand::yield();
    app.call_soon([&] { task.cancel("please"); });
  };
  task = add([&]() -> Coro<> { co_await race(asks(), loser()); });
  co_await task;
  expect("Cancelled please");
}

// If an error comes out of a combinator that was asked to end, the request is not used up.

APP_TEST("a session that is opened anew after each error of its gather ends at once when it is asked to") {
  errand::Queue<int> queue;
  int opened = 0;
  const auto consume = [&]() -> Coro<> {
    for (;;) co_await queue.get();
  };
  auto session = add([&]() -> Coro<> {
    for (;;) {
      ++opened;
      try {
        co_await errand::gather(consume(), errand::sleep(30s));
      } catch (const std::exception& e) {
        log(e.what());
      }
      co_await errand::sleep(5s);
    }
  });
  later(1s, [&] {
    queue.close();
    session.cancel("stop");
  });
  co_await errand::wait_all(session);
  log(session.cancelled(), opened, now());
  CHECK(log.text().ends_with(" ; true 1 1"));
  CHECK(reports.empty());
}

APP_TEST("a request stays if the error of a member comes out of a group, whether its body waits or has ended") {
  const auto member = []() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("clean-up failed");
    }
  };
  for (const bool body_waits : {false, true}) {
    auto task = add([&]() -> Coro<> {
      const auto body = [&](errand::TaskGroup& group) -> Coro<> {
        group.add(member);
        if (body_waits) co_await errand::sleep(2h);
      };
      for (int attempt = 1; attempt <= 3; ++attempt) {
        try {
          co_await errand::TaskGroup::run(body);
        } catch (const runtime_error& e) {
          log(e.what());
        }
        co_await errand::sleep(1s);
      }
    });
    later(1s, [&] { task.cancel("why"); });
    co_await errand::wait_all(task);
    co_await end_of(task, log);
  }
  log(now());
  expect("clean-up failed ; TaskCancelled why ; clean-up failed ; TaskCancelled why ; 2");
}

APP_TEST("a wait_for around a loop that tries again ends in TimeoutError in time, whatever fails inside it") {
  const auto gathered = []() -> Coro<> {
    co_await errand::gather(support::Fixture::bad(1s, "again"), errand::sleep(10s));
  };
  const auto raced = []() -> Coro<> { co_await errand::race(errand::sleep(2s), support::Fixture::bad(1s, "again")); };
  const auto grouped = []() -> Coro<> {
    const auto body = [](errand::TaskGroup& group) -> Coro<> {
      group.add(support::Fixture::bad(1s, "again"));
      co_await errand::sleep(10s);
    };
    co_await errand::TaskGroup::run(body);
  };
  const auto timed = []() -> Coro<> { co_await errand::wait_for(support::Fixture::bad(1s, "again"), 1s); };
  const auto try_often = [](auto attempt) -> Coro<> {
    for (int i = 0; i < 20; ++i) {
      try {
        co_await attempt();
      } catch (const runtime_error&) {
      }
    }
  };
  const auto play = [&](auto attempt) -> Coro<> {
    const auto start = now();
    co_await end_of(errand::wait_for(try_often(attempt), 5s), log);
    log(now() - start);
  };
  co_await play(gathered);
  co_await play(raced);
  co_await play(grouped);
  co_await play(timed);
  expect("TimeoutError ; 5 ; TimeoutError ; 5 ; TimeoutError ; 5 ; TimeoutError ; 5");
  reports.clear();
}

APP_TEST("a request stays if an error comes out of a race in a race, and ends the loop around them") {
  int tries = 0;
  Task<> task;
  later(1s, [&] { task.cancel("why"); });
  task = add([&]() -> Coro<> {
    while (++tries < 100) {
      try {
        co_await errand::race(errand::sleep(2s),
                              errand::race(support::Fixture::bad(1s, "first"), support::Fixture::bad(2s, "second")));
      } catch (const runtime_error&) {
      }
    }
  });
  co_await errand::wait_all(task);
  log(task.cancelled(), tries < 3, now() <= 2s);
  expect("true true true");
}

APP_TEST("the request with which a group ends its body stays if the error of a group inside comes out instead") {
  const auto inner = [](errand::TaskGroup& group) -> Coro<> {
    group.add(support::Fixture::bad(1s, "inner"));
    co_await errand::sleep(10s);
  };
  const auto outer = [&](errand::TaskGroup& group) -> Coro<> {
    group.add(support::Fixture::bad(1s, "outer"));
    try {
      co_await errand::TaskGroup::run(inner);
    } catch (const runtime_error& e) {
      log(e.what());
    }
    co_await errand::sleep(100s);
  };
  co_await end_of(errand::TaskGroup::run(outer), log);
  log(now());
  expect("inner ; outer ; 1");
}

APP_TEST("uncancel takes back a request that an error of a gather has left pending") {
  const auto fails = []() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("failed");
    }
  };
  auto task = add([&]() -> Coro<> {
    co_await end_of(errand::gather(fails(), errand::sleep(1h)), log);
    current_task().uncancel();
    co_await errand::sleep(1s);
    log("on");
  });
  later(1s, [&] { task.cancel(); });
  co_await errand::wait_all(task);
  log(task.status(), now());
  expect("failed ; on ; succeeded 2");
}

APP_TEST("after a request was thrown in one branch no other begins, though a second request comes") {
  const auto swallows = [&]() -> Coro<> {
    try {
      co_await errand::yield();
    } catch (const Cancelled& e) {
      log("swallows", e.reason());
    }
    current_task().cancel("second");
    co_await wait_for([]() -> Coro<> { co_return; }(), 2s);
  };
  const auto begins = [&]() -> Coro<> {
    log("begins");
    co_return;
  };
  auto task = add([&]() -> Coro<> {
    current_task().cancel("first");
    co_await end_of(gather(begins(), swallows(), begins()), log);
    co_await end_of(sleep(1h), log);
  });
  co_await task;
  expect("begins ; swallows first ; Cancelled first ; done");
}

APP_TEST("a request that a member of a group swallowed is used up, whatever the group stands in") {
  const auto member = [&]() -> Coro<> { co_await end_of(sleep(1h), log); };
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    group.add(member);
    co_return;
  };
  const auto group = [&]() -> Coro<> { co_await errand::TaskGroup::run(body); };
  auto task = add([&]() -> Coro<> {
    co_await errand::gather_settled(gather(group()), []() -> Coro<> { co_return; }());
    log("settled");
    co_await end_of(sleep(1h), log);
  });
  later(1s, [&] { task.cancel("why"); });
  co_await task;
  log(now());
  expect("Cancelled why ; settled ; done ; 3601");
}

APP_TEST("a request is used up by the Cancelled of a gather_settled, though a member's error has handed it back") {
  const auto fails = []() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("failed");
    }
  };
  auto task = add([&]() -> Coro<> {
    co_await end_of(errand::gather_settled(wait_for(fails(), 2h), sleep(2h)), log);
    co_await end_of(sleep(1h), log);
  });
  later(1s, [&] { task.cancel("why"); });
  co_await task;
  log(now());
  expect("Cancelled why ; done ; 3601", {"failed"});
}
