// SPDX-License-Identifier: MIT
// Tests of objects that end at an awkward moment: the awaited object, the task that awaits it, or the code that runs at
// that moment.
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "real_fixture.hpp"

using errand::Condition;
using errand::Future;
using errand::Lock;
using errand::Queue;
using errand::TaskGroup;
using errand::to_thread;
using errand::wait_all;
using errand::wait_for;
using support::CallsAtEnd;

namespace {

errand::AppConfig graceful(std::chrono::nanoseconds timeout) {
  errand::AppConfig config;
  config.graceful_timeout = timeout;
  return config;
}

constexpr int line_of_sleep = __LINE__ + 6;

/// Sleeps for ever, and swallows every request to end.
Coro<> stubborn() {
  for (;;) {
    try {
      co_await errand::sleep(10ms);
    } catch (const Cancelled&) {
    }
  }
}

/// Logs the result of a task, or what() of its error.
template <class T>
Coro<> outcome(Task<T> task, support::Log& log) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await task;
      log("done");
    } else {
      log(co_await task);
    }
  } catch (const std::exception& e) {
    log(e.what());
  }
}

/// Runs a group with one member.
Coro<> group_of(Coro<> member) {
  const auto body = [&member](TaskGroup& group) -> Coro<> {
    group.add(std::move(member));
    co_return;
  };
  co_await TaskGroup::run(body);
}

/// Aborts a task when it is destroyed, and logs "aborted" or the error that `abort` throws.
class AbortsAndLogs {
 public:
  AbortsAndLogs(Task<>& task, support::Log& log) : task_(&task), log_(&log) {}
  AbortsAndLogs(AbortsAndLogs&& other) noexcept : task_(std::exchange(other.task_, nullptr)), log_(other.log_) {}
  ~AbortsAndLogs() {
    if (!task_) return;
    try {
      task_->abort();
      (*log_)("aborted");
    } catch (const InvalidState& e) {
      (*log_)(e);
    }
  }

 private:
  Task<>* task_;
  support::Log* log_;
};

/// Throws at its third wait.
class FailingReactor : public errand::Reactor {
 public:
  void wait(std::optional<errand::Clock::time_point>) override {
    if (++waits_ == 3) throw runtime_error("reactor");
    std::this_thread::sleep_for(1ms);
  }
  void wake() noexcept override {}

 private:
  int waits_ = 0;
};

const std::string standing =
    "task 'stuck' was still standing at the end of the graceful timeout: sleep at lifetime_test.cpp:" +
    std::to_string(line_of_sleep);

}  // namespace

APP_TEST("a task cancelled after its shared future was set, and before it resumes, is cancelled, and the value stays") {
  auto f = Future<int>::shared();
  auto w = add([f]() -> Coro<int> { co_return co_await f; });
  co_await errand::yield();
  f.set_result(1);
  co_await errand::yield();
  w.cancel("r");
  co_await wait_all(w);
  log(w.status(), co_await f);
  expect("cancelled 1");
}

REAL_APP_TEST("a task cancelled after its thread call has returned, and before it resumes, gets the result") {
  std::atomic<bool> called = false;
  auto w = app.add_task([&]() -> Coro<> {
    log(co_await to_thread([&] { return called = true; }));
    co_await errand::sleep(1h);
  });
  co_await errand::yield();
  while (!called) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);
  co_await errand::yield();
  w.cancel("r");
  co_await wait_all(w);
  log(w.status());
  expect("true ; cancelled");
}

REAL_PLAIN_TEST("a stop in the turn in which a thread call comes back ends the run") {
  std::atomic<bool> called = false;
  const auto stop = [&] {
    while (!called) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(20ms);
    app.stop();
  };
  auto w = app.add_task([&]() -> Coro<> {
    app.call_later(1ms, stop);  // not before the task has begun, which takes longer on a slow machine
    co_await to_thread([&] { called = true; });
  });
  app.run();
  CHECK(w.done());
  CHECK(app.all_tasks().empty());
  expect("");
}

APP_TEST("what is destroyed after it woke a waiter, and before that resumes, throws InvalidState there") {
  auto lock = std::make_unique<Lock>();
  auto queue = std::make_unique<Queue<std::string>>();
  auto future = std::make_unique<Future<std::string>>();
  auto condition = std::make_unique<Condition>();
  std::optional<Lock::Guard> held(lock->try_acquire());
  std::vector<Task<>> tasks;
  tasks.push_back(add([&]() -> Coro<> { const auto guard = co_await lock->acquire(); }));
  tasks.push_back(add([&]() -> Coro<> { log(co_await queue->get()); }));
  tasks.push_back(add([&]() -> Coro<> { log(co_await *future); }));
  tasks.push_back(add([&]() -> Coro<> { co_await condition->wait([] { return false; }); }));
  co_await errand::yield();
  held.reset();
  queue->try_put("a text too long for the place inside a string");
  future->set_result("a text too long for the place inside a string");
  condition->notify_all();
  lock.reset(), queue.reset(), future.reset(), condition.reset();
  for (auto& task : tasks) co_await outcome(task, log);
  const std::string rest = " that was waited for has been destroyed";
  expect("the lock" + rest + " ; the queue" + rest + " ; the future" + rest + " ; the condition" + rest);
}

// Some compilers take the result of the first await only after the second await has ended.
APP_TEST("a Queue destroyed while a later await of the expression waits gives the item or InvalidState") {
  auto q = std::make_unique<Queue<int>>();
  const auto sum = [](int a, int b) { return a + b; };
  auto w = add([&]() -> Coro<int> { co_return sum(co_await q->get(), co_await after(10ms, 2)); });
  co_await errand::yield();
  q->try_put(1);
  co_await errand::yield();
  co_await errand::yield();
  q.reset();
  co_await outcome(w, log);
  CHECK((log.text() == "3" || log.text() == "the queue that was waited for has been destroyed"));
}

APP_TEST("if the destructor of a local throws after the co_return, the task fails with that") {
  struct Throws {
    ~Throws() noexcept(false) { throw runtime_error("destructor"); }
  };
  auto t = add([]() -> Coro<std::string> {
    const Throws throws;
    co_return "a text too long for the place inside a string";
  });
  co_await outcome(t, log);
  log(t.status());
  expect("destructor ; failed");
}

PLAIN_TEST("a result that nobody takes is destroyed outside any task") {
  const auto note = [this] { log("current", bool(current_task())); };
  add([&]() -> Coro<CallsAtEnd<decltype(note)>> { co_return CallsAtEnd<decltype(note)>(note); });
  app.run();
  expect("current false");
}

APP_TEST("the body of a group may be a plain function that adds members and returns a Coro") {
  const auto work = [this](int i) -> Coro<> {
    co_await errand::yield();
    log(i);
  };
  const auto body = [&](TaskGroup& group) -> Coro<> {
    group.add(work(1));
    return work(2);
  };
  co_await TaskGroup::run(body);
  log("over");
  CHECK((log.text() == "1 ; 2 ; over" || log.text() == "2 ; 1 ; over"));
}

TEST_CASE("a group ends exactly once if on_failure aborts its last member") {
  support::Log log;
  Task<> last;
  errand::AppConfig config;
  config.on_failure = [&](const errand::TaskFailure& failure) {
    log("report", failure.what());
    last.abort();
  };
  App app("app", config);
  const auto fails_when_asked = []() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("second");
    }
  };
  const auto body = [&](TaskGroup& group) -> Coro<> {
    group.add(support::Fixture::bad(1ms, "first"));
    group.add(fails_when_asked());
    last = group.add(stubborn());
    co_return;
  };
  auto group = [&]() -> Coro<> { co_await TaskGroup::run(body); };
  app.run(outcome(app.add_task(group), log));
  log(last.status());
  last = {};
  CHECK(log.text() == "report second ; first ; cancelled");
}

TEST_CASE("a local of a member may abort the parent while the App destroys both") {
  support::Log log;
  Task<> parent;
  const auto member = [&]() -> Coro<> {
    const AbortsAndLogs aborts(parent, log);
    co_await errand::sleep(1h);
  };
  {
    App app;
    parent = app.add_task(group_of(member()));
    for (int i = 0; i < 4; ++i) app.poll();
    CHECK(log.text().empty());
  }
  log(parent.status());
  CHECK(log.text() == "aborted ; cancelled");
}

PLAIN_TEST("a member that aborts its parent, itself or by an argument, gets InvalidState, and both go on") {
  Task<> parent;
  const auto member = [&](AbortsAndLogs) -> Coro<> {
    co_await errand::yield();
    {
      const AbortsAndLogs aborts(parent, log);
    }
    log("on");
  };
  parent = add(group_of(member(AbortsAndLogs(parent, log))));
  app.run();
  log(parent.status());
  expect("InvalidState ; on ; InvalidState ; succeeded");
}

TEST_CASE("on_failure may abort the standing task that it is told of") {
  auto config = graceful(30ms);
  std::string report;
  config.on_failure = [&](const errand::TaskFailure& failure) {
    report = failure.what();
    Task<>(failure.task()).abort();
  };
  App app("app", config);
  auto t = app.add_task(stubborn(), "stuck");
  app.call_later(5ms, [&] { app.stop(); });
  app.run();
  CHECK(t.status() == TaskStatus::cancelled);
  CHECK(report == standing);
}

TEST_CASE("the report of a standing task goes to its handlers, and the future of its submission is ready") {
  support::RealFixture fixture(graceful(30ms));
  fixture.app.add_signal("server.exception.report", [&] { fixture.log("handled"); });
  auto f = fixture.app.submit(stubborn(), "stuck");
  fixture.app.call_later(5ms, [&] { fixture.app.stop(); });
  fixture.app.run();
  REQUIRE(f.wait_for(0s) == std::future_status::ready);
  CHECK_THROWS_AS(f.get(), TaskCancelled);
  fixture.expect("handled", {standing});
}

PLAIN_TEST("what handlers and listeners hold may use signals and add listeners while the App is destroyed") {
  {
    App own;
    const auto use = [&] {
      own.dispatch("a.b.c");
      own.add_signal("a.b.d", [this] { log("called"); });
      own.after_server_start([this] { log("called"); });
      log("gone");
    };
    for (const char* event : {"a.b.c", "a.b.x"}) {
      own.add_signal(event, [this, end = CallsAtEnd(use)] { log("called"); });
      own.after_server_start([this, end = CallsAtEnd(use)] { log("called"); });
    }
  }
  expect("gone ; gone ; gone ; gone");
}

APP_TEST("a generator moved while its next value is awaited gives that value") {
  const auto numbers = []() -> errand::AsyncGenerator<int> {
    co_await errand::sleep(5ms);
    co_yield 7;
  };
  std::vector<errand::AsyncGenerator<int>> generators;
  generators.push_back(numbers());
  auto t = add([&]() -> Coro<std::optional<int>> { co_return co_await generators[0].next(); });
  co_await errand::yield();
  generators.reserve(generators.capacity() + 100);
  log(co_await t);
  expect("7");
}

REAL_APP_TEST("a thread call awaited a second time throws InvalidState") {
  auto call = to_thread([] { return 1; });
  const auto c = [&]() -> Coro<int> { co_return co_await call; };
  co_await outcome(app.add_task(c()), log);
  co_await outcome(app.add_task(c()), log);
  expect("1 ; this thread call has been awaited already");
}

APP_TEST("a wait for an event that has timed out can be awaited again") {
  auto w = app.event("a.b.c", 5ms);
  const auto c = [&]() -> Coro<> { co_await w; };
  co_await outcome(add(c()), log);
  later(1ms, [this] { app.dispatch("a.b.c"); });
  co_await outcome(add(c()), log);
  log(now());
  expect("timed out waiting for 'a.b.c' ; done ; 0.006");
}

APP_TEST("what a combinator is given by name may go before its coroutine begins") {
  errand::Event event;
  Queue<int> queue(1);
  const auto both = [&] {
    const auto wait = event.wait();
    auto put = queue.put(7);
    const auto signal = app.event("a.b.c");
    const auto delay = errand::sleep(5ms);
    return errand::gather(wait, put, signal, errand::wait_for(delay, 1s), errand::race(wait, signal));
  };
  auto coro = both();
  later(1ms, [&] {
    event.set();
    app.dispatch("a.b.c");
  });
  co_await std::move(coro);
  log(now(), *queue.try_get());
  expect("0.005 7");
}

APP_TEST("a put by name of an item that cannot be copied gives it once") {
  Queue<std::unique_ptr<int>> queue;
  auto put = queue.put(std::make_unique<int>(7));
  const auto c = [&]() -> Coro<> { co_await put; };
  for (int i = 0; i < 2; ++i) co_await outcome(add(c()), log);
  log(queue.size());
  log(**queue.try_get());
  expect("done ; the item of this put has been given away already ; 1 ; 7");
}

APP_TEST("a wait for an event that was moved into an await can be awaited again") {
  auto w = app.event("a.b.c", 5ms);
  const auto c = [&]() -> Coro<> { co_await std::move(w); };
  for (int i = 0; i < 2; ++i) co_await outcome(add(c()), log);
  expect("timed out waiting for 'a.b.c' ; timed out waiting for 'a.b.c'");
}

APP_TEST("two tasks may await the same awaitable, each for itself") {
  errand::Event e;
  auto w = e.wait();
  const auto shares = [&]() -> Coro<> { co_await w; };
  const auto moves = [&]() -> Coro<> { co_await std::move(w); };
  auto first = add(shares());
  auto second = add(moves());
  later(5ms, [&] { e.set(); });
  co_await outcome(add(moves()), log);
  co_await outcome(first, log);
  co_await outcome(second, log);
  expect("done ; done ; done");
}

TEST_CASE("shutdown_tasks run after its App has ended throws InvalidState") {
  auto gone = std::make_unique<App>();
  auto shutdown = gone->shutdown_tasks(1s);
  gone.reset();
  App other;
  CHECK_THROWS_AS(other.run(std::move(shutdown)), InvalidState);
}

PLAIN_TEST("a listener that is a plain function has no current task") {
  app.before_server_start([this] { log(bool(current_task())); });
  app.run();
  expect("false");
}

APP_TEST("a branch that cancels its own task before the others start: the request is thrown once") {
  auto t = add([this]() -> Coro<> {
    const auto a = []() -> Coro<> {
      current_task().cancel("why");
      co_return;
    };
    try {
      co_await errand::gather(a(), after(1ms));
    } catch (const Cancelled& e) {
      log("cancelled", e.reason());
    }
    co_await errand::sleep(1ms);
    log("slept", now());
  });
  co_await wait_all(t);
  log(t.status());
  expect("cancelled why ; slept 0.001 ; succeeded");
}

PLAIN_TEST("a second stop does not interrupt the clean-up of a start listener") {
  app.before_server_start([this]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      log("clean-up", now());
    }
    co_await errand::sleep(30ms);
    log("cleaned", now());
  });
  later(5ms, [this] { app.stop(); });
  later(15ms, [this] { app.stop(); });
  app.run();
  expect("clean-up 0.005 ; cleaned 0.035");
}

APP_TEST("as_completed of the current task throws InvalidState") {
  const auto c = []() -> Coro<> {
    auto completed = errand::as_completed(std::vector<Task<>>{current_task()});
    co_await completed.next();
  };
  co_await outcome(add(c(), "self"), log);
  expect("task 'self' awaits itself");
}

APP_TEST("a notification whose task is aborted before it resumes goes to the next waiter") {
  Condition c;
  const auto wait = [&](std::string name) -> Coro<> {
    co_await c.wait();
    log(name);
  };
  auto a = add(wait("a"));
  auto b = add(wait("b"));
  co_await errand::yield();
  c.notify_one();
  a.abort();
  co_await errand::sleep(1ms);
  log(a.status(), b.status());
  expect("b ; cancelled succeeded");
}

TEST_CASE("what a Reactor throws comes out of run, and the App can run again") {
  FailingReactor reactor;
  errand::AppConfig config;
  config.reactor = &reactor;
  App app("app", config);
  int steps = 0;
  app.add_task([&]() -> Coro<> {
    for (; steps < 100; ++steps) co_await errand::sleep(1ms);
  });
  CHECK_THROWS_WITH(app.run(), "reactor");
  CHECK(steps < 100);
  CHECK(app.all_tasks().empty());
  CHECK(app.run(support::Fixture::after(1ms, 7)) == 7);
}

APP_TEST("an awaiter that was awaited by a task which has ended can be awaited by another") {
  errand::Event event;
  auto wait = event.wait();
  const auto awaits = [&]() -> Coro<> { co_await wait; };
  add(awaits);
  co_await errand::yield();
  co_await errand::yield();
  event.set();
  co_await errand::yield();
  co_await errand::yield();
  co_await wait;
  log("again");
  expect("again");
}

APP_TEST("a callable cannot abort its own task, nor what is around it, while it is called") {
  const auto text = std::make_shared<std::string>("kept");
  const auto abort_itself = [&log = log, text] {
    try {
      current_task().abort();
    } catch (const InvalidState& e) {
      log(e.what());
    }
    log(*text);
    return 1;
  };
  const auto abort_itself_first = [abort_itself]() -> Coro<int> { return Fixture::after(1s, abort_itself()); };
  const auto plain = add(abort_itself, "plain");
  const auto coro = add(abort_itself_first, "coro");
  log(co_await plain, co_await coro);
  expect("task 'plain' cannot be aborted from inside ; kept ; task 'coro' cannot be aborted from inside ; kept ; 1 1");
}

APP_TEST("a callable that asks its own task to end is called once") {
  int calls = 0;
  const auto task = add([&] {
    ++calls;
    current_task().cancel("own");
    return [](Fixture& test) -> Coro<> {
      try {
        co_await errand::sleep(1s);
      } catch (const Cancelled& cancelled) {
        test.log(cancelled.reason());
      }
      co_await errand::sleep(1s);
      test.log("end");
    }(*this);
  });
  co_await task;
  log(calls);
  expect("own ; end ; 1");
}

namespace {

/// When this is destroyed after the end of the task, it logs the status of the task, and looks at the task's error.
class LooksAtEnd {
 public:
  LooksAtEnd(support::Log& log, Task<>& task) : log_(&log), task_(task) {}
  LooksAtEnd(LooksAtEnd&& other) noexcept : log_(std::exchange(other.log_, nullptr)), task_(other.task_) {}
  ~LooksAtEnd() {
    if (!log_ || !task_ || !task_.done()) return;
    try {
      (*log_)(task_.status());
      task_.result();
    } catch (const TaskCancelled& e) {
      (*log_)(e);
    } catch (const std::exception& e) {
      (*log_)(e.what());
    }
  }

 private:
  support::Log* log_;
  Task<>& task_;
};

}  // namespace

APP_TEST("what goes at the end of a task may look at how it ended, and that is not reported then") {
  Task<> task;
  const auto ends = [](LooksAtEnd, bool cancelled) -> Coro<> {
    co_await errand::yield();
    if (cancelled) throw Cancelled("why");
    throw runtime_error("coroutine");
  };
  const auto no_task = [] { return 0; };
  for (const bool cancelled : {false, true}) {
    task = add(ends(LooksAtEnd(log, task), cancelled));
    co_await errand::sleep(1ms);
  }
  task = add([looks = LooksAtEnd(log, task)] { throw runtime_error("callable"); });
  co_await errand::sleep(1ms);
  task = add(no_task);
  co_await errand::sleep(1ms);
  expect("failed ; coroutine ; cancelled ; TaskCancelled why ; failed ; callable");
}

TEST_CASE("on_failure may abort the task of a branch whose error comes late") {
  support::Log log;
  errand::ManualClock clock;
  errand::AppConfig config;
  config.clock = &clock;
  config.on_failure = [&log](const errand::TaskFailure& failure) {
    Task<> of = failure.task();
    const bool aborted = of.abort();
    log(failure.what(), aborted, static_cast<bool>(current_task()));
  };
  App app("app", config);
  const auto fails_late = []() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    throw runtime_error("late");
  };
  const auto both = [&]() -> Coro<> { co_await errand::gather(support::Fixture::bad(1s, "first"), fails_late()); };
  const auto task = app.add_task(both);
  app.run();
  // The report of "late" aborts the task. The abort destroys the gather, which then reports "first", the error that it
  // kept.
  CHECK(log.text() == "first false false ; late true false");
  CHECK(task.cancelled());
}

TEST_CASE("on_slow_step may abort the task of a branch") {
  support::Log log;
  errand::AppConfig config;
  config.slow_step = 1ms;
  Task<> task;
  config.on_slow_step = [&](const errand::SlowStep&) {
    const bool aborted = task.abort();
    log(aborted, static_cast<bool>(current_task()));
  };
  App app("app", config);
  const auto slow = []() -> Coro<> {
    std::this_thread::sleep_for(5ms);
    co_await errand::sleep(1h);
  };
  const auto both = [&]() -> Coro<> { co_await errand::gather(slow(), support::Fixture::after(1h)); };
  task = app.add_task(both);
  app.run();
  CHECK(log.text() == "true false");
}

namespace {

/// Throws when it is destroyed.
struct ThrowsAtEnd {
  ThrowsAtEnd() = default;
  ~ThrowsAtEnd() noexcept(false) { throw runtime_error("at the end"); }
};

using Counted = std::shared_ptr<int>;

Coro<Counted> gives_twice(Counted first, Counted second) {
  try {
    const ThrowsAtEnd at_end;
    co_return first;
  } catch (const runtime_error&) {
  }
  co_await errand::sleep(1s);
  co_return second;
}

}  // namespace

APP_TEST("a result that a destructor's exception made void is destroyed, whatever comes after") {
  const auto first = std::make_shared<int>(1), second = std::make_shared<int>(2);
  const auto counts = [&] { log(first.use_count(), second.use_count()); };
  const auto inner = [&]() -> Coro<> { co_await gives_twice(first, second); };
  {
    const Counted given = co_await gives_twice(first, second);
    log(*given);
  }
  counts();
  {
    auto given = add(gives_twice(first, second));
    log(*co_await std::move(given));
  }
  counts();
  co_await errand::gather(gives_twice(first, second), gives_twice(first, second));
  counts();
  for (auto task : {Task<>(add(gives_twice(first, second))), Task<>(add(inner))}) {
    co_await errand::yield();
    co_await errand::yield();
    task.abort();
  }
  co_await errand::yield();
  counts();
  expect("2 ; 1 1 ; 2 ; 1 1 ; 1 1 ; 1 1");
}

namespace {

template <class Wait>
Coro<> wait_for_lvalue(Wait& wait) {
  co_await wait;
}

}  // namespace

APP_TEST("a wait that stands outside of its task ends with it, and may be awaited again") {
  errand::Event event;
  Queue<int> queue;
  auto future = Future<int>::shared();
  auto event_wait = event.wait();
  auto get = queue.get();
  auto future_wait = future;
  {
    const Task<> tasks[] = {add(wait_for_lvalue(event_wait)), add(wait_for_lvalue(get)),
                            add(wait_for_lvalue(future_wait))};
    co_await errand::yield();
    for (Task<> task : tasks) task.abort();
  }
  event.set();
  queue.try_put(7);
  future.set_result(8);
  co_await errand::sleep(1ms);
  co_await event_wait;
  log(co_await get, co_await future_wait);
  expect("7 8");
}

TEST_CASE("a thread call or a shared future that stands outside of its task does not wake it once it is gone") {
  auto future = Future<int>::shared();
  std::promise<void> go;
  {
    App app;
    auto call = to_thread([&go] { go.get_future().wait(); });
    auto wait = future;
    const auto cancelled_first = [&]() -> Coro<> {
      try {
        co_await wait;
      } catch (const Cancelled&) {
      }
      co_await wait;
    };
    app.run([](App& its_app, Coro<> waits, auto& its_call, std::promise<void>& may_go, auto& value) -> Coro<> {
      auto calls = its_app.add_task(wait_for_lvalue(its_call));
      auto again = its_app.add_task(std::move(waits));
      co_await errand::sleep(1ms);
      calls.abort();
      again.cancel();
      co_await errand::sleep(1ms);
      again.abort();
      calls = {};
      again = {};
      value.set_result(1);
      may_go.set_value();
      co_await errand::sleep(10ms);
    }(app, cancelled_first(), call, go, future));
  }
}

namespace {

/// Starts a task that awaits an object by its name or, if `is_moved`, by std::move. The object is destroyed while the
/// task waits.
template <bool is_moved, class Wait>
Coro<Task<>> start_and_lose(support::Log& log, Wait given) {
  const auto outside = std::make_unique<Wait>(std::move(given));
  const auto waits = [](auto& wait, support::Log& its_log) -> Coro<> {
    using Given = std::conditional_t<is_moved, Wait&&, Wait&>;
    if constexpr (std::is_void_v<errand::detail::Awaited<Given>>) {
      co_await static_cast<Given>(wait);
    } else {
      const auto given_there = co_await static_cast<Given>(wait);
      (void)given_there;
    }
    its_log("woken");
  };
  Task<> task = errand::create_task(waits(*outside, log));
  co_await errand::yield();
  co_return task;
}

/// Tries each way to wait twice. The tasks of the second time are aborted.
template <bool is_moved>
Coro<> lose_all(App& app, support::Log& log) {
  errand::Event event;
  Queue<std::unique_ptr<int>> full(1), empty, to_close;
  errand::Semaphore semaphore(1);
  full.try_put(nullptr);
  Lock lock;
  Condition condition;
  errand::Barrier barrier(2);
  auto future = Future<int>::shared();
  errand::Broadcast<int> broadcast;
  auto mine = broadcast.subscribe();
  errand::Watch<int> watch(0);
  auto held = std::make_optional(co_await lock.acquire());
  std::vector<Task<>> tasks;
  for (const bool goes_on : {true, false}) {
    tasks.push_back(co_await start_and_lose<is_moved>(log, event.wait()));
    tasks.push_back(co_await start_and_lose<is_moved>(log, full.put(std::make_unique<int>(1))));
    tasks.push_back(co_await start_and_lose<is_moved>(log, empty.get()));
    tasks.push_back(co_await start_and_lose<is_moved>(log, to_close.next()));
    tasks.push_back(co_await start_and_lose<is_moved>(log, semaphore.acquire(2)));
    tasks.push_back(co_await start_and_lose<is_moved>(log, lock.acquire()));
    tasks.push_back(co_await start_and_lose<is_moved>(log, condition.wait()));
    if (goes_on) tasks.push_back(co_await start_and_lose<is_moved>(log, barrier.wait()));
    tasks.push_back(co_await start_and_lose<is_moved>(log, future));
    tasks.push_back(co_await start_and_lose<is_moved>(log, mine.next()));
    tasks.push_back(co_await start_and_lose<is_moved>(log, watch.wait([](int value) { return value > 0; })));
    tasks.push_back(co_await start_and_lose<is_moved>(log, app.event("a.b.c")));
    tasks.push_back(co_await start_and_lose<is_moved>(log, errand::sleep(1s)));
    if (!goes_on) {
      for (std::size_t i = tasks.size() / 2 + 1; i < tasks.size(); ++i) tasks[i].abort();
    }
  }
  event.set();
  co_await full.get();
  co_await empty.put(nullptr);
  to_close.close();
  semaphore.release();
  held.reset();
  condition.notify_one();
  co_await barrier.wait();
  future.set_result(2);
  broadcast.send(1);
  watch.set(1);
  app.dispatch("a.b.c");
  for (std::size_t i = 0; i < 12; ++i) co_await tasks[i];
}

}  // namespace

APP_TEST("an awaitable with a name may go before the task that awaits it") {
  co_await lose_all<false>(app, log);
  expect("woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken");
}

APP_TEST("an awaitable that was moved into an await may go before the task that awaits it") {
  co_await lose_all<true>(app, log);
  expect("woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken ; woken");
}

APP_TEST("a wait for an event that was cancelled may be awaited again, with its time-out from the start") {
  auto wait = std::make_unique<errand::EventWait>(app.event("a.b.c", 2s));
  const auto task = add([](Fixture& test, auto& event) -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      try {
        co_await *event;
        test.log("signal");
      } catch (const Cancelled&) {
        test.log("cancelled", test.now());
      } catch (const TimeoutError&) {
        test.log("timeout", test.now());
      }
    }
    event = nullptr;
    co_await errand::sleep(10s);
  }(*this, wait));
  co_await errand::sleep(1s);
  Task<>(task).cancel();
  co_await task;
  expect("cancelled 1 ; timeout 3");
}
