// SPDX-License-Identifier: MIT
#include <thread>

#include "observed.hpp"
#include "support.hpp"

using errand::Observer;
using errand::ObserverPointer;
using errand::TaskEvent;

namespace {

/// Logs what it is told, without the times.
class Logger : public Observer {
 public:
  void task_added(const TaskEvent& event) override { log("added", event.name, by(event)); }
  void step_began(const TaskEvent& event) override { log("(", event.name); }
  void step_ended(const TaskEvent& event) override { log(")", event.what); }
  void woken(const TaskEvent& event) override { log("woken", event.name, by(event)); }
  void task_ended(const TaskEvent& event) override { log("ended", event.name, event.what); }

  support::Log log;

 private:
  static std::string by(const TaskEvent& event) { return event.cause ? "by " + std::to_string(event.cause) : ""; }
};

struct Observed {
  Logger logger;
  errand::ManualClock clock;
  errand::AppConfig config() { return {.clock = &clock, .observer = &logger}; }
};

Coro<> waits_for(errand::Event& event) { co_await event.wait(); }
Coro<> sets(errand::Event& event) {
  event.set();
  co_return;
}
Coro<> fails() {
  throw runtime_error("fails");
  co_return;
}
constexpr int rest_line = __LINE__ + 1;
Coro<> rest(std::chrono::seconds time) { co_await errand::sleep(time); }

}  // namespace

TEST_CASE("an Observer is told of everything in order, and who has caused it") {
  Observed its;
  {
    App app("app", its.config());
    errand::Event event;
    app.add_task(waits_for(event), "first");
    app.add_task(sets(event), "second");
    app.run();
  }
  CHECK(its.logger.log.text() ==
        "added first ; added second ; ( first ; ) event ; ( second ; woken first by 2 ; ended second succeeded ; ) ; "
        "( first ; ended first succeeded ; )");
}

TEST_CASE("a task that a task adds, a wake by a timer or a callback, and a yield are told with their cause") {
  Observed its;
  {
    App app("app", its.config());
    errand::Event event;
    const auto parent = [&]() -> Coro<> {
      app.add_task(waits_for(event), "child");
      co_await errand::yield();
      co_await errand::sleep(1s);
      app.call_soon([&event] { event.set(); });
    };
    app.add_task(parent, "parent");
    app.run();
  }
  CHECK(
      its.logger.log.text() ==
      "added parent ; ( parent ; added child by 1 ; ) yield ; ( child ; ) event ; ( parent ; ) sleep ; woken parent ; "
      "( parent ; ended parent succeeded ; ) ; woken child ; ( child ; ended child succeeded ; )");
}

TEST_CASE("a failure, a cancellation, an abort and a task that never began are told as such, once") {
  Observed its;
  {
    App app("app", its.config());
    const auto main = [&]() -> Coro<> {
      auto failed = app.add_task(fails(), "failed");
      auto cancelled = app.add_task(rest(1h), "cancelled");
      auto aborted = app.add_task(rest(1h), "aborted");
      co_await errand::yield();
      failed.exception();
      cancelled.cancel();
      aborted.abort();
      auto unbegun = app.add_task(rest(1h), "unbegun");
      unbegun.cancel();
      co_await errand::yield();
    };
    its.logger.log.clear();
    app.add_task(main, "main");
    app.add_task(rest(1h), "left");
    for (int i = 0; i < 4; ++i) app.poll();
  }
  CHECK(its.logger.log.text() ==
        "added main ; added left ; ( main ; added failed by 1 ; added cancelled by 1 ; added aborted by 1 ; ) yield ; "
        "( left ; ) sleep ; ( failed ; ended failed failed ; ) ; ( cancelled ; ) sleep ; ( aborted ; ) sleep ; "
        "( main ; woken cancelled by 1 ; ended aborted cancelled ; added unbegun by 1 ; ) yield ; "
        "( cancelled ; ended cancelled cancelled ; ) ; ( unbegun ; ended unbegun cancelled ; ) ; "
        "( main ; ended main succeeded ; ) ; ended left cancelled");
}

TEST_CASE("the steps of branches are steps of their task, and stand at the branch or its combinator") {
  Observed its;
  std::vector<std::string> places;
  class Places : public Logger {
   public:
    explicit Places(std::vector<std::string>& its_places) : places_(its_places) {}
    void step_ended(const TaskEvent& event) override {
      places_.push_back(event.what + " " + event.file + ":" + std::to_string(event.line));
    }

   private:
    std::vector<std::string>& places_;
  } observer(places);
  constexpr int line = __LINE__ + 1;
  const auto main = []() -> Coro<> { co_await errand::gather(errand::sleep(1s), rest(2s)); };
  {
    App app("app", {.clock = &its.clock, .observer = &observer});
    app.run(main());
  }
  const std::string at_line = " observer_test.cpp:" + std::to_string(line);
  const std::vector<std::string> expected{
      "gather" + at_line, "sleep" + at_line, "sleep observer_test.cpp:" + std::to_string(rest_line),
      "gather" + at_line, "ready" + at_line, " :0"};
  CHECK(places == expected);
}

TEST_CASE("the members of groups and scopes, the main task and signal handlers are observed, and listeners are not") {
  class Ends : public Logger {
   public:
    void step_began(const TaskEvent&) override {}
    void step_ended(const TaskEvent&) override {}
    void woken(const TaskEvent&) override {}
  } ends;
  errand::ManualClock clock;
  {
    App app("app", {.clock = &clock, .observer = &ends});
    app.before_server_start([](App&) -> Coro<> { co_await errand::sleep(1s); });
    app.add_signal("a.b.c", []() -> Coro<> { co_await errand::sleep(1s); });
    const auto main = [&]() -> Coro<> {
      co_await errand::TaskGroup::run([](errand::TaskGroup& group) -> Coro<> {
        group.add(rest(1s), "member");
        co_return;
      });
      errand::TaskScope scope(app);
      co_await scope.add(rest(1s), "scoped");
      co_await app.dispatch("a.b.c");
    };
    app.run(main());
  }
  CHECK(ends.log.text() ==
        "added Task-1 ; added member by 1 ; ended member succeeded ; added scoped by 1 ; ended scoped succeeded ; "
        "added Task-4 by 1 ; ended Task-4 succeeded ; ended Task-1 succeeded");
}

TEST_CASE("a task whose name is refused is not told") {
  Observed its;
  {
    App app("app", its.config());
    app.add_task(rest(1s), "name");
    CHECK_THROWS_AS(app.add_task(rest(1s), "name"), errand::TaskNameInUse);
    its.logger.log.clear();
  }
  CHECK(its.logger.log.text() == "ended name cancelled");
}

TEST_CASE("an event may be kept, and its times grow") {
  class Keeper : public Observer {
   public:
    void step_began(const TaskEvent& event) override { events.push_back(event); }
    void task_ended(const TaskEvent& event) override { events.push_back(event); }
    std::vector<TaskEvent> events;
  } keeper;
  {
    App app("app", {.observer = &keeper});
    app.add_task(rest(0s), "kept");
    app.run();
  }
  REQUIRE(keeper.events.size() == 3);
  CHECK(keeper.events[0].name == "kept");
  CHECK(keeper.events[0].time <= keeper.events[1].time);
  CHECK(keeper.events[2].what == "succeeded");
  CHECK(keeper.events[2].id == 1);
}

TEST_CASE("an Observer is told that the loop has slept, and how long") {
  class Sleeper : public Observer {
   public:
    void slept(errand::Clock::time_point from, errand::Clock::time_point to) override { total += to - from; }
    errand::Clock::duration total{};
  } sleeper;
  App app("app", {.observer = &sleeper});
  app.run(rest(0s));
  const bool slept_without_reason = sleeper.total > 0s;
  app.run([]() -> Coro<> { co_await errand::sleep(20ms); }());
  CHECK(!slept_without_reason);
  CHECK(sleeper.total >= 19ms);
  CHECK(app.stats().asleep == sleeper.total);
}

TEST_CASE("workers share an Observer, which is called by one of them at a time") {
  CheckingObserver observer;
  std::atomic<int> ended = 0;
  {
    App app("app", {.observer = &observer});
    app.add_task(
        [&ended](App& own) -> Coro<> {
          for (int i = 0; i < 50; ++i) {
            own.add_task([]() -> Coro<> { co_await errand::yield(); });
            co_await errand::sleep(100us);
          }
          ++ended;
          if (ended == 4) own.stop();
        },
        "busy");
    app.run({.workers = 4});
  }
  CHECK(ended == 4);
  CHECK(observer.fault().empty());
}

namespace {

struct Nothing : Observer {};
struct AddsOnly : Observer {
  void task_added(const TaskEvent&) override {}
};
struct AddsAndEnds : AddsOnly {
  void task_ended(const TaskEvent&) override {}
};
struct Private : Observer {
 private:
  void woken(const TaskEvent&) override {}
};
struct Overloaded : Observer {
  void step_began(const TaskEvent&) override {}
  void step_began(int) {}
};

unsigned overridden(ObserverPointer pointer) {
  unsigned members = 0;
  for (unsigned member = 1; member < 64; member *= 2) members |= pointer.overrides(member) ? member : 0;
  return members;
}

}  // namespace

TEST_CASE("an ObserverPointer knows which members the class of the observer overrides") {
  using Member = ObserverPointer::Member;
  Observer base;
  Nothing nothing;
  AddsOnly adds;
  AddsAndEnds both;
  Private hidden;
  Overloaded overloaded;
  CHECK(overridden(nullptr) == 0);
  CHECK(overridden(static_cast<Nothing*>(nullptr)) == 0);
  CHECK(overridden(&base) == 0);
  CHECK(overridden(&nothing) == 0);
  CHECK(overridden(&adds) == Member::task_added);
  CHECK(overridden(&both) == (Member::task_added | Member::task_ended));
  CHECK(overridden(&hidden) == Member::woken);
  CHECK(overridden(&overloaded) == Member::step_began);
  // If the class of the object is not known, all members may be overridden.
  CHECK(overridden(static_cast<Observer*>(&adds)) == 63);
  CHECK(overridden(static_cast<AddsOnly*>(&both)) == 63);
  CHECK(overridden(static_cast<Observer*>(&base)) == 0);
}

TEST_CASE("a configuration without an observer, or with one by a conditional, compiles") {
  AddsOnly adds;
  for (const bool is_on : {false, true}) {
    const errand::AppConfig config{.observer = is_on ? &adds : nullptr};
    CHECK((config.observer == nullptr) == !is_on);
    Observer* const plain = config.observer;
    CHECK(plain == (is_on ? &adds : nullptr));
  }
}

TEST_CASE("a listener that races is not observed") {
  Observed its;
  {
    App app("app", its.config());
    errand::Event event;
    app.before_server_start([&event](App&) -> Coro<> { co_await errand::race(event.wait(), errand::sleep(1s)); });
    app.run();
  }
  CHECK(its.logger.log.text().empty());
}

TEST_CASE("a task that gets its name later is told under it") {
  Observed its;
  {
    App app("app", its.config());
    auto task = app.add_task(rest(1s));
    app.add_task(task, "late");
    app.run();
  }
  CHECK(its.logger.log.text() == "added Task-1 ; ( late ; ) sleep ; woken late ; ( late ; ended late succeeded ; )");
}

TEST_CASE("a task for all workers is told by each, also if the run stops before the task starts") {
  CheckingObserver observer;
  {
    App app("app", {.observer = &observer});
    app.add_task([](App&) -> Coro<> { co_await errand::sleep(1h); }, "copied");
    app.before_server_start([](App& own) { own.stop(); }, 1);
    app.run({.workers = 3});
  }
  CHECK(observer.fault().empty());
}
