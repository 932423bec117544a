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
