// SPDX-License-Identifier: MIT

#include <string>
#include <vector>

#include "support.hpp"

using errand::race;
using errand::TaskGroup;
using errand::wait_for;
using errand::yield;

// What the model check has found.

namespace {

Coro<> nothing() { co_return; }

}  // namespace

APP_TEST("A request that is held back is not lost where a race in the clean-up ends its loser") {
  const auto cleanup = [] {
    return [](auto raced) -> Coro<> { co_await std::move(raced); }(race(nothing(), nothing()));
  };
  const auto body = [&]() -> Coro<> {
    current_task().cancel("m");
    co_await wait_for(errand::finally(nothing(), cleanup), 1h);
    log("not asked yet");
    co_await errand::sleep(1h);
  };
  auto task = add(body());
  co_await wait_all(task);
  log(task.status(), now());
  expect("not asked yet ; cancelled 0");
}

APP_TEST("A request that comes in a clean-up is not lost where a time-out inside it is over") {
  const auto clean = []() -> Coro<> {
    try {
      co_await wait_for(errand::sleep(1h), 2s);
    } catch (const TimeoutError&) {
    }
  };
  const auto body = [&]() -> Coro<> {
    co_await errand::gather(errand::finally(nothing(), clean));
    co_await errand::sleep(1h);
  };
  auto task = add(body());
  co_await errand::sleep(1s);
  task.cancel();
  co_await wait_all(task);
  log(task.status(), now());
  expect("cancelled 2");
}

APP_TEST("wait_for of a task that is cancelled already throws TaskCancelled, with a time-out of 0 too") {
  auto task = add(after(1h));
  task.cancel("m");
  co_await wait_all(task);
  for (const auto timeout : {0s, 1s}) {
    try {
      co_await wait_for(task, timeout);
    } catch (const TaskCancelled& error) {
      log(error);
    }
  }
  expect("TaskCancelled m ; TaskCancelled m");
}

APP_TEST("A cancelled done-callback does not hold its task: a failure is reported as soon as nobody can look") {
  auto task = add(bad(0s, "boom"));
  co_await wait_all(task);
  auto call = task.add_done_callback([](const Task<>&) {});
  call.cancel();
  task = {};
  expect("", {"boom"});
}

APP_TEST("A request that is pending when the body of a group has ended cancels the members, with its reason") {
  Task<int> member;
  const auto body = [&](TaskGroup& group) -> Coro<> {
    member = group.add(after(1h));
    co_return;
  };
  const auto asked = [&]() -> Coro<> {
    current_task().cancel("m");
    co_await TaskGroup::run(body);
  };
  auto task = add(asked());
  co_await wait_all(task);
  log(task.status(), now());
  try {
    member.result();
  } catch (const TaskCancelled& error) {
    log(error);
  }
  expect("cancelled 0 ; TaskCancelled m");
}

APP_TEST("A group that does not suspend throws no request: the next await does") {
  const auto body = [](TaskGroup&) { return nothing(); };
  const auto asked = [&]() -> Coro<> {
    current_task().cancel("m");
    co_await TaskGroup::run(body);
    log("behind the group");
    co_await yield();
    log("not reached");
  };
  auto task = add(asked());
  co_await wait_all(task);
  log(task.status());
  expect("behind the group ; cancelled");
}

PLAIN_TEST("A task that a done-callback adds while the run ends is cancelled and awaited like the others") {
  const auto late = [this]() -> Coro<> {
    std::optional<Cancelled> cancelled;
    try {
      log("late starts");
      co_await errand::sleep(1h);
    } catch (const Cancelled& error) {
      cancelled = error;
    }
    co_await yield();
    log("late has cleaned up");
    throw *cancelled;
  };
  Task<> added;
  const auto main = [&]() -> Coro<> {
    auto task = add(after(1h));
    co_await yield();
    task.add_done_callback([&](const Task<int>&) { added = add(late()); });
  };
  app.run(main());
  log(added.status());
  // It has not begun when it is cancelled, or it is awaited.
  const std::string seen = this->log.text();
  CHECK((seen == "cancelled" || seen == "late starts ; late has cleaned up ; cancelled"));
}
