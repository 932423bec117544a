// SPDX-License-Identifier: MIT
// What happens seldom: handles and awaitables that are left unused, lists that are swept, requests at odd moments.
#include <functional>
#include <thread>

#include "real_fixture.hpp"

namespace {

/// The setter of a future, as an error of the user's own class and as a pointer to one.
struct Broken : std::runtime_error {
  Broken() : runtime_error("broken") {}
};

}  // namespace

APP_TEST("a future takes an error as an object and as a pointer, and gives the same error") {
  errand::Future<int> by_object, by_pointer;
  by_object.set_exception(Broken());
  by_pointer.set_exception(std::make_exception_ptr(Broken()));
  const auto shared_by_object = errand::Future<int>::shared(), shared_by_pointer = errand::Future<int>::shared();
  shared_by_object.set_exception(Broken());
  shared_by_pointer.set_exception(std::make_exception_ptr(Broken()));
  const auto look = [this](auto& future) -> Coro<> {
    try {
      co_await future;
    } catch (const Broken& error) {
      log(error.what());
    }
  };
  co_await look(by_object);
  co_await look(by_pointer);
  co_await look(shared_by_object);
  co_await look(shared_by_pointer);
  expect("broken ; broken ; broken ; broken");
}

APP_TEST("an empty ScopedTask cancels nothing, and one takes a task later") {
  errand::ScopedTask<int> scoped;
  const Task<int> task = add(nap("task", 1s));
  {
    errand::ScopedTask<int> owner(task);
    scoped = std::move(owner);
  }
  co_await errand::yield();
  CHECK_FALSE(task.done());
  scoped = {};
  co_await errand::yield();
  co_await errand::yield();
  expect("task start ; task cancelled");
}

APP_TEST("a ScopedTask that is destroyed on another thread while its App runs asks nothing") {
  const Task<int> task = add(nap("task", 1s));
  auto scoped = std::make_unique<errand::ScopedTask<int>>(task);
  co_await errand::yield();
  std::thread([&scoped] { scoped.reset(); }).join();
  CHECK(task.cancelling() == 0);
  co_await task;
  expect("task start ; task end");
}

APP_TEST("events that everybody has left are forgotten, those with a waiter or a handler are not") {
  int handled = 0;
  app.add_signal("edge.kept.handler", [&handled] { ++handled; });
  const auto waiter = add([this]() -> Coro<int> {
    co_await app.event("edge.kept.waiter");
    co_return 1;
  });
  co_await errand::yield();
  for (int i = 0; i < 300; ++i) {
    try {
      co_await app.event("edge.left.n" + std::to_string(i), 1ms);
    } catch (const TimeoutError&) {
    }
  }
  co_await app.dispatch("edge.kept.handler");
  app.dispatch("edge.kept.waiter");
  const int woken = co_await waiter;
  CHECK(woken == 1);
  CHECK(handled == 1);
}

APP_TEST("a call for a thread that is never awaited is never made") {
  bool called = false;
  {
    [[maybe_unused]] const auto unused = errand::to_thread([&called] { called = true; });
  }
  co_await errand::yield();
  CHECK_FALSE(called);
}

APP_TEST("wait_any and wait_all with a time limit of nothing look, and yield") {
  const std::vector<Task<int>> tasks{add(nap("a", 1s)), add(nap("b", 2s))};
  const auto first = co_await errand::wait_any(tasks, 0s);
  CHECK(first.done.empty());
  const auto all = co_await errand::wait_all(tasks, 0s);
  CHECK(all.pending.size() == 2);
  co_await errand::wait_all(tasks);
  const auto late = co_await errand::wait_all(tasks, 0s);
  CHECK(late.done.size() == 2);
}

APP_TEST("of a race whose losers all fail, the result comes out, and every error is reported") {
  const auto fails_at_end = [](std::string what) -> Coro<int> {
    bool asked = false;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      asked = true;
    }
    if (asked) throw runtime_error(what);
    co_return 0;
  };
  const auto race = co_await errand::race(after(1s, 7), fails_at_end("first"), fails_at_end("second"));
  CHECK(race.index() == 0);
  std::sort(reports.begin(), reports.end());
  expect("", {"first", "second"});
}

PLAIN_TEST("a stop listener that nothing can wake is ended at once, and reported") {
  errand::Event never;
  app.before_server_stop([this, &never]() -> Coro<> {
    const support::Says end(log, "listener gone");
    co_await never.wait();
  });
  app.after_server_stop([this] { log("stopped at", now()); });
  app.run();
  CHECK(reports.size() == 1);
  expect("listener gone ; stopped at 0", reports);
}

APP_TEST("to sleep until a time that has passed is to yield") {
  add([this] { log("other"); });
  co_await errand::sleep_until(clock.now() - 1s);
  log("goes on at", now());
  expect("other ; goes on at 0");
}

TEST_CASE("a callback that is asked for while the App is being destroyed is destroyed at once, and never runs") {
  support::Log log;
  bool ran = false;
  {
    struct Asks {
      ~Asks() {
        const auto kept = std::make_shared<int>(1);
        const auto soon = app.call_soon([kept, &ran = ran] { ran = true; });
        const auto later = app.call_later(1ms, [kept, &ran = ran] { ran = true; });
        log(kept.use_count() == 1 ? "destroyed" : "kept", soon.cancelled(), later.cancelled());
      }
      App& app;
      bool& ran;
      support::Log& log;
    };
    App app("app");
    const auto work = [](App& own, bool& its_ran, support::Log& its_log) -> Coro<> {
      const Asks asks{own, its_ran, its_log};
      co_await errand::sleep(1h);
    };
    app.add_task(work(app, ran, log));
    app.poll();
    app.poll();
  }
  CHECK_FALSE(ran);
  CHECK(log.text().starts_with("destroyed"));
}

namespace {

using Act = std::function<void(Task<>&)>;

/// A task waits for branches that all end at an event, and is asked to end just then, so that none of them is thrown
/// the request. It acts before it goes on from there: when the second failure is reported, or a result goes. Then it
/// sleeps. Returns whether it has ended by the request.
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
    co_await errand::sleep(1s);
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
  co_await errand::gather(fails_at(event), fails_at(event));
};
const auto race_of_failures = [](errand::Event& event, Task<>&) -> Coro<> {
  co_await errand::race(ends_at(event), fails_at(event), fails_at(event));
};

/// A group whose member gives a result that acts when it goes.
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

/// The same, where what waits is a generator, which is dropped then.
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
  SECTION("it is not lost where the generator that awaits the combinator is dropped") {
    CHECK(is_cancelled_after_generator(gather_of_failures, act));
    CHECK(is_cancelled_after_generator(race_of_failures, act));
    CHECK(is_cancelled_after_generator(GroupOfResult{act}, act));
  }
}
