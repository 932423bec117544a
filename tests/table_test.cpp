// SPDX-License-Identifier: MIT
// Tests of what a program shows of itself: the table of tasks, the table of a Deadlock, and the reported places at
// which tasks stand.
#include <algorithm>
#include <thread>

#include "held_fixture.hpp"

using errand::Event;

namespace {

// Each await stands on a line of its own, and the number of this line has a name.
constexpr int wait_line = __LINE__ + 1;
Coro<> wait_for_it(Event& event) { co_await event.wait(); }
constexpr int middle_line = __LINE__ + 1;
Coro<> middle(Event& event) { co_await wait_for_it(event); }
constexpr int outer_line = __LINE__ + 1;
Coro<> outer(Event& event) { co_await middle(event); }
constexpr int gather_line = __LINE__ + 1;
Coro<> both(Event& event) { co_await errand::gather(middle(event), errand::sleep(1h)); }
constexpr int around_line = __LINE__ + 1;
Coro<> around(Event& event) { co_await both(event); }
Coro<> depth(int n, Event& event) {
  if (n == 0) co_await event.wait();
  if (n > 0) co_await depth(n - 1, event);
}
constexpr int depth_line = __LINE__ - 2;
Coro<> limited(int n, Event& event) {
  if (n == 0) co_await event.wait();
  if (n > 0) co_await errand::wait_for(limited(n - 1, event), 2h);
}
constexpr int limited_line = __LINE__ - 2;

std::string place(int line) { return "table_test.cpp:" + std::to_string(line); }

constexpr int rest_line = __LINE__ + 1;
Coro<> rest() { co_await errand::sleep(1h); }

struct Table : support::HeldFixture {
  /// Returns the last column of the table.
  std::string waits() {
    std::istringstream rows(table());
    std::string row;
    std::getline(rows, row);
    const std::size_t column = row.find("waits for");
    std::string text;
    while (std::getline(rows, row)) text += row.substr(column) + "\n";
    return text;
  }
};

std::string repeated(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE_METHOD(Table, "a table has a row a task: its id, its name, its status, its age, and what it waits for") {
  add(outer(event), "worker:1");
  auto cancelled = add(errand::finally(wait_for_it(event), [this] { return wait_for_it(event); }));
  turns();
  time.advance(12500ms);
  const auto target = add(rest(), "größe");
  cancelled.cancel();
  turns();
  constexpr int line = __LINE__ + 1;
  add([target]() -> Coro<> { co_await target; }, "two\nlines");
  turns(1);
  add(rest());
  CHECK(table() ==
        "id  name       status      age     waits for\n"
        "1   worker:1   pending     12.5 s  event at " +
            place(wait_line) +
            "\n"
            "                                     from " +
            place(middle_line) +
            "\n"
            "                                     from " +
            place(outer_line) +
            "\n"
            "2   Task-2     cancelling  12.5 s  event at " +
            place(wait_line) +
            "\n"
            "3   größe      pending     0 ms    sleep at " +
            place(rest_line) +
            "\n"
            "4   two lines  pending     0 ms    task 'größe' at " +
            place(line) +
            "\n"
            "5   Task-5     pending     0 ms    not started\n");
}

TEST_CASE_METHOD(Table, "notes have a column, in one line each, as soon as one of the tasks has a note") {
  Task<> first = add(rest(), "first"), second = add(rest());
  turns();
  const std::string place = "sleep at " + ::place(rest_line) + "\n";
  CHECK(table() == "id  name    status   age   waits for\n1   first   pending  0 ms  " + place +
                       "2   Task-2  pending  0 ms  " + place);
  second.set_note("3 of\n9\x1b[2J");
  CHECK(table() == "id  name    status   age   note        waits for\n1   first   pending  0 ms              " + place +
                       "2   Task-2  pending  0 ms  3 of 9 [2J  " + place);
  second.set_note({});
  CHECK(table().find("note") == std::string::npos);
}

TEST_CASE("ages are right in an App that is never idle, whether it runs or is polled") {
  errand::ManualClock time(errand::ManualClock::held);
  App app("busy", {.clock = &time});
  Event event;
  std::ostringstream table;
  constexpr int line = __LINE__ + 5;
  const auto busy = [&]() -> Coro<> {
    for (int turn = 0; turn < 2000; ++turn) co_await errand::yield();
    time.advance(90s);
    app.add_task(rest(), "new");
    for (int turn = 0; turn < 2000; ++turn) co_await errand::yield();
    time.advance(30s);
    app.dump_tasks(table);
    event.set();
    app.stop();
  };
  app.add_task(wait_for_it(event), "old");
  SECTION("run") {
    app.add_task(busy, "busy");
    app.run();
  }
  SECTION("poll") {
    app.add_task(busy, "busy");
    while (app.poll()) {
    }
  }
  CHECK(table.str() ==
        "id  name  status   age    waits for\n"
        "1   old   pending  2 min  event at " +
            place(wait_line) +
            "\n"
            "2   busy  pending  2 min  running after " +
            place(line) + "\n" + "3   new   pending  30 s   sleep at " + place(rest_line) + "\n");
}

TEST_CASE("ages hardly change when many tasks come after: the first stays exact, the others within an eighth") {
  errand::detail::Ages ages;
  errand::Clock::time_point now;
  std::vector<errand::Clock::time_point> added;
  for (std::uint64_t id = 1; id <= 200'000; ++id) {
    now += std::chrono::microseconds(100 + id % 50 * 1000 * (id % 3));
    added.push_back(now);
    ages.note(id, now);
  }
  CHECK((ages.age(1, now) == now - added[0]));
  std::size_t wrong = 0;
  for (std::uint64_t id = 1; id <= added.size(); ++id) {
    const auto real = now - added[id - 1];
    const auto told = ages.age(id, now);
    wrong += told > real || told + told / 7 + 1ms < real;
  }
  CHECK(wrong == 0);
}

TEST_CASE_METHOD(Table, "what branches wait for stands below their combinator, one step further in") {
  add(around(event));
  turns();
  CHECK(waits() == "gather at " + place(gather_line) + "\n" + "    event at " + place(wait_line) + "\n" +
                       "      from " + place(middle_line) + "\n" + "    sleep\n" + "  from " + place(around_line) +
                       "\n");
}

TEST_CASE_METHOD(Table, "a table tells the combinator, and the members of a group by name") {
  constexpr int settled = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::gather_settled(event.wait()); });
  constexpr int race = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::race(event.wait()); });
  constexpr int limit = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::wait_for(event.wait(), 1h); });
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    group.add(wait_for_it(event), "member");
    co_await wait_for_it(event);
  };
  constexpr int in_body = __LINE__ - 2;
  constexpr int group = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::TaskGroup::run(body); });
  turns();
  CHECK(waits() == "gather_settled at " + place(settled) + "\n" +
                       "    event\n"
                       "race at " +
                       place(race) +
                       "\n"
                       "    event\n"
                       "wait_for at " +
                       place(limit) +
                       "\n"
                       "    event\n"
                       "TaskGroup at " +
                       place(group) +
                       "\n"
                       "    event at " +
                       place(wait_line) +
                       "\n"
                       "      from " +
                       place(in_body) +
                       "\n"
                       "    task 'member'\n"
                       "event at " +
                       place(wait_line) + "\n");
}

TEST_CASE_METHOD(Table, "a table tells who waits for several tasks, who is ready or yields, and who runs") {
  const auto waiter = add(wait_for_it(event));
  constexpr int any = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::wait_any(waiter); });
  std::string seen;
  constexpr int looked = __LINE__ + 2;
  const auto look = [&]() -> Coro<> {
    co_await errand::yield();
    event.set();
    seen = waits();
  };
  constexpr int looking = __LINE__ + 1;
  add([&]() -> Coro<> { co_await look(); });
  constexpr int yields = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::yield(); });
  turns();
  CHECK(seen == "ready at " + place(wait_line) + "\n" + "tasks at " + place(any) + "\n" + "running after " +
                    place(looked) + "\n" + "  from " + place(looking) + "\n" + "yield at " + place(yields) + "\n");
}

TEST_CASE_METHOD(Table, "nesting as deep as can be is cut short, and costs neither stack nor time") {
  add(depth(1'000'000, event));
  add(limited(100'000, event));
  turns();
  const std::string from = "  from " + place(depth_line) + "\n";
  const std::string limit = "wait_for at " + place(limited_line) + "\n";
  const std::string all = waits();
  CHECK(all == "event at " + place(depth_line - 1) + "\n" + repeated(8, from) + "  and over 1000 more\n" + limit +
                   std::string(4, ' ') + limit + std::string(8, ' ') + limit + std::string(12, ' ') + limit +
                   std::string(16, ' ') + limit + std::string(20, ' ') + "and 1 more\n");
  const auto begun = errand::Clock::now();
  for (int i = 0; i < 100; ++i) table();
  CHECK(errand::Clock::now() - begun < 2s);  // 20 ms each; a walk over the million would take ten times as long
}

TEST_CASE_METHOD(Table, "of many branches, levels or members some are shown, and the others counted") {
  std::vector<Coro<>> many;
  for (int i = 0; i < 11; ++i) many.push_back(depth(10, event));
  constexpr int line = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::gather(std::move(many)); });
  turns();
  const std::string cut =
      "    event at " + place(depth_line - 1) + "\n" + repeated(8, "      from " + place(depth_line) + "\n");
  CHECK(waits() == "gather at " + place(line) + "\n" + repeated(3, cut + "      and 2 more\n") + cut + "  ...\n");
}

TEST_CASE_METHOD(Table, "the members of a group that are not shown are counted") {
  const auto body = [](errand::TaskGroup& group) -> Coro<> {
    for (int i = 0; i < 100; ++i) group.add(rest());
    co_return;
  };
  constexpr int line = __LINE__ + 1;
  add([&]() -> Coro<> { co_await errand::TaskGroup::run(body); });
  turns();
  CHECK(waits().starts_with("TaskGroup at " + place(line) + "\n    task 'Task-2'\n"));
  CHECK(waits().find("    task 'Task-9'\n    and 92 more\n") != std::string::npos);
}

TEST_CASE_METHOD(Table, "a Deadlock shows fifty tasks with all that they wait for, and counts the others") {
  for (int i = 0; i < 52; ++i) add(outer(event));
  std::string what;
  try {
    app.run();
  } catch (const errand::Deadlock& error) {
    what = error.what();
  }
  const std::string wait = "event at " + place(wait_line) + "\n";
  const std::string nested = std::string(30, ' ') + "from " + place(middle_line) + "\n" + std::string(30, ' ') +
                             "from " + place(outer_line) + "\n";
  CHECK(
      what.starts_with("nothing can wake these tasks:\n"
                       "id  name     status   age   waits for\n"
                       "1   Task-1   pending  0 ms  " +
                       wait + nested + "2   Task-2   pending  0 ms  " + wait));
  CHECK(what.ends_with("50  Task-50  pending  0 ms  " + wait + nested + "and 2 more\n"));
}

TEST_CASE_METHOD(Table, "tasks that wait for each other tell in a Deadlock for whom") {
  Task<> first, second;
  constexpr int line = __LINE__ + 1;
  first = add([&]() -> Coro<> { co_await second; }, "first");
  second = add([&]() -> Coro<> { co_await first; }, "second");
  std::string what;
  try {
    app.run();
  } catch (const errand::Deadlock& error) {
    what = error.what();
  }
  CHECK(what ==
        "nothing can wake these tasks:\n"
        "id  name    status   age   waits for\n"
        "1   first   pending  0 ms  task 'second' at " +
            place(line) + "\n" + "2   second  pending  0 ms  task 'first' at " + place(line + 1) + "\n");
}

TEST_CASE_METHOD(Table,
                 "what stands at the end of the graceful timeout is reported with where it stands, in one line") {
  const auto stubborn = [&]() -> Coro<> {
    while (true) {
      try {
        co_await around(event);
      } catch (const Cancelled&) {
      }
    }
  };
  constexpr int line = __LINE__ - 5;
  add(stubborn, "stubborn");
  app.before_server_stop(stubborn);
  app.call_soon([this] { app.stop(); });
  while (app.poll()) time.advance(5s);
  const std::string stands = "gather at " + place(gather_line) + ", event at " + place(wait_line) + ", from " +
                             place(middle_line) + ", sleep, from " + place(around_line) + ", from " + place(line);
  CHECK(reports == std::vector<std::string>{
                       "task 'before_server_stop' was still standing at the end of the graceful timeout: " + stands,
                       "task 'stubborn' was still standing at the end of the graceful timeout: " + stands});
}

namespace {

/// A coroutine whose second step takes the given time.
constexpr int slow_line = __LINE__ + 2;
Coro<> slow_step(std::chrono::milliseconds time) {
  co_await errand::yield();
  std::this_thread::sleep_for(time);
}

}  // namespace

TEST_CASE("a slow step tells its task, how long it took, and the await in the user's code that it went on from") {
  std::vector<errand::SlowStep> steps;
  App app("app", {.slow_step = 30ms, .on_slow_step = [&](const errand::SlowStep& step) { steps.push_back(step); }});
  app.add_task(slow_step(40ms), "nested");
  app.add_task([] { std::this_thread::sleep_for(40ms); }, "first step");
  constexpr int line = __LINE__ + 3;
  app.add_task(
      []() -> Coro<> {
        co_await errand::race(errand::sleep(1ms), errand::sleep(1h));
        std::this_thread::sleep_for(40ms);
      },
      "after a race");
  app.call_soon([] { std::this_thread::sleep_for(40ms); });
  app.run();
  std::vector<std::string> told;
  for (const errand::SlowStep& step : steps) {
    CHECK((step.duration() >= 40ms));
    told.push_back(step.name() + ": " + step.place());
  }
  const std::string file = __FILE__;
  const std::vector<std::string> wanted = {
      "first step: ", "callback: ", "nested: " + file + ":" + std::to_string(slow_line),
      "after a race: " + file + ":" + std::to_string(line)};
  for (const std::string& each : wanted) CHECK(std::count(told.begin(), told.end(), each) == 1);
}
