// SPDX-License-Identifier: MIT
// Tests of wait_any, wait_all and as_completed.
#include <memory>
#include <type_traits>

#include "combinators.hpp"

using errand::as_completed;
using errand::wait_all;
using errand::wait_any;
using errand::wait_for;
using errand::Waited;

namespace {

/// Returns the names of the tasks in both lists.
template <class T>
std::string names(const Waited<T>& waited) {
  std::string text = "done";
  for (const auto& task : waited.done) text.append(" ").append(task.name());
  text += " pending";
  for (const auto& task : waited.pending) text.append(" ").append(task.name());
  return text;
}

/// Adds tasks with names that sleep for the given times.
std::vector<Task<int>> sleepers(support::Fixture& test,
                                std::vector<std::pair<const char*, std::chrono::nanoseconds>> all) {
  std::vector<Task<int>> tasks;
  for (const auto& [name, delay] : all) tasks.push_back(test.add(test.after(delay), name));
  return tasks;
}

/// The ways to wait for the first of the given tasks.
using Wait = Coro<> (*)(std::vector<Task<int>>);
constexpr Wait waits[] = {
    [](std::vector<Task<int>> tasks) -> Coro<> { co_await wait_any(std::move(tasks)); },
    [](std::vector<Task<int>> tasks) -> Coro<> { co_await wait_any(std::move(tasks), 24h); },
    [](std::vector<Task<int>> tasks) -> Coro<> { co_await wait_all(tasks.front()); },
    [](std::vector<Task<int>> tasks) -> Coro<> { co_await wait_all(std::vector(1, tasks.front()), 24h); },
    [](std::vector<Task<int>> tasks) -> Coro<> {
      auto completed = as_completed(std::move(tasks));
      co_await completed.next();
    },
};

}  // namespace

APP_TEST("tasks of one type give handles of that type, different ones Task<>, and the order is that given") {
  const auto tasks = sleepers(*this, {{"a", 3s}, {"b", 1s}, {"c", 2s}});
  const auto nothing = add([] {}, "nothing");
  const auto same = co_await wait_any(tasks[0], tasks[1], tasks[2]);
  static_assert(std::is_same_v<decltype(same), const Waited<int>>);
  log(names(same));
  const auto mixed = co_await wait_all(tasks[0], nothing, tasks[1]);
  static_assert(std::is_same_v<decltype(mixed), const Waited<void>>);
  log(names(mixed), now());
  log(names(co_await wait_any(tasks)));
  expect("done b pending a c ; done a nothing b pending 3 ; done a b c pending");
}

APP_TEST("what is done already is given at once, without letting others run") {
  const auto tasks = sleepers(*this, {{"a", 0s}, {"b", 1h}});
  co_await tasks[0];
  add([this] { log("other"); });
  co_await wait_any(tasks);
  co_await wait_all(tasks[0]);
  co_await wait_all();
  co_await wait_all(std::vector<Task<int>>());
  co_await wait_all(std::vector<Task<>>(), 0s);
  auto completed = as_completed(tasks);
  const auto first = co_await completed.next();
  log(first->name());
  expect("a");
}

APP_TEST("all that has ended until the awaiter resumes is done") {
  const auto tasks = sleepers(*this, {{"a", 1s}, {"b", 2s}, {"c", 1s}});
  log(names(co_await wait_any(tasks)));
  expect("done a c pending b");
}

APP_TEST("a time-out gives what is done by then, and one that is not above zero lets the others run once") {
  const auto tasks = sleepers(*this, {{"a", 1s}, {"b", 3s}});
  log(names(co_await wait_any(tasks, 0s)));
  log(names(co_await wait_all(tasks, -1s)), now());
  log(names(co_await wait_all(tasks, 0.5s)), now());
  log(names(co_await wait_any(tasks, 2s)), now());
  log(names(co_await wait_all(tasks, 1s)), now());
  log(names(co_await wait_all(tasks, std::chrono::nanoseconds::max())), now());
  log(names(co_await wait_any(tasks, 1s)));
  CHECK_FALSE(app.next_deadline().has_value());
  expect(
      "done pending a b ; done pending a b 0 ; done pending a b 0.5 ; done a pending b 1 ; done a pending b 2 ; "
      "done a b pending 3 ; done a b pending");
}

APP_TEST("a task that ends at the instant of the time-out is done if it ended before the awaiter resumed") {
  const auto tasks = sleepers(*this, {{"a", 1s}});
  co_await errand::yield();
  log(names(co_await wait_all(tasks, 1s)));
  expect("done a pending");
}

APP_TEST("failures are for who looks at them: waiting does not, and gives nothing away") {
  const auto make = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  {
    const auto failing = add(bad(1s, "failed"));
    const auto cancelled = add(after(1h));
    auto moved = add(make());
    later(2s, [&] { Task<>(cancelled).cancel(); });
    log((co_await wait_all(failing, cancelled, moved)).done.size());
    auto completed = as_completed(std::vector<Task<>>{failing, cancelled, moved});
    while (const auto task = co_await completed.next()) log(task->status());
    const auto seven = co_await std::move(moved);
    log(*seven);
    CHECK(reports.empty());
  }
  expect("3 ; failed ; cancelled ; succeeded ; 7", {"failed"});
}

APP_TEST("nothing, an empty handle, the running task, and tasks of another App are InvalidState") {
  App other;
  const auto foreign = other.add_task(after(1s));
  const auto own = add(after(0s));
  co_await end_of(wait_any(std::vector<Task<int>>(), 1s), log);
  co_await end_of(wait_any(own, Task<int>()), log);
  co_await end_of(wait_all(Task<>()), log);
  co_await end_of(wait_all(own, foreign), log);
  co_await end_of(wait_any(current_task()), log);
  auto empty = as_completed(std::vector<Task<int>>{own, Task<int>()});
  co_await end_of(empty.next(), log);
  auto of_another = as_completed(std::vector<Task<int>>{foreign});
  co_await end_of(of_another.next(), log);
  log(now());
  expect("InvalidState ; InvalidState ; InvalidState ; InvalidState ; InvalidState ; InvalidState ; InvalidState ; 0");
}

APP_TEST("a waiter that is cancelled, timed out or aborted leaves the tasks and the other waiters alone") {
  for (const Wait wait : waits) {
    log.clear();
    auto tasks = sleepers(*this, {{"a", 10s}, {"b", 20s}});
    auto cancelled = add(wait(tasks));
    auto timed_out = add(wait_for(wait(tasks), 1s));
    auto aborted = add(wait(tasks));
    auto patient = add(wait(tasks));
    co_await errand::sleep(2s);
    cancelled.cancel("why");
    aborted.abort();
    co_await end_of(cancelled, log);
    co_await end_of(timed_out, log);
    co_await end_of(patient, log);
    log(tasks[0].status(), tasks[1].status());
    co_await wait_all(tasks);
    log(tasks[1].status());
    expect("TaskCancelled why ; TimeoutError ; done ; succeeded pending ; succeeded");
  }
}

APP_TEST("a request in the turn in which a task ends leaves the result, and one before the end is a cancellation") {
  for (const Wait wait : waits) {
    log.clear();
    errand::Event go;
    const auto work = [&]() -> Coro<int> {
      co_await go.wait();
      co_return 1;
    };
    const auto waiting = [&](Task<int> task) -> Coro<> {
      co_await wait(std::vector(1, task));
      log("waited");
      co_await errand::sleep(1h);
    };
    for (const bool request_first : {true, false}) {
      go.clear();
      const auto task = add(work());
      auto waiter = add(waiting(task));
      co_await errand::sleep(1s);
      if (request_first) waiter.cancel("why");
      go.set();
      // When the task is done, it has woken the waiter, but the waiter has not resumed yet.
      while (!task.done()) co_await errand::yield();
      if (!request_first) waiter.cancel("why");
      co_await end_of(waiter, log);
    }
    expect("TaskCancelled why ; waited ; TaskCancelled why");
  }
}

APP_TEST("the same task may be given more than once") {
  const auto task = sleepers(*this, {{"a", 1s}}).front();
  log(names(co_await wait_all(task, task)));
  log(names(co_await wait_any(task, task)));
  int count = 0;
  auto completed = as_completed(std::vector{task, task});
  while (co_await completed.next()) ++count;
  log(count);
  expect("done a a pending ; done a a pending ; 2");
}

APP_TEST("as_completed gives what is done in the order given, then what ends, and is exhausted for ever") {
  auto tasks = sleepers(*this, {{"late", 3s}, {"a", 1s}, {"b", 0s}, {"at once", 2s}});
  co_await errand::sleep(1500ms);
  auto completed = as_completed(tasks);
  while (const auto task = co_await completed.next()) log(task->name(), now());
  log(bool(co_await completed.next()));
  auto none = as_completed(std::vector<Task<>>());
  log(bool(co_await none.next()));
  expect("a 1.5 ; b 1.5 ; at once 2 ; late 3 ; false ; false");
}

APP_TEST("as_completed gathers what ends while nobody asks, in the order of the ends") {
  auto completed = as_completed(sleepers(*this, {{"a", 3s}, {"b", 2s}, {"c", 1s}, {"d", 10s}}));
  const auto first = co_await completed.next();
  log(first->name(), now());
  co_await errand::sleep(5s);
  while (const auto task = co_await completed.next()) log(task->name(), now());
  expect("c 1 ; b 6 ; a 6 ; d 10");
}

APP_TEST("as_completed that is dropped, or times out in next, leaves the tasks running, and goes on") {
  const auto tasks = sleepers(*this, {{"a", 2s}, {"b", 4s}});
  {
    auto dropped = as_completed(tasks);
    co_await dropped.next();
  }
  auto completed = as_completed(std::vector{tasks[1]});
  co_await end_of(wait_for(completed.next(), 1s), log);
  log(bool(co_await completed.next()), tasks[1].status());
  co_await tasks[1];
  expect("TimeoutError ; true succeeded");
}

PLAIN_TEST("the end of the App ends the waiters wherever they stand") {
  for (const Wait wait : waits) {
    for (int turns = 0; turns < 6; ++turns) {
      Task<> waiter;
      {
        App own;
        const std::vector<Task<int>> tasks{own.add_task(after(1h)), own.add_task(after(1h))};
        waiter = own.add_task(wait(tasks));
        for (int i = 0; i < turns; ++i) own.poll();
      }
      CHECK(waiter.cancelled());
    }
  }
}

APP_TEST("as_completed goes on after a next that timed out or was cancelled, and gives every task once") {
  const std::vector<Task<int>> tasks{add(after(100ms, 1)), add(after(200ms, 2)), add(after(300ms, 3))};
  auto completed = errand::as_completed(tasks);
  auto asked = add([&]() -> Coro<> { co_await end_of(completed.next(), log); });
  later(50ms, [&] { asked.cancel("why"); });
  co_await asked;
  for (int tries = 0; tries < 20; ++tries) {
    try {
      const auto task = co_await errand::wait_for(completed.next(), 40ms);
      if (!task) break;
      log(task->result(), now());
    } catch (const TimeoutError&) {
    }
  }
  expect("Cancelled why ; 1 0.1 ; 2 0.2 ; 3 0.3");
}
