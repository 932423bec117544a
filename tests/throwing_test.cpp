// SPDX-License-Identifier: MIT
// Tests of code of the user's that throws when the library calls, copies or moves it: which call or await the error
// comes out of, and what stays as it was.
#include <atomic>

#include "real_fixture.hpp"

namespace {

/// Can be copied and moved. If `times` is n, the n-th copy or move throws.
class Throws {
 public:
  explicit Throws(int& times) : times_(&times) {}
  Throws(const Throws& other) : times_(other.times_) { count(); }
  Throws(Throws&& other) : times_(other.times_) { count(); }
  template <class... Args>
  void operator()(const Args&...) const {}

 private:
  void count() const {
    if (*times_ > 0 && --*times_ == 0) throw runtime_error("copy");
  }

  int* times_;
};

/// A clock that throws while `is_broken` is true.
class BrokenClock : public errand::ClockSource {
 public:
  errand::Clock::time_point now() override {
    if (is_broken) throw runtime_error("clock");
    return errand::Clock::now();
  }
  bool is_broken = false;
};

/// A clock that calls `at_reading` at its next reading.
class BusyClock : public errand::ClockSource {
 public:
  errand::Clock::time_point now() override {
    if (const auto act = std::exchange(at_reading, nullptr)) act();
    return errand::Clock::now();
  }
  std::function<void()> at_reading;
};

/// A reactor that throws at its third wait.
class BrokenReactor : public errand::Reactor {
 public:
  void wait(std::optional<errand::Clock::time_point>) override {
    if (++waits_ == 3) throw runtime_error("reactor");
  }
  void wake() noexcept override {}

 private:
  int waits_ = 0;
};

/// An awaitable that is not the library's. It throws in the function that `where` names.
struct Foreign {
  enum Where { ready, suspend, resume } where;
  bool await_ready() const {
    if (where == ready) throw runtime_error("ready");
    return where == resume;
  }
  void await_suspend(std::coroutine_handle<>) const { throw runtime_error("suspend"); }
  void await_resume() const { throw runtime_error("resume"); }
};

template <class A>
Coro<> tell(A awaitable, support::Log& log) {
  try {
    co_await std::move(awaitable);
    log("nothing");
  } catch (const std::exception& error) {
    log(error.what());
  }
}

}  // namespace

APP_TEST("a callable whose copy throws is no task: add_task, create_task and TaskGroup::add throw it, and go on") {
  int times = 0;
  const Throws callable(times);
  const std::size_t before = app.all_tasks().size();
  times = 1;
  CHECK_THROWS_WITH(app.add_task(callable, "named"), "copy");
  CHECK(!app.find_task("named"));
  times = 1;
  CHECK_THROWS_WITH(errand::create_task(callable), "copy");
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    times = 1;
    CHECK_THROWS_WITH(group.add(callable), "copy");
    group.add(nap("member", 1s));
    co_return;
  };
  co_await errand::TaskGroup::run(body);
  CHECK(app.all_tasks().size() == before);
  expect("member start ; member end");
}

APP_TEST("a callback, a listener or a handler whose copy throws is not added: the call throws it") {
  int times = 0;
  const Throws callable(times);
  const auto refused = [&times](auto call) {
    times = 1;
    CHECK_THROWS_WITH(call(), "copy");
  };
  auto task = add(after(1s, 1));
  refused([&] { app.call_soon(callable); });
  refused([&] { app.call_later(1s, callable); });
  refused([&] { app.post(callable); });
  refused([&] { app.submit(callable); });
  refused([&] { task.add_done_callback(callable); });
  refused([&] { app.before_server_stop(callable); });
  refused([&] { app.add_signal("a.b.c", callable); });
  refused([&] { (void)errand::to_thread(callable); });
  co_await task;
  expect("");
}

APP_TEST("a result whose move throws fails the task, the branch and the await with that") {
  int times = 0;
  const auto give = [&times](int when) -> Coro<Throws> {
    Throws result(times);
    times = when;
    co_return result;
  };
  co_await tell(give(2), log);
  co_await tell(add(give(2)), log);
  co_await tell(errand::gather(give(2), after(1h, 1)), log);
  times = 0;
  const auto plain = [&times] {
    times = 1;
    return Throws(times);
  };
  co_await tell(add(plain), log);
  expect("copy ; copy ; copy ; copy");
}

APP_TEST("a result whose copy throws stays: the await throws that, the next gives it") {
  int times = 0;
  const auto give = [&times]() -> Coro<Throws> { co_return Throws(times); };
  auto task = add(give());
  co_await task;
  auto other = task;
  times = 1;
  co_await tell(std::move(other), log);
  CHECK_NOTHROW(Throws(task.result()));
  log(task.status());
  expect("copy ; succeeded");
}

APP_TEST("set_result whose value cannot be copied throws that, and the future is not done") {
  int times = 0;
  const Throws value(times);
  errand::Future<Throws> future;
  const auto shared = errand::Future<Throws>::shared();
  times = 1;
  CHECK_THROWS_WITH(future.set_result(value), "copy");
  times = 1;
  CHECK_THROWS_WITH(shared.set_result(value), "copy");
  CHECK(!future.done());
  CHECK(!shared.done());
  CHECK(future.set_result(value));
  CHECK(shared.set_result(value));
  co_await future;
  co_await shared;
}

APP_TEST("a value that a generator cannot move is thrown in it, and comes out of next") {
  int times = 0;
  const auto values = [&times]() -> errand::AsyncGenerator<Throws> {
    const Throws value(times);
    times = 1;
    co_yield value;
  };
  auto generator = values();
  co_await tell(generator.next(), log);
  const auto next = co_await generator.next();
  CHECK(!next);
  expect("copy");
}

APP_TEST("a predicate that throws comes out of the wait for a condition, also later") {
  errand::Condition condition;
  int calls = 0;
  const auto predicate = [&calls]() -> bool {
    if (++calls == 2) throw runtime_error("predicate");
    return false;
  };
  later(1s, [&condition] { condition.notify_all(); });
  co_await tell(condition.wait(predicate), log);
  CHECK(calls == 2);
  expect("predicate");
}

APP_TEST("what a foreign awaitable throws, in any of its three, comes out of the await") {
  co_await tell(Foreign{Foreign::ready}, log);
  co_await tell(Foreign{Foreign::suspend}, log);
  co_await tell(Foreign{Foreign::resume}, log);
  expect("ready ; suspend ; resume");
}

APP_TEST("an object of the context whose constructor throws is not there") {
  struct Fails {
    Fails() { throw runtime_error("constructor"); }
  };
  CHECK_THROWS_WITH(app.ctx().emplace<Fails>(), "constructor");
  CHECK(app.ctx().find<Fails>() == nullptr);
  co_return;
}

PLAIN_TEST("on_failure that throws is swallowed, with a line on std::cerr, and the loop goes on") {
  errand::AppConfig config;
  config.clock = &clock;
  config.on_failure = [](const errand::TaskFailure&) { throw runtime_error("on_failure"); };
  App other("other", config);
  int ran = 0;
  other.call_soon([] { throw runtime_error("first"); });
  other.add_task([] { throw runtime_error("second"); }, "task");
  other.call_later(1s, [&ran] { ++ran; });
  const support::CapturedCerr captured;
  other.run();
  CHECK(ran == 1);
  CHECK(captured.text() ==
        "errand: on_failure threw while it was told of 'callback': first\n"
        "errand: on_failure threw while it was told of 'task': second\n");
}

PLAIN_TEST("on_slow_step that throws is swallowed, with a line on std::cerr") {
  errand::AppConfig config;
  config.slow_step = 1ns;
  config.on_slow_step = [](const errand::SlowStep&) { throw runtime_error("on_slow_step"); };
  App other("other", config);
  const support::CapturedCerr captured;
  CHECK(other.run(after(1ms, 7)) == 7);
  CHECK(captured.text().find("errand: a slow step could not be reported\n") == 0);
}

TEST_CASE("a clock that throws at an await throws there, and in the loop it ends the run, and the next one works") {
  BrokenClock clock;
  support::Log log;
  errand::AppConfig config;
  config.clock = &clock;
  config.on_failure = [](const errand::TaskFailure& failure) {
    CHECK(failure.what() == "clock");
  };  // called for the failures after the first one
  App app("app", config);
  app.run([](BrokenClock& its_clock, support::Log& its_log) -> Coro<> {
    its_clock.is_broken = true;
    co_await tell(errand::sleep(1s), its_log);
    its_clock.is_broken = false;
  }(clock, log));
  int stops = 0;
  app.after_server_stop([&stops] { ++stops; });
  auto task = app.add_task([]() -> Coro<> {
    const support::CallsAtEnd at_the_end([] { CHECK(!current_task()); });
    co_await errand::sleep(1h);
  });
  const auto later = app.call_later(1h, [] {});
  errand::Event never;
  app.add_task([&clock, &never](App& its_app) -> Coro<> {
    co_await errand::sleep(1ms);
    its_app.call_soon([] {});  // makes the loop begin another turn at once
    const auto branch = [&clock, &never]() -> Coro<> {
      clock.is_broken = true;
      co_await never.wait();
    };
    co_await errand::gather(branch());
  });
  CHECK_THROWS_WITH(app.run(), "clock");
  CHECK(task.cancelled());
  CHECK(app.all_tasks().empty());
  CHECK_THROWS_WITH(app.run(support::Fixture::after(0s, 1)), "clock");
  clock.is_broken = false;
  CHECK(app.run(support::Fixture::after(1ms, 7)) == 7);
  CHECK(stops == 1);
  CHECK(log.text() == "clock");
}

TEST_CASE("a wait for tasks reads the clock if it has a time-out, and only then") {
  BrokenClock clock;
  support::Log log;
  errand::AppConfig config;
  config.clock = &clock;
  App app("app", config);
  app.run([](App& its_app, BrokenClock& its_clock, support::Log& its_log) -> Coro<> {
    const auto mend = [&]() -> Coro<> {
      its_clock.is_broken = false;
      co_return;
    };
    auto task = its_app.add_task(mend);
    const std::vector tasks = {task};
    its_clock.is_broken = true;
    co_await tell(errand::wait_all(tasks, 1s), its_log);
    const auto waited = co_await errand::wait_all(task);
    its_log(waited.done.size(), waited.pending.size());
  }(app, clock, log));
  CHECK(log.text() == "clock ; 1 0");
}

TEST_CASE("a clock that throws when stop asks a start listener to end ends that listener, and the run") {
  BrokenClock clock;
  support::Log log;
  errand::AppConfig config;
  config.clock = &clock;
  config.on_failure = [&log](const errand::TaskFailure& failure) {
    log(failure.what() == "clock" ? "clock" : "standing");
  };
  App app("app", config);
  bool breaks = true;
  app.before_server_start([&]() -> Coro<> {
    const support::LogsAtEnd says(log, "gone");
    if (breaks)
      app.call_soon([&] {
        app.stop();
        clock.is_broken = true;
      });
    co_await errand::sleep(1ms);
    log("slept");
  });
  CHECK_THROWS_WITH(app.run(), "clock");
  CHECK(log.text().starts_with("gone ; standing"));
  CHECK(log.text().find("slept") == std::string::npos);
  clock.is_broken = breaks = false;
  log.clear();
  CHECK(app.run(support::Fixture::after(1ms, 7)) == 7);
  CHECK(log.text() == "slept ; gone");
}

TEST_CASE("a clock that throws in a poll throws there, and the next poll goes on") {
  BrokenClock clock;
  errand::AppConfig config;
  config.clock = &clock;
  App app("app", config);
  auto task = app.add_task(support::Fixture::after(1ms, 7));
  for (int i = 0; i < 5; ++i) CHECK(app.poll());
  clock.is_broken = true;
  CHECK_THROWS_WITH(app.poll(), "clock");
  clock.is_broken = false;
  while (app.poll()) {
  }
  CHECK(task.result() == 7);
}

TEST_CASE("a clock may end a member of a group: the group goes on at once") {
  BusyClock clock;
  App app("app", {.clock = &clock});
  support::Log log;
  Task<> member;
  app.add_task([&]() -> Coro<> {
    auto body = [&](errand::TaskGroup& group) -> Coro<> {
      member = group.add(support::Fixture::after(1h));
      co_await errand::sleep(1ms);
    };
    co_await errand::TaskGroup::run(body);
    log("group");
  });
  app.add_task([&]() -> Coro<> {
    co_await errand::sleep(20ms);
    clock.at_reading = [&] { log(member.abort()); };
  });
  app.run();
  CHECK(log.text() == "true ; group");
}

TEST_CASE("a Reactor that throws ends the run where it stands, and the stop listeners of the next one run once") {
  BrokenReactor reactor;
  errand::AppConfig config;
  config.reactor = &reactor;
  App app("app", config);
  int stops = 0;
  app.before_server_stop([&stops] { ++stops; });
  auto task = app.add_task(support::Fixture::after(1h, 1));
  CHECK_THROWS_WITH(app.run(), "reactor");
  CHECK(task.cancelled());
  stops = 0;
  CHECK(app.run(support::Fixture::after(1ms, 7)) == 7);
  CHECK(stops == 1);
}

TEST_CASE("a listener whose copy for a worker throws: no worker starts, and run throws it") {
  App app("app");
  int times = 0;
  int starts = 0;
  app.before_server_start([&starts] { ++starts; });
  app.before_server_start(Throws(times));
  times = 1;
  CHECK_THROWS_WITH(app.run({.workers = 2}), "copy");
  CHECK(starts == 0);
  times = 0;
  app.run({.workers = 2});
  CHECK(starts == 2);
}

REAL_APP_TEST("an error of a thread call, of its result's move too, comes out of the await") {
  int times = 0;
  const auto fails = []() -> int { throw runtime_error("call"); };
  co_await tell(errand::to_thread(fails), log);
  const auto give = [&times] { return Throws(times); };
  auto call = errand::to_thread(give);
  times = 1;
  co_await tell(std::move(call), log);
  expect("call ; copy");
}

TEST_CASE("a clock may ask a task to end, or end what it waits for, as its wait begins") {
  BusyClock clock;
  App app("app", {.clock = &clock});
  support::Log log;
  const auto main = [&]() -> Coro<> {
    auto sleeper = app.add_task([&]() -> Coro<> {
      clock.at_reading = [task = errand::current_task()]() mutable { task.cancel(); };
      co_await errand::sleep(1h);
    });
    co_await errand::wait_all(sleeper);
    log(sleeper.cancelled());
    auto task = app.add_task(support::Fixture::after(1h));
    co_await errand::yield();
    const std::vector tasks = {task};
    clock.at_reading = [task]() mutable { task.abort(); };
    const auto waited = co_await errand::wait_any(tasks, 1h);
    log(waited.done.size());
  };
  app.run(main());
  CHECK(log.text() == "true ; 1");
}

TEST_CASE("a clock may end a wait at any reading before the loop goes to sleep") {
  support::Log log;
  for (int reading = 1; reading <= 3; ++reading) {
    BusyClock clock;
    App app("app", {.clock = &clock});
    errand::Event event;
    int reads = 0;
    std::function<void()> read = [&] {
      if (++reads == reading) {
        event.set();
      } else {
        clock.at_reading = read;
      }
    };
    const auto main = [&]() -> Coro<> {
      auto sleeper = app.add_task(support::Fixture::after(5s));
      co_await errand::yield();
      co_await errand::yield();
      clock.at_reading = read;
      const auto begun = errand::Clock::now();
      co_await event.wait();
      log(errand::Clock::now() - begun < 4s);
      sleeper.abort();
    };
    app.run(main());
  }
  CHECK(log.text() == "true ; true ; true");
}
