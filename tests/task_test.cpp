// SPDX-License-Identifier: MIT
#include <memory>

#include "support.hpp"

namespace {

/// Assigns `{}` in a template, because there Clang 14 never destroys an argument that `operator=` takes by value.
template <class T>
struct Holder {
  errand::CallHandle call;
  errand::KeepAlive keep_alive;
  errand::detail::TaskHandle task;
  T typed_task;

  void clear() {
    call = {};
    keep_alive = {};
    task = {};
    typed_task = {};
  }
};

}  // namespace

APP_TEST("a done-callback that is cancelled lets go of its task, whose failure nobody can look at any more") {
  auto t = add(bad(0s, "lost"));
  auto call = t.add_done_callback([&](const Task<>&) { log("called"); });
  add([&] {
    log(t.status(), call.cancel());
    t = {};
    log(reports.size());
  });
  co_await errand::yield();
  co_await errand::yield();
  expect("failed true ; 1", {"lost"});
}

PLAIN_TEST("an empty handle that is assigned in a template lets go of what was held") {
  auto result = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = result;
  Holder<Task<std::shared_ptr<int>>> holder;
  holder.call = app.call_soon([] {});
  holder.keep_alive = app.keep_alive();
  holder.typed_task = add([given = std::move(result)] { return given; });
  holder.task = holder.typed_task.handle();
  add([&] { holder.clear(); });
  app.run();
  CHECK(watched.expired());
}

PLAIN_TEST("handles that are assigned to themselves stay as they are, and copies are counted") {
  auto task = add([] { return 1; });
  auto call = app.call_soon([this] { log("called"); });
  auto keep_alive = app.keep_alive();
  const auto assign = [](auto& to, auto&& from) { to = std::forward<decltype(from)>(from); };
  assign(task, task);
  assign(task, std::move(task));
  assign(call, call);
  assign(call, std::move(call));
  assign(keep_alive, std::move(keep_alive));
  auto other_task = task;
  errand::CallHandle other_call;
  other_call = call;
  task = {};
  later(1s, [&] { keep_alive = {}; });
  app.run();
  CHECK(now() == 1s);
  CHECK(other_task.result() == 1);
  CHECK_FALSE(call.cancelled());
  CHECK_FALSE(other_call.cancel());
  expect("called");
}

APP_TEST("a table of tasks tells the line of the user's await, also if a combinator of the library waits for it") {
  errand::Event event;
  const int line = __LINE__ + 1;
  const auto wait = [&]() -> Coro<> { co_await errand::race(event.wait(), errand::sleep(1s)); };
  add(wait, "waiter");
  co_await errand::yield();
  co_await errand::yield();
  std::ostringstream table;
  app.dump_tasks(table);
  CHECK(table.str().find("race at task_test.cpp:" + std::to_string(line) + "\n") != std::string::npos);
  event.set();
}

TEST_CASE("a TaskStatus has a name, as a text and in a stream") {
  using errand::to_string;
  static_assert(to_string(TaskStatus::pending) == "pending");
  std::string all;
  for (const auto status : {TaskStatus::pending, TaskStatus::succeeded, TaskStatus::failed, TaskStatus::cancelled}) {
    std::ostringstream text;
    std::ostream& plain = text;
    plain << status << ' ';
    CHECK(text.str() == std::string(to_string(status)) + ' ');
    all += text.str();
  }
  CHECK(all == "pending succeeded failed cancelled ");
  CHECK(to_string(static_cast<TaskStatus>(99)) == "unknown");
}

PLAIN_TEST("what() of a task is the text of its exception, as a report would have it") {
  const auto good = add([] { return 1; });
  const auto bad_one = add(bad(0s, "no such file"));
  const auto odd = add([] { throw 42; });
  const auto gone = add(after(1h), "gone");
  Task<> before = gone;
  CHECK_THROWS_AS(before.what(), InvalidState);
  before.cancel("not needed");
  app.run();
  CHECK(good.what().empty());
  CHECK(bad_one.what() == "no such file");
  CHECK(odd.what() == "an exception that is no std::exception");
  CHECK(gone.what() == "'gone' was cancelled: not needed");
  CHECK_THROWS_AS(Task<int>().what(), InvalidState);
  expect("");
}

APP_TEST("who calls what() has looked at a failure, which is not reported then") {
  auto seen = add(bad(0s, "seen")), unseen = add(bad(0s, "unseen"));
  co_await errand::yield();
  log(seen.what(), unseen.done());
  seen = unseen = {};
  expect("seen true", {"unseen"});
}

APP_TEST("a note can be set, replaced and taken away, before the start, in the task and after its end") {
  Task<> task = add(
      [&]() -> Coro<> {
        log(current_task().note());
        current_task().set_note("1 of 2");
        co_await errand::sleep(1s);
        current_task().set_note("2 of 2");
      },
      "named");
  const Task<> unnamed = add([]() -> Coro<> { co_await errand::sleep(1s); });
  CHECK(task.note().empty());
  CHECK(unnamed.note().empty());
  task.set_note("");
  task.set_note("not begun");
  co_await errand::yield();
  CHECK(task.note() == "1 of 2");
  co_await task;
  CHECK(task.note() == "2 of 2");
  CHECK(task.name() == "named");
  app.purge_tasks();
  const Task<> copy = std::exchange(task, {});
  CHECK(copy.note() == "2 of 2");
  Task<> again = copy;
  again.set_note("done");
  CHECK(copy.note() == "done");
  again.set_note({});
  CHECK(copy.note().empty());
  co_await unnamed;
  Task<>(unnamed).set_note("a note of a task that has ended without one");
  CHECK(unnamed.status() == TaskStatus::succeeded);
  CHECK_FALSE(unnamed.note().empty());
  CHECK_THROWS_AS(Task<>().note(), InvalidState);
  CHECK_THROWS_AS(Task<>().set_note("no"), InvalidState);
  expect("not begun");
}

APP_TEST("a note does not change how a task ends, is reported, or is cancelled with a reason") {
  auto cancelled = add(after(1h));
  cancelled.set_note("in vain");
  cancelled.cancel("why");
  auto aborted = add(after(1h));
  aborted.set_note("in vain");
  co_await errand::yield();
  aborted.abort("now");
  Task<> failed = add(bad(1s, "failed"));
  failed.set_note("in vain");
  failed = {};
  co_await errand::sleep(2s);
  log(cancelled.what(), cancelled.note());
  log(aborted.what(), aborted.note());
  expect("'Task-2' was cancelled: why in vain ; 'Task-3' was cancelled: now in vain", {"failed"});
}

TEST_CASE("the note of a task outlives its App with the handle") {
  Task<> task;
  {
    App app;
    task = app.add_task([]() -> Coro<> { co_await errand::sleep(1h); });
    task.set_note("a text too long for the place inside a string");
    app.poll();
  }
  CHECK(task.cancelled());
  CHECK(task.note() == "a text too long for the place inside a string");
  task.set_note("late");
  CHECK(task.note() == "late");
}
