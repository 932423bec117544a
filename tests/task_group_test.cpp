// SPDX-License-Identifier: MIT
// Tests of TaskGroup, and tests that every combinator that owns its branches must pass, also if it is inside another
// one.
#include <memory>

#include "combinators.hpp"

using errand::gather;
using errand::gather_settled;
using errand::race;
using errand::TaskGroup;
using errand::wait_for;

namespace {

Coro<> fails_when_asked(std::string what) {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
    throw runtime_error(what);
  }
}
Coro<> goes_on_when_asked() {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
  }
}
Coro<> nothing(std::chrono::nanoseconds delay) { co_await errand::sleep(delay); }

std::vector<Coro<>> both(Coro<> a, Coro<> b) {
  std::vector<Coro<>> all;
  all.push_back(std::move(a));
  all.push_back(std::move(b));
  return all;
}

/// Each of these functions runs `a` and `b` in one kind of combinator.
Coro<> in_gather(Coro<> a, Coro<> b) { co_await gather(std::move(a), std::move(b)); }
Coro<> in_vector(Coro<> a, Coro<> b) { co_await gather(both(std::move(a), std::move(b))); }
Coro<> in_settled(Coro<> a, Coro<> b) { co_await gather_settled(std::move(a), std::move(b)); }
Coro<> in_race(Coro<> a, Coro<> b) { co_await race(std::move(a), std::move(b)); }
Coro<> in_group(Coro<> a, Coro<> b) {
  co_await TaskGroup::run([&](TaskGroup& group) -> Coro<> {
    group.add(std::move(a));
    co_await std::move(b);
  });
}
using Two = Coro<> (*)(Coro<>, Coro<>);
constexpr Two combinators[] = {in_gather, in_vector, in_settled, in_race, in_group};

Coro<> held(support::Log& log, std::string name) {
  const support::LogsAtEnd says(log, name);
  co_await tidy(log, name, 1s);
}
Coro<> holder(support::Log& log, Two two) {
  const support::LogsAtEnd says(log, "caller");
  co_await two(held(log, "a"), held(log, "b"));
}

/// Counts the frames of a scenario that exist, and its parts that have begun and that have cleaned up.
struct Tally {
  int alive = 0;
  int begun = 0;
  int cleaned = 0;
};
class Alive {
 public:
  explicit Alive(Tally& tally) : tally_(tally) { ++tally_.alive; }
  Alive(const Alive&) = delete;
  ~Alive() { --tally_.alive; }

 private:
  Tally& tally_;
};
Coro<int> part(Tally& tally, std::chrono::nanoseconds delay) {
  const Alive alive(tally);
  ++tally.begun;
  const auto clean = [&tally]() -> Coro<> {
    co_await errand::sleep(1ms);
    ++tally.cleaned;
  };
  co_return co_await errand::finally(support::Fixture::after(delay, 1), clean);
}
Coro<int> group_of_parts(Tally& tally) {
  const Alive alive(tally);
  co_return co_await TaskGroup::run([&](TaskGroup& group) -> Coro<int> {
    const auto member = group.add(part(tally, 2ms));
    group.add(part(tally, 3ms));
    const int own = co_await part(tally, 1ms);
    co_return own + co_await member;
  });
}
Coro<int> nested(Tally& tally) {
  const Alive alive(tally);
  const auto [a, b] = co_await gather(part(tally, 2ms), group_of_parts(tally));
  const auto first = co_await race(wait_for(group_of_parts(tally), 1s), part(tally, 8ms));
  const auto [timed_out, settled] =
      co_await gather_settled(race(wait_for(group_of_parts(tally), 3ms), part(tally, 8ms)), part(tally, 1ms));
  CHECK_THROWS_AS(timed_out.value(), TimeoutError);
  co_return a + b + std::get<0>(first.value()) + settled.value();
}

}  // namespace

APP_TEST("run gives what the body gives: a value, a reference, what can only be moved") {
  int target = 1;
  const auto value = [](TaskGroup& group) -> Coro<int> {
    const auto member = group.add([] { return 2; });
    co_return 1 + co_await member;
  };
  const auto reference = [&](TaskGroup&) -> Coro<int&> { co_return target; };
  const auto moved = [](TaskGroup&) -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(4); };
  const int three = co_await TaskGroup::run(value);
  int& given = co_await TaskGroup::run(reference);
  const auto four = co_await TaskGroup::run(moved);
  log(three, &given == &target, *four);
  expect("3 true 4");
}

APP_TEST("a member is a task: of a Coro or a callable, with an id, and a name that is not registered") {
  const auto body = [this](TaskGroup& group) -> Coro<> {
    const auto named = group.add(after(1s, 1), "named");
    const auto plain = group.add([](App& own) { return own.name(); });
    const auto self = group.add([]() -> Coro<bool> {
      co_await errand::yield();
      co_return current_task().name() == "caller";
    });
    log(named.name(), bool(app.find_task("named")), app.all_tasks().size());
    log(co_await plain, co_await self);
  };
  auto t = add([&]() -> Coro<> { co_await TaskGroup::run(body); }, "caller");
  co_await end_of(t, log);
  log(now());
  expect("named false 5 ; app false ; done ; 1");
}

APP_TEST("members may add members while one of them or the body is pending") {
  const auto body = [this](TaskGroup& group) -> Coro<> {
    const auto generation = [this, &group](auto& self, int n) -> Coro<> {
      co_await errand::sleep(1s);
      log(n);
      if (n > 0) group.add(self(self, n - 1));
    };
    group.add(generation(generation, 2));
    co_await errand::sleep(4s);
  };
  co_await TaskGroup::run(body);
  log(now());
  expect("2 ; 1 ; 0 ; 4");
}

APP_TEST(
    "add to a group that is ending because its caller was cancelled is InvalidState, and the work is destroyed unrun") {
  const auto body = [this](TaskGroup& group) -> Coro<> {
    group.add(tidy(log, "member", 2s));
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      CHECK_THROWS_AS(group.add(nap("never", 1s)), InvalidState);
      throw;
    }
  };
  auto t = add([&]() -> Coro<> { co_await TaskGroup::run(body); });
  later(1s, [&] { t.cancel("why"); });
  co_await end_of(t, log);
  co_await end_of(TaskGroup::run([](TaskGroup& group) -> Coro<> {
                    group.add(Coro<>());
                    co_return;
                  }),
                  log);
  expect("member asked why ; member cleaned ; TaskCancelled why ; InvalidState");
}

APP_TEST("a member that is aborted is no failure, and one that has not started when the group fails never runs") {
  Task<> aborted, unstarted;
  const auto body = [&](TaskGroup& group) -> Coro<> {
    aborted = group.add(nothing(1h));
    co_await errand::sleep(1s);
    aborted.abort();
    co_await errand::sleep(1s);
    log("on");
    unstarted = group.add(nap("never", 1s));
    throw runtime_error("failed");
  };
  co_await end_of(TaskGroup::run(body), log);
  log(aborted.status(), unstarted.status());
  expect("on ; failed ; cancelled cancelled");
}

APP_TEST("a body that throws Cancelled itself cancels the members, and Cancelled comes out of run") {
  const auto body = [this](TaskGroup& group) -> Coro<> {
    group.add(tidy(log, "member", 1s));
    co_await errand::sleep(1s);
    throw Cancelled("own");
  };
  co_await end_of(TaskGroup::run(body), log);
  expect("member asked ; member cleaned ; Cancelled own");
}

APP_TEST("if members and body fail, the first failure comes out and every other one is reported") {
  const auto body = [](TaskGroup& group) -> Coro<> {
    group.add(bad(1s, "1"));
    group.add(fails_when_asked("2"));
    group.add(bad(1s, "3"));
    co_await fails_when_asked("4");
  };
  co_await end_of(TaskGroup::run(body), log);
  co_await errand::yield();
  std::sort(reports.begin(), reports.end());
  expect("1", {"2", "3", "4"});
}

APP_TEST("a body that throws, or gives an empty Coro, before it is a coroutine ends the members all the same") {
  const auto throws = [this](TaskGroup& group) -> Coro<> {
    group.add(tidy(log, "a", 1s));
    throw runtime_error("failed");
  };
  const auto empty = [this](TaskGroup& group) {
    group.add(tidy(log, "b", 1s));
    return Coro<>();
  };
  co_await end_of(TaskGroup::run(throws), log);
  co_await end_of(TaskGroup::run(empty), log);
  CHECK(app.all_tasks().size() == 1);
  expect("failed ; InvalidState");
}

APP_TEST("if members swallow a request and go on, run waits for them, and gives the value") {
  const auto body = [](TaskGroup& group) -> Coro<> {
    group.add(goes_on_when_asked());
    co_return;
  };
  auto t = add([&]() -> Coro<> { co_await TaskGroup::run(body); });
  later(1s, [&] { t.cancel("why"); });
  co_await end_of(t, log);
  log(now(), t.status());
  expect("done ; 1 succeeded");
}

APP_TEST("a request reaches every member once, with its reason, and all clean-up is awaited") {
  for (const Two two : combinators) {
    log.clear();
    const auto begun = now();
    auto t = add(two(tidy(log, "a", 3s), tidy(log, "b", 3s)));
    later(1s, [&] { t.cancel("why"); });
    co_await end_of(t, log);
    log(now() - begun, t.status());
    expect("a asked why ; b asked why ; a cleaned ; b cleaned ; TaskCancelled why ; 4 cancelled");
  }
}

APP_TEST("the end of one member's clean-up does not interrupt that of another") {
  for (const Two two : combinators) {
    log.clear();
    auto t = add(two(tidy(log, "a", 1s), tidy(log, "b", 3s)));
    later(1s, [&] { t.cancel("why"); });
    co_await end_of(t, log);
    co_await end_of(wait_for(two(tidy(log, "c", 3s), tidy(log, "d", 1s)), 1s), log);
    expect(
        "a asked why ; b asked why ; a cleaned ; b cleaned ; TaskCancelled why ; c asked ; d asked ; d cleaned ; "
        "c cleaned ; TimeoutError");
  }
}

APP_TEST("a time-out around asks every member, without a reason, and awaits all clean-up") {
  for (const Two two : combinators) {
    log.clear();
    const auto begun = now();
    co_await end_of(wait_for(two(tidy(log, "a", 3s), tidy(log, "b", 3s)), 1s), log);
    log(now() - begun, current_task().cancelling());
    expect("a asked ; b asked ; a cleaned ; b cleaned ; TimeoutError ; 4 0");
  }
}

APP_TEST("an error of a clean-up beats the cancellation, whichever member it is of, and the second is reported") {
  for (const Two two : combinators) {
    log.clear();
    reports.clear();
    std::vector<Task<>> tasks;
    tasks.push_back(add(two(fails_when_asked("1"), nothing(1h))));
    tasks.push_back(add(two(nothing(1h), fails_when_asked("2"))));
    if (two != in_settled) tasks.push_back(add(two(fails_when_asked("3"), fails_when_asked("4"))));
    later(1s, [&] {
      for (auto& task : tasks) task.cancel("why");
    });
    for (auto& task : tasks) co_await end_of(task, log);
    if (two == in_settled) {  // gather_settled never throws the error of a branch
      expect("TaskCancelled why ; TaskCancelled why", {"1", "2"});
    } else {
      expect("1 ; 2 ; 3", {"4"});
    }
  }
}

APP_TEST(
    "what has ended in the turn of a request gives its results, and the request is thrown at the next suspension") {
  const auto work = [this](Two two) -> Coro<> {
    co_await two(nothing(1s), nothing(1s));
    log("value");
    co_await errand::sleep(1h);
  };
  for (const Two two : combinators) {
    for (const bool request_first : {true, false}) {
      // The members of a group are tasks, and the group still waits for their end.
      if (request_first && two == in_group) continue;
      log.clear();
      Task<> t;
      const auto ask = [&] { t.cancel("why"); };
      if (request_first) later(1s, ask);
      t = add(work(two));
      for (int i = 0; i < 3; ++i) co_await errand::yield();
      if (!request_first) later(1s, ask);
      co_await end_of(t, log);
      expect("value ; TaskCancelled why");
    }
  }
}

APP_TEST("if a member fails in the turn of a request, its error comes out") {
  for (const Two two : combinators) {
    for (const bool request_first : {true, false}) {
      log.clear();
      Task<> t;
      const auto ask = [&] { t.cancel("why"); };
      if (request_first) later(1s, ask);
      t = add(two(bad(1s, "failed"), nothing(1h)));
      for (int i = 0; i < 3; ++i) co_await errand::yield();
      if (!request_first) later(1s, ask);
      co_await end_of(t, log);
      if (two == in_settled) {
        expect("TaskCancelled why", {"failed"});
        reports.clear();
      } else {
        expect("failed");
      }
    }
  }
}

APP_TEST("abort destroys the members before their caller, and none of them cleans up") {
  for (const Two two : combinators) {
    log.clear();
    auto t = add(holder(log, two));
    co_await errand::sleep(1s);
    t.abort("why");
    CHECK((log.text() == "a ; b ; caller" || log.text() == "b ; a ; caller"));
    co_await end_of(t, log);
  }
}

PLAIN_TEST("the end of the App destroys the members before their caller, after any number of turns") {
  for (const Two two : combinators) {
    for (int turns = 0; turns < 6; ++turns) {
      log.clear();
      Task<> t;
      {
        App own;
        t = own.add_task(holder(log, two));
        for (int i = 0; i < turns; ++i) own.poll();
      }
      CHECK(t.cancelled());
      const std::string text = log.text();
      CHECK((text.empty() || text.find("caller") + 6 == text.size()));
      if (turns == 5) CHECK((text == "a ; b ; caller" || text == "b ; a ; caller"));
    }
  }
}

namespace {

enum class End { cancel, time_out, abort, destroy };

/// Runs the nested scenario for `turns` turns, and then ends it as `end` says. Returns whether it had succeeded
/// before.
bool end_nested(End end, int turns) {
  Tally tally;
  Task<int> t;
  errand::ManualClock clock;
  std::vector<std::string> failures;
  {
    App app("app", {.clock = &clock,
                    .on_failure = [&](const errand::TaskFailure& failure) { failures.push_back(failure.what()); }});
    t = app.add_task(end == End::time_out ? wait_for(nested(tally), 100us * turns) : nested(tally));
    bool running = true;
    for (int i = 0; i < turns && running && end != End::time_out; ++i) running = app.poll();
    if (!t.done()) {
      if (end == End::cancel) t.cancel("why");
      if (end == End::abort) t.abort("why");
      if (end == End::abort) CHECK(tally.alive == 0);
    }
    while (end != End::destroy && running) running = app.poll();
    if (t.done()) t.exception();
  }
  CHECK(tally.alive == 0);
  // A time-out that a race is about to throw is reported if the race is destroyed, or if the gather_settled around it
  // was asked to end.
  CHECK(failures.size() <= 1);
  for (const std::string& failure : failures) CHECK(failure == "timed out");
  CHECK(t.done());
  if (end == End::cancel || end == End::time_out) CHECK(tally.cleaned == tally.begun);
  if (t.status() != TaskStatus::succeeded) return false;
  CHECK(t.result() == 6);
  return true;
}

}  // namespace

TEST_CASE("gather, race, time-outs and groups inside each other can be ended anyhow after any number of turns") {
  for (const End end : {End::cancel, End::time_out, End::abort, End::destroy}) {
    int turns = 0;
    while (turns < 1000 && !end_nested(end, turns)) ++turns;
    CHECK(turns > 10);
    CHECK(turns < 1000);
  }
}

APP_TEST("a request that is pending when the body ends without an await that suspends ends the members") {
  const auto body = [&](TaskGroup& group) -> Coro<> {
    group.add(nap("a", 10h));
    co_return;
  };
  auto t = add([&]() -> Coro<> {
    current_task().cancel("why");
    co_await TaskGroup::run(body);
  });
  co_await end_of(t, log);
  log(now());
  expect("TaskCancelled why ; 0");
}

APP_TEST("a request that is pending when the body has ended reaches the members with its reason") {
  Task<> first, second;
  const auto body = [&](TaskGroup& group) -> Coro<> {
    first = group.add(nothing(10h));
    second = group.add(nothing(10h));
    co_return;
  };
  auto t = add([&]() -> Coro<> {
    current_task().cancel("why");
    co_await TaskGroup::run(body);
  });
  co_await end_of(t, log);
  for (const auto& member : {first, second}) {
    log(member.cancelling());
    co_await end_of(member, log);
  }
  expect("TaskCancelled why ; 1 ; TaskCancelled why ; 1 ; TaskCancelled why");
}

APP_TEST("a group that does not suspend throws no pending request: the next await that suspends does") {
  const auto body = [&](TaskGroup&) -> Coro<int> { co_return 1; };
  auto t = add([&]() -> Coro<> {
    current_task().cancel("why");
    log(co_await TaskGroup::run(body));
    const auto around = [&](TaskGroup&) -> Coro<int> { co_return 1 + co_await TaskGroup::run(body); };
    log(co_await TaskGroup::run(around));
    co_await errand::yield();
    log("never");
  });
  co_await end_of(t, log);
  auto taken_back = add([&]() -> Coro<> {
    current_task().cancel("why");
    log(co_await TaskGroup::run(body));
    current_task().uncancel();
    co_await errand::yield();
    log("on");
  });
  co_await end_of(taken_back, log);
  expect("1 ; 2 ; TaskCancelled why ; 1 ; on ; done");
}

namespace {

/// Adds a member to a group when it is destroyed, or logs that the group refuses it.
struct Adder {
  Adder(TaskGroup& its_group, support::Log& its_log) : group(&its_group), log(&its_log) {}
  Adder(Adder&& other) noexcept : group(std::exchange(other.group, nullptr)), log(other.log) {}
  ~Adder() {
    if (!group) return;
    try {
      group->add([] {});
    } catch (const InvalidState&) {
      (*log)("refused");
    }
  }
  TaskGroup* group;
  support::Log* log;
};

Coro<Adder> gives_adder(TaskGroup& group, support::Log& log) { co_return Adder(group, log); }

}  // namespace

APP_TEST("a group that is over takes no member from the destructor of the last one's result") {
  const auto body = [&](TaskGroup& group) -> Coro<> {
    group.add(gives_adder(group, log));
    co_return;
  };
  co_await TaskGroup::run(body);
  expect("refused");
}

APP_TEST("groups in groups, 10,000 deep, are cancelled and aborted") {
  struct Nested {
    static Coro<> in(int depth, int& alive) {
      struct Counted {
        explicit Counted(int& its_count) : count(its_count) { ++count; }
        ~Counted() { --count; }
        int& count;
      } const counted(alive);
      if (depth == 0) {
        co_await errand::sleep(1h);
      } else {
        const auto body = [depth, &alive](TaskGroup& group) -> Coro<> {
          group.add(in(depth - 1, alive));
          co_return;
        };
        co_await TaskGroup::run(body);
      }
    }
  };
  int alive = 0;
  for (const bool abort : {false, true}) {
    auto t = add(Nested::in(10'000, alive));
    co_await errand::sleep(1s);
    CHECK(alive == 10'001);
    abort ? t.abort() : t.cancel();
    co_await errand::wait_all(t);
    CHECK(t.cancelled());
    CHECK(alive == 0);
  }
}

APP_TEST("a member whose copy asks the task of its group to end is asked as well, or refused") {
  struct Work {
    Work() = default;
    Work(const Work&) { current_task().cancel("why"); }
    Coro<> operator()() { co_await errand::sleep(1h); }
  };
  const auto body = [](TaskGroup& group) -> Coro<> {
    Work work;
    try {
      group.add(work);
    } catch (const InvalidState&) {  // this is right too: the member never runs
    }
    co_await errand::sleep(2h);
  };
  const auto task = add([&]() -> Coro<> { co_await TaskGroup::run(body); });
  co_await errand::wait_all(task);
  log(task.cancelled(), now());
  expect("true 0");
}

APP_TEST("cancel of a group asks body and members with its reason, refuses more, and run returns as at a normal end") {
  const auto body = [&](TaskGroup& group) -> Coro<> {
    group.add(tidy(log, "member", 1s));
    later(1s, [&] {
      group.cancel("enough");
      group.cancel("again");
      try {
        group.add(support::Fixture::bad(0s, "too late"));
      } catch (const InvalidState&) {
        log("refused");
      }
    });
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      log("body asked");
    }
    co_await errand::sleep(2s);
  };
  co_await end_of(TaskGroup::run(body), log);
  log(now(), current_task().cancelling());
  co_await errand::sleep(1s);
  log(now());
  expect("refused ; member asked enough ; body asked ; member cleaned ; done ; 3 0 ; 4");
}

APP_TEST("an error of the body comes out of a group that was cancelled, and Cancelled if a value is missing") {
  const auto fails = [&](TaskGroup& group) -> Coro<> {
    later(1s, [&] { group.cancel("enough"); });
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("clean-up failed");
    }
  };
  co_await end_of(TaskGroup::run(fails), log);
  const auto gives = [&](TaskGroup& group) -> Coro<int> {
    later(1s, [&] { group.cancel("enough"); });
    co_await errand::sleep(1h);
    co_return 1;
  };
  try {
    log(co_await TaskGroup::run(gives));
  } catch (const Cancelled&) {
    log("Cancelled");
  }
  log(now());
  expect("clean-up failed ; Cancelled ; 2");
}
