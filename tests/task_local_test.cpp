// SPDX-License-Identifier: MIT
#include <functional>
#include <memory>

#include "support.hpp"

using errand::TaskLocal;

namespace {

TaskLocal<std::string> local;
TaskLocal<int> number;

std::string value() { return local.get() ? *local.get() : "none"; }

/// The task logs its value, sets another one, and logs that after a turn.
Coro<> visit(support::Log& log, std::string name) {
  log(name, value());
  local.set(name);
  co_await errand::yield();
  log(name, value());
}

/// A value that counts its copies and calls a function in each of them. It may log when the last copy is destroyed.
struct Counted {
  Counted() = default;
  Counted(const Counted& other) : held(other.held) {
    ++copies;
    if (const auto call = at_copy) call();
  }
  Counted(Counted&&) = default;
  explicit Counted(std::function<void()> at_end)
      : held(std::make_shared<support::CallsAtEnd<std::function<void()>>>(std::move(at_end))) {}

  inline static int copies = 0;
  inline static std::function<void()> at_copy;
  std::shared_ptr<support::CallsAtEnd<std::function<void()>>> held;
};
TaskLocal<Counted> counted;

}  // namespace

APP_TEST("each task has its own value, and a task has none until it sets one") {
  log("main", value());
  auto a = add(visit(log, "a")), b = add(visit(log, "b"));
  co_await errand::wait_all(a, b);
  log("main", value());
  CHECK_FALSE(number.get());
  number.set(1);
  CHECK(*number.get() == 1);
  number.set(2);
  CHECK(*number.get() == 2);
  expect("main none ; a none ; b none ; a a ; b b ; main none");
}

APP_TEST("a task begins with copies of what the task has that adds it, in whatever way") {
  local.set("main");
  number.set(7);
  const auto task = [this](std::string name) -> Coro<> {
    log(name, value(), *number.get());
    local.set(name);
    number.set(0);
    co_return;
  };
  co_await app.add_task(task("add_task"));
  co_await app.add_task(task("named"), "name");
  co_await errand::create_task(task("create_task"));
  co_await errand::create_task(task("create_task with a name"), "other");
  co_await errand::shield(task("shield"));
  const auto callable = [&] { return task("callable"); };
  auto of_callable = app.add_task(callable);
  co_await of_callable;
  errand::TaskScope scope;
  scope.add(task("scope"));
  co_await scope.join();
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    group.add(task("group"));
    co_return;
  };
  co_await errand::TaskGroup::run(body);
  app.add_signal("a.b.c", [&] { return task("dispatch"); });
  co_await app.dispatch("a.b.c");
  CHECK(value() == "main");
  CHECK(*number.get() == 7);
  expect(
      "add_task main 7 ; named main 7 ; create_task main 7 ; create_task with a name main 7 ; shield main 7 ; "
      "callable main 7 ; scope main 7 ; group main 7 ; dispatch main 7");
}

APP_TEST("what a task sets after it has added another one, the other does not see") {
  local.set("before");
  auto task = add([](support::Log& to) -> Coro<> {
    to(value());
    co_await errand::sleep(1s);
    to(value());
  }(log));
  local.set("after");
  co_await task;
  expect("before ; before");
}

APP_TEST("branches and generators belong to the calling task, and share its values") {
  local.set("main");
  co_await errand::gather(visit(log, "a"), visit(log, "b"));
  log(value());
  co_await errand::wait_for(visit(log, "c"), 1h);
  log(value());
  auto values = []() -> errand::AsyncGenerator<std::string> {
    co_yield value();
    local.set("generator");
  }();
  const auto first = co_await values.next(), second = co_await values.next();
  CHECK(first == "c");
  CHECK_FALSE(second);
  CHECK(value() == "generator");
  expect("a main ; b a ; a b ; b b ; b ; c b ; c c ; c");
}

APP_TEST("callbacks and thread calls have no values, and neither have the tasks that they add") {
  local.set("main");
  const auto look = [this](std::string name) {
    return [this, name] {
      log(name, value());
      CHECK_THROWS_AS(local.set("x"), InvalidState);
      add([](support::Log& to, std::string its_name) -> Coro<> {
        to("task of", its_name, value());
        co_return;
      }(log, name));
    };
  };
  app.call_soon(look("call_soon"));
  app.call_later(1s, look("call_later"));
  co_await errand::sleep(2s);
  auto task = add([]() -> Coro<> { co_return; });
  const auto done = look("done-callback");
  task.add_done_callback([done](const auto&) { done(); });
  co_await errand::sleep(1s);
  const auto call = [] { return local.get() != nullptr; };
  const bool has_value = co_await errand::to_thread(call);
  CHECK_FALSE(has_value);
  expect(
      "call_soon none ; task of call_soon none ; call_later none ; task of call_later none ; done-callback none ; "
      "task of done-callback none");
}

PLAIN_TEST("outside a task there is no value, and none can be set") {
  const auto look = [this] {
    log(value());
    CHECK_THROWS_AS(local.set("x"), InvalidState);
  };
  look();
  app.before_server_start(look);
  app.after_server_stop(look);
  app.before_server_start([this]() -> Coro<> {
    local.set("listener");
    add(visit(log, "task of a listener"));
    co_return;
  });
  app.add_task(visit(log, "before run"));
  app.run();
  look();
  expect(
      "none ; none ; task of a listener listener ; task of a listener task of a listener ; before run none ; "
      "before run before run ; none ; none");
}

APP_TEST("the values are destroyed when the task ends, behind its locals and before its awaiters resume") {
  const auto work = [this](bool waits) -> Coro<> {
    const support::LogsAtEnd frame(log, "frame");
    counted.set(Counted([this] { log("value"); }));
    if (waits) co_await errand::sleep(1h);
  };
  co_await add(work(false));
  log("returned");
  auto task = add(work(true));
  co_await errand::yield();
  task.abort();
  log("aborted");
  task = add(work(true));
  co_await errand::yield();
  task.cancel();
  co_await errand::wait_all(task);
  log("cancelled");
  expect("frame ; value ; returned ; frame ; value ; aborted ; frame ; value ; cancelled");
}

APP_TEST("the copies of a task that never starts are destroyed with it") {
  counted.set(Counted([] {}));
  std::weak_ptr<void> held = counted.get()->held;
  const auto uses = held.use_count();
  auto aborted = add(visit(log, "aborted")), cancelled = add(visit(log, "cancelled"));
  CHECK(held.use_count() == uses + 2);
  aborted.abort();
  CHECK(held.use_count() == uses + 1);
  cancelled.cancel();
  co_await errand::wait_all(cancelled);
  CHECK(held.use_count() == uses);
  expect("");
}

TEST_CASE("the values are destroyed with the App") {
  std::weak_ptr<void> held;
  {
    App app;
    app.add_task([&]() -> Coro<> {
      counted.set(Counted([] {}));
      held = counted.get()->held;
      co_await errand::sleep(1h);
    });
    for (int i = 0; i < 5; ++i) app.poll();
    CHECK(held.use_count() == 1);
  }
  CHECK(held.expired());
}

APP_TEST("if a copy throws, nothing is added and the work is destroyed unrun") {
  local.set("main");
  counted.set(Counted());
  auto held = std::make_shared<int>(0);
  const auto work = [](support::Log& to, std::shared_ptr<int>) -> Coro<> {
    to("runs");
    co_return;
  };
  const auto make = [&] { return work(log, held); };
  errand::TaskScope scope;
  const auto before = app.all_tasks().size();
  Counted::at_copy = [] { throw runtime_error("copy"); };
  CHECK_THROWS_AS(app.add_task(make()), runtime_error);
  CHECK_THROWS_AS(app.add_task(make(), "name"), runtime_error);
  CHECK_THROWS_AS(app.add_task([held] {}), runtime_error);
  CHECK_THROWS_AS(errand::create_task(make()), runtime_error);
  CHECK_THROWS_AS(scope.add(make()), runtime_error);
  CHECK_THROWS_AS(app.dispatch("a.b.c"), runtime_error);
  bool thrown = false;
  try {
    const auto body = [&](errand::TaskGroup& group) -> Coro<> {
      CHECK_THROWS_AS(group.add(make()), runtime_error);
      co_return;
    };
    co_await errand::TaskGroup::run(body);
  } catch (const runtime_error&) {
    thrown = true;
  }
  CHECK_FALSE(thrown);
  Counted::at_copy = nullptr;
  CHECK(held.use_count() == 1);
  CHECK(app.all_tasks().size() == before);
  CHECK_FALSE(app.find_task("name"));
  CHECK(scope.empty());
  co_await app.add_task(make(), "name");
  expect("runs");
}

APP_TEST("a copy of a value may set values, and add tasks") {
  local.set("main");
  counted.set(Counted());
  std::vector<std::unique_ptr<TaskLocal<int>>> more;
  int depth = 0;
  Counted::at_copy = [&] {
    for (int i = 0; i < 20; ++i) {
      more.push_back(std::make_unique<TaskLocal<int>>());
      more.back()->set(i);
    }
    local.set("copied");
    counted.set(Counted());
    if (++depth < 3) add(visit(log, "inner"));
  };
  auto task = add(visit(log, "outer"));
  Counted::at_copy = nullptr;
  co_await task;
  CHECK(value() == "copied");
  co_await errand::sleep(1s);
  expect("inner copied ; inner copied ; outer main ; inner inner ; inner inner ; outer outer");
}

APP_TEST("the destructor of a value that is replaced may set values") {
  std::vector<std::unique_ptr<TaskLocal<int>>> more;
  counted.set(Counted([&] {
    for (int i = 0; i < 20; ++i) {
      more.push_back(std::make_unique<TaskLocal<int>>());
      more.back()->set(i);
    }
    counted.set(Counted());
  }));
  counted.set(Counted());
  CHECK(more.size() == 20);
  CHECK(*more[7]->get() == 7);
  co_return;
}

APP_TEST("a move that throws leaves the old value") {
  struct Fragile {
    explicit Fragile(int its_value) : number(its_value) {}
    Fragile(const Fragile& other) : number(other.number) {
      if (number == 2) throw runtime_error("copy");
    }
    int number;
  };
  TaskLocal<Fragile> fragile;
  fragile.set(Fragile(1));
  CHECK_THROWS_AS(fragile.set(Fragile(2)), runtime_error);
  CHECK(fragile.get()->number == 1);
  co_return;
}

APP_TEST("values that abort the next task when they are destroyed need constant stack") {
  constexpr int count = 100'000;
  std::vector<Task<>> tasks;
  const auto work = [&](std::size_t i) -> Coro<> {
    counted.set(Counted([&tasks, i] {
      if (i + 1 < tasks.size()) tasks[i + 1].abort();
    }));
    co_await errand::sleep(1h);
  };
  for (std::size_t i = 0; i < count; ++i) tasks.push_back(add(work(i)));
  co_await errand::yield();
  tasks.front().abort();
  co_await errand::yield();
  std::size_t left = 0;
  for (const auto& task : tasks) left += !task.done();
  CHECK(left == 0);
  CHECK(app.all_tasks().size() == 1);
}

APP_TEST("the destructor of a value may abort the task that waits for the group of its task") {
  Task<> owner;
  const auto member = [&]() -> Coro<> {
    counted.set(Counted([&] { owner.abort(); }));
    co_await errand::yield();
  };
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    group.add(member());
    group.add(errand::sleep_until(std::chrono::system_clock::time_point::max()));
    co_return;
  };
  owner = add([&]() -> Coro<> { co_await errand::TaskGroup::run(body); });
  co_await errand::wait_all(owner);
  CHECK(owner.cancelled());
  co_await errand::yield();
  CHECK(app.all_tasks().size() == 1);
}

APP_TEST("a new TaskLocal never finds a value of an old one") {
  for (int i = 0; i < 100; ++i) {
    const auto old = std::make_unique<TaskLocal<int>>();
    CHECK_FALSE(old->get());
    old->set(i);
    const auto other = std::make_unique<TaskLocal<std::string>>();
    CHECK_FALSE(other->get());
    other->set("text");
  }
  co_return;
}

APP_TEST("10,000 tasks have values of their own") {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10'000; ++i) {
    number.set(i);
    tasks.push_back(add([]() -> Coro<int> {
      co_await errand::yield();
      co_return *number.get();
    }()));
  }
  for (int i = 0; i < 10'000; ++i) {
    const int given = co_await tasks[static_cast<std::size_t>(i)];
    CHECK(given == i);
  }
}

TEST_CASE("each worker has tasks with values of their own") {
  App app;
  std::atomic<int> right = 0;
  app.add_task([&](App& its_app) -> Coro<> {
    number.set(static_cast<int>(its_app.worker()));
    for (int i = 0; i < 100; ++i) {
      its_app.add_task([&right](App& own) -> Coro<> {
        co_await errand::yield();
        right += *number.get() == static_cast<int>(own.worker());
      });
    }
    co_return;
  });
  app.run({.workers = 3});
  CHECK(right == 300);
}
