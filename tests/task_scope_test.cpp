// SPDX-License-Identifier: MIT
// Tests of TaskScope: the tasks of an object or a function, which end with the object or the function.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "real_fixture.hpp"

using errand::NameTaken;
using errand::TaskGroup;
using errand::TaskScope;
using support::AbortsAtEnd;
using support::LogsAtEnd;

static_assert(!std::is_copy_constructible_v<TaskScope> && !std::is_move_constructible_v<TaskScope>);
static_assert(std::is_nothrow_destructible_v<TaskScope>);

namespace {

/// Awaits `work`, and returns how the await ended.
template <class Work>
Coro<std::string> outcome_of(Work work) {
  try {
    co_await std::move(work);
    co_return "ended";
  } catch (const Cancelled& error) {
    co_return "Cancelled " + error.reason();
  } catch (const InvalidState& error) {
    co_return error.what();
  }
}

Coro<> sleep_long() { co_await errand::sleep(1h); }

/// Sleeps, and logs when its frame is destroyed.
Coro<> stays(support::Log& log, std::string name) {
  const LogsAtEnd gone(log, name + " gone");
  log(name);
  co_await errand::sleep(1h);
  log(name, "end");
}

/// Sleeps until it is asked to end, and then cleans up for a second.
Coro<> cleans_up(support::Log& log, std::string name) {
  const LogsAtEnd gone(log, name + " gone");
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled& error) {
    log(name, "asked", error.reason());
  }
  co_await errand::sleep(1s);
  log(name, "clean");
}

}  // namespace

// Tasks that are pending at the end of their scope

APP_TEST("the end of a scope destroys its tasks where they stand, the last added first") {
  Task<> first, unstarted;
  {
    TaskScope scope;
    first = scope.add(stays(log, "a"));
    scope.add([this] { return stays(log, "b"); });
    co_await scope.add([] { return 1; });
    co_await errand::yield();
    log(scope.size(), scope.empty());
    unstarted = scope.add(stays(log, "c"));
    log(scope.size());
  }
  log(first.status(), unstarted.status(), app.all_tasks().size());
  co_await errand::sleep(2h);
  expect("a ; b ; 2 false ; 3 ; b gone ; a gone ; cancelled cancelled 1");
}

APP_TEST("awaiters of a task that its scope has ended get TaskCancelled") {
  std::optional<TaskScope> scope(std::in_place);
  Task<> task = scope->add(sleep_long(), "held");
  later(1s, [&scope] { scope.reset(); });
  try {
    co_await task;
  } catch (const TaskCancelled& error) {
    log(error, error.name(), now());
  }
  expect("TaskCancelled held 1");
}

APP_TEST("a scope is left by an exception, by a cancellation and by an abort of its function") {
  const auto function = [this](bool fails) -> Coro<> {
    const auto local = std::make_shared<std::string>("local");
    TaskScope scope;
    scope.add([&, text = local.get()]() -> Coro<> {
      const errand::ScopedTask<> own{scope.add(sleep_long())};
      const LogsAtEnd gone(log, *text);
      co_await errand::sleep(1h);
    });
    co_await errand::yield();
    if (fails) throw runtime_error("thrown");
    co_await errand::sleep(1h);
  };
  try {
    co_await function(true);
  } catch (const runtime_error& error) {
    log(error);
  }
  auto cancelled = add(function(false)), aborted = add(function(false));
  co_await errand::sleep(1s);
  cancelled.cancel();
  aborted.abort();
  co_await errand::wait_all(cancelled);
  log(cancelled.status(), aborted.status(), app.all_tasks().size());
  expect("local ; thrown ; local ; local ; cancelled cancelled 1");
}

APP_TEST("the tasks of a scope belong to the App: the end of a run asks them, and waits for their clean-up") {
  auto scope = std::make_shared<TaskScope>();
  scope->add(cleans_up(log, "a"), "name");
  log(app.get_task("name").name(), app.all_tasks().size());
  app.after_server_stop([this, scope] { log("empty", scope->empty()); });
  expect("name 2");
  co_await errand::yield();
  co_await errand::yield();
}

PLAIN_TEST("a scope goes with its App, before it, and after it") {
  auto outlives = std::make_unique<TaskScope>(app);
  {
    App own("own");
    own.ctx().emplace<TaskScope>(own).add(stays(log, "of ctx"));
    outlives = std::make_unique<TaskScope>(own);
    outlives->add(stays(log, "of what outlives"));
    own.add_task([this, &own]() -> Coro<> {
      TaskScope scope;
      scope.add(stays(log, "of a task"));
      (void)own;
      co_await errand::sleep(1h);
    });
    TaskScope(own).add(stays(log, "never"));
    own.poll();
    own.poll();
    own.poll();
  }
  log(outlives->size());
  const auto used = std::make_shared<int>();
  try {
    outlives->add([used] {});
  } catch (const InvalidState& error) {
    log(error.what(), used.use_count());
  }
  outlives->cancel();
  outlives.reset();
  expect(
      "of ctx ; of what outlives ; of a task ; of a task gone ; of what outlives gone ; of ctx gone ; 0 ; "
      "the App that this belongs to has ended 1");
}

// Work that can be added

APP_TEST("add takes what App::add_task takes, with the same names and results") {
  TaskScope scope(app);
  int number = 5;
  const auto by_reference = [&number]() -> int& { return number; };
  const Task<int&> reference = scope.add(by_reference);
  const Task<std::string> text = scope.add([](App& of) { return of.name(); });
  const Task<std::unique_ptr<int>> moved =
      scope.add([owned = std::make_unique<int>(7)]() mutable { return std::move(owned); });
  const Task<int> named = scope.add(after(1s, 1), "name");
  log(&co_await reference == &number, co_await text, *co_await moved, app.get_task<int>("name") == named);
  try {
    scope.add(sleep_long(), "name");
  } catch (const errand::TaskNameInUse& error) {
    log(error, scope.size());
  }
  const auto old = add(sleep_long(), "others");
  const auto kept = scope.add(sleep_long(), "others", NameTaken::keep);
  log(kept == old, scope.size());
  const auto anew = scope.add(sleep_long(), "others", NameTaken::replace);
  log(kept == anew, app.get_task("others") == anew, scope.size());
  co_await scope.close();
  log(scope.size(), old.done());
  expect("true app 7 true ; TaskNameInUse 1 ; true 1 ; false true 2 ; 0 false");
}

APP_TEST("what add refuses leaves nothing behind") {
  struct Throws {
    Throws() = default;
    Throws(const Throws&) { throw runtime_error("copy"); }
    void operator()() const {}
  };
  TaskScope scope;
  const Throws throws;
  try {
    scope.add(throws, "name");
  } catch (const runtime_error& error) {
    log(error, scope.size(), bool(app.find_task("name")));
  }
  co_await scope.close();
  try {
    scope.add(sleep_long());
  } catch (const InvalidState& error) {
    log(error.what(), app.all_tasks().size());
  }
  expect("copy 0 false ; the TaskScope is closed and takes no more tasks 1");
}

namespace {

/// A callable that calls `act` when it is copied.
struct OnCopy {
  explicit OnCopy(std::function<void()> its_act) : act(std::move(its_act)) {}
  OnCopy(const OnCopy& other) : act([] {}) { other.act(); }
  Coro<> operator()() const { return sleep_long(); }
  std::function<void()> act;
};

}  // namespace

APP_TEST("the copy of a callable may take its name, and may close the scope") {
  TaskScope scope;
  const OnCopy takes_name([&] { add(sleep_long(), "name"); });
  const auto kept = scope.add(takes_name, "name", NameTaken::keep);
  log(kept == app.get_task("name"), scope.size());
  Task<> closes;
  const OnCopy closes_scope([&] {
    closes = add(scope.close());
    app.call_soon([] {});
  });
  const auto task = scope.add(closes_scope);
  co_await closes;
  log(task.status(), scope.size());
  expect("true 0 ; cancelled 0");
}

APP_TEST("work that owns the scope may go inside its add") {
  const auto start = [](std::shared_ptr<TaskScope> scope, NameTaken taken) {
    TaskScope& own = *scope;
    return own.add([scope = std::move(scope)]() -> Coro<> { co_await errand::sleep(1h); }, "name", taken);
  };
  const auto old = add(sleep_long(), "name");
  log(start(std::make_shared<TaskScope>(), NameTaken::keep) == old);
  try {
    start(std::make_shared<TaskScope>(), NameTaken::fail);
  } catch (const errand::TaskNameInUse& error) {
    log(error);
  }
  Task<> late;
  {
    App own;
    const auto add_to_scope = [&] {
      auto scope = std::make_shared<TaskScope>(own);
      TaskScope& same = *scope;
      late = same.add([scope = std::move(scope)]() -> Coro<> { co_await errand::sleep(1h); });
    };
    own.ctx().emplace<support::CallsAtEnd<decltype(add_to_scope)>>(add_to_scope);
  }
  log(late.status());
  co_await errand::yield();
  expect("true ; TaskNameInUse ; cancelled");
}

TEST_CASE("what is added to a scope before the run runs on worker 0 alone") {
  std::atomic<int> runs = 0, of_all = 0;
  App app;
  TaskScope scope(app);
  scope.add([&runs](App& on) { runs += on.worker() == 0 ? 1 : 100; });
  app.add_task([&of_all] { ++of_all; });
  app.run({.workers = 3});
  CHECK(runs == 1);
  CHECK(of_all == 3);
}

// Requests to end, and waits for the end

APP_TEST("cancel asks all tasks each time, and more may be added") {
  TaskScope scope;
  const auto twice = [this]() -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      try {
        co_await errand::sleep(1h);
      } catch (const Cancelled& error) {
        log(error.reason());
      }
    }
  };
  scope.add(twice);
  co_await errand::yield();
  scope.cancel("one");
  co_await errand::yield();
  scope.cancel("two");
  co_await scope.add(after(1s));
  log(scope.size());
  expect("one ; two ; 0");
}

APP_TEST("join waits for what is added meanwhile too, and throws no error of a task") {
  TaskScope scope;
  scope.add([&scope]() -> Coro<> {
    co_await errand::sleep(1s);
    scope.add(after(1s));
    scope.add(bad(2s, "error"));
  });
  co_await scope.join();
  log(now(), scope.size());
  co_await scope.join();
  const auto later_one = scope.add(after(1s));
  co_await scope.join();
  log(now(), later_one.result());
  expect("3 0 ; 4 0", {"error"});
}

APP_TEST("who joins or closes and is cancelled gets Cancelled, and the tasks end on their own") {
  TaskScope scope;
  scope.add(cleans_up(log, "a"));
  co_await errand::yield();
  auto joins = add(outcome_of(scope.join()));
  auto closes = add(outcome_of(scope.close("closed")));
  co_await errand::yield();
  joins.cancel("bye");
  closes.cancel("bye");
  log(co_await joins, co_await closes, scope.size());
  co_await scope.close("again");
  log(now());
  expect("a asked closed ; Cancelled bye Cancelled bye 1 ; a clean ; a gone ; 1");
}

APP_TEST("close asks those that have not been asked, once, and waits for their clean-up") {
  TaskScope scope;
  scope.add(cleans_up(log, "a"));
  auto asked = scope.add(cleans_up(log, "b"));
  co_await errand::yield();
  asked.cancel("before");
  co_await errand::yield();
  auto first = scope.close("first");  // has no effect until it is awaited
  scope.add([&, this]() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      try {
        scope.add(sleep_long());
      } catch (const InvalidState& error) {
        log(error);
      }
    }
  });
  co_await errand::yield();
  co_await errand::gather(std::move(first), scope.close("second"));
  log(scope.size(), now());
  expect("b asked before ; a asked first ; InvalidState ; b clean ; b gone ; a clean ; a gone ; 0 1");
}

APP_TEST("a task can neither join nor close its own scope, in a branch nor in a member of a group either") {
  TaskScope scope;
  const auto try_both = [&scope, this]() -> Coro<> {
    log(co_await outcome_of(scope.join()));
    log(co_await outcome_of(scope.close()));
  };
  const auto in_a_branch = [&]() -> Coro<> { co_await errand::gather(try_both(), after(1s)); };
  const auto in_a_member = [&]() -> Coro<> {
    const auto body = [&](TaskGroup& group) -> Coro<> {
      group.add(try_both);
      co_return;
    };
    co_await TaskGroup::run(body);
  };
  for (const std::function<Coro<>()>& each : {std::function<Coro<>()>(try_both), std::function<Coro<>()>(in_a_branch),
                                              std::function<Coro<>()>(in_a_member)}) {
    log.clear();
    co_await scope.add(each, "own");
    const std::string refused = "task 'own' cannot wait for the end of its own TaskScope";
    expect(refused + " ; " + refused);
  }
}

APP_TEST("who waits for a scope that is destroyed gets InvalidState") {
  auto scope = std::make_unique<TaskScope>();
  scope->add(cleans_up(log, "a"));
  auto joins = add(outcome_of(scope->join())), closes = add(outcome_of(scope->close()));
  const auto limited = add(outcome_of(errand::wait_for(scope->join(), 1h)));
  co_await errand::yield();
  co_await errand::yield();
  scope.reset();
  for (const auto& each : {joins, closes, limited}) log(co_await each);
  const std::string broken = "the scope that was waited for has been destroyed";
  expect("a asked ; a gone ; " + broken + " ; " + broken + " ; " + broken);
}

APP_TEST("who waited for a scope whose tasks have all ended goes on, though the scope is destroyed in the same turn") {
  auto scope = std::make_unique<TaskScope>();
  auto last = scope->add(after(1s));
  const auto joins = add(outcome_of(scope->join())), closes = add(outcome_of(scope->close()));
  last.add_done_callback([&](const Task<int>&) { scope.reset(); });
  log(co_await joins, co_await closes);
  log(bool(scope));
  expect("ended ended ; false");
}

PLAIN_TEST("a task of another App cannot wait for a scope that has tasks") {
  TaskScope scope(app);
  scope.add(sleep_long());
  App other;
  const auto joins = other.add_task(outcome_of(scope.join())), closes = other.add_task(outcome_of(scope.close()));
  other.run();
  log(joins.result());
  log(closes.result(), scope.size());
  expect("this TaskScope belongs to another App ; this TaskScope belongs to another App 1");
}

// Failures

APP_TEST("a failure of a task of a scope is reported at once, if nobody has a handle") {
  reports_in_log = true;
  TaskScope scope;
  scope.add(bad(1s, "nobody looks"));
  co_await errand::sleep(1s);
  co_await errand::yield();
  log("later");
  {
    const auto handle = scope.add(bad(1s, "a handle"));
    const auto looked_at = scope.add(bad(1s, "looked at"));
    co_await errand::sleep(2s);
    log(looked_at.exception() != nullptr, "held");
  }
  log("end");
  expect("report nobody looks ; later ; true held ; report a handle ; end");
}

// A task that destroys its own scope

APP_TEST("a task that destroys its own scope is asked to end, and goes on until its next await") {
  const auto destroys = [this](std::unique_ptr<TaskScope>& scope, std::string how) -> Coro<> {
    const auto reset = [&]() -> Coro<> {
      scope.reset();
      log(how, current_task().cancelling());
      log(co_await outcome_of(errand::sleep(1h)));
    };
    const auto body = [&](TaskGroup& group) -> Coro<> {
      group.add(reset);
      co_return;
    };
    if (how == "itself") co_await reset();
    if (how == "branch") co_await errand::gather(reset(), sleep_long());
    if (how == "member") co_await TaskGroup::run(body);
  };
  for (const std::string how : {"itself", "branch", "member"}) {
    log.clear();
    auto scope = std::make_unique<TaskScope>();
    scope->add(stays(log, "other"));
    const Task<> task = scope->add(destroys(scope, how));
    co_await errand::wait_all(task);
    log(task.status());
    // If a branch destroys the scope, the request ends the task, because the other branch does not swallow it.
    const std::string end = how == "branch" ? "cancelled" : "succeeded";
    expect("other ; other gone ; " + how + " 1 ; Cancelled  ; " + end);
  }
}

namespace {

/// A session that its own task keeps alive.
struct Session : std::enable_shared_from_this<Session> {
  Session(support::Log& its_log, App& app) : log(its_log), tasks(app) {}
  ~Session() { log("session gone"); }

  Task<> start(std::chrono::nanoseconds time) {
    tasks.add(stays(log, "other"));
    return tasks.add([self = shared_from_this(), time]() -> Coro<> {
      const LogsAtEnd gone(self->log, "own task's local gone");
      co_await errand::sleep(time);
    });
  }

  support::Log& log;
  TaskScope tasks;
};

}  // namespace

APP_TEST("the end of a task may be that of its own scope") {
  const auto start = [this](std::chrono::nanoseconds time) { return std::make_shared<Session>(log, app)->start(time); };
  const std::string gone = "other ; own task's local gone ; session gone ; other gone";
  const auto ends = start(1s);
  co_await ends;
  log(ends.status());
  expect(gone + " ; succeeded");
  log.clear();
  auto aborted = start(1h);
  co_await errand::sleep(1s);
  aborted.abort();
  log(aborted.status(), app.all_tasks().size());
  expect(gone + " ; cancelled 1");
  log.clear();
  start(1h);
  co_await errand::sleep(1s);
  app.after_server_stop([this] { expect("other ; other gone ; own task's local gone ; session gone"); });
}

PLAIN_TEST("the end of an App may be that of a scope that its task keeps") {
  {
    App own;
    std::make_shared<Session>(log, own)->start(1h);
    own.poll();
    own.poll();
  }
  expect("other ; own task's local gone ; session gone ; other gone");
}

// Scopes that are destroyed inside an abort, or by another destructor

namespace {

/// Stands in the frame of a task in a scope. Its destructor still uses a local variable of the function that has the
/// scope.
struct Uses {
  Uses(const int& its_local, int& its_count, int& its_faults) : local(its_local), count(its_count), faults(its_faults) {
    ++count;
  }
  Uses(const Uses&) = delete;
  ~Uses() {
    --count;
    faults += local != 7;
  }
  const int& local;
  int& count;
  int& faults;
};

}  // namespace

APP_TEST("a scope is never put off, however deep inside aborts it is destroyed") {
  constexpr int count = 100;
  Task<> next;
  int alive = 0, wrong = 0;
  for (int i = 0; i < count; ++i) {
    next = add([next, &alive, &wrong]() -> Coro<> {
      const auto local = std::make_unique<int>(7);
      TaskScope scope;
      scope.add([&]() -> Coro<> {
        const Uses uses(*local, alive, wrong);
        co_await errand::sleep(1h);
      });
      const AbortsAtEnd aborts(next);
      co_await errand::sleep(1h);
    });
  }
  co_await errand::sleep(1s);
  log(alive, app.all_tasks().size());
  next.abort();
  co_await errand::yield();
  log(alive, wrong, app.all_tasks().size());
  expect("100 201 ; 0 0 1");
}

APP_TEST("aborts from destructors take constant stack below many scopes that stand in each other") {
  constexpr int scopes = 40, aborts = 100'000;
  Task<> next;
  for (int i = 0; i < aborts; ++i) {
    next = add([](Task<> last) -> Coro<> {
      const AbortsAtEnd aborts_last(last);
      co_await errand::sleep(1h);
    }(next));
  }
  const std::function<Coro<>(int)> nest = [&](int depth) -> Coro<> {
    const AbortsAtEnd aborts_next(depth == 0 ? next : Task<>());
    TaskScope scope;
    if (depth > 0) scope.add(nest(depth - 1));
    co_await errand::sleep(1h);
  };
  auto outer = add(nest(scopes));
  co_await errand::sleep(1s);
  log(app.all_tasks().size() == 1 + scopes + 1 + aborts);
  outer.abort();
  log(app.all_tasks().size());
  expect("true ; 1");
}

APP_TEST("scopes that stand in the tasks of scopes go from the inside out") {
  {
    TaskScope outer;
    outer.add([this]() -> Coro<> {
      const LogsAtEnd gone(log, "outer gone");
      TaskScope middle;
      middle.add([this]() -> Coro<> {
        const LogsAtEnd middle_gone(log, "middle gone");
        TaskScope inner;
        inner.add(stays(log, "inner"));
        co_await errand::sleep(1h);
      });
      co_await errand::sleep(1h);
    });
    co_await errand::sleep(1s);
  }
  expect("inner ; inner gone ; middle gone ; outer gone");
}

APP_TEST("a destructor that adds to a scope that is being destroyed gets InvalidState") {
  auto scope = std::make_unique<TaskScope>();
  struct Adds {
    TaskScope& scope;
    support::Log& log;
    ~Adds() {
      try {
        scope.add([] {});
      } catch (const InvalidState& error) {
        log(error);
      }
    }
  };
  scope->add([&, this]() -> Coro<> {
    const Adds adds{*scope, log};
    co_await errand::sleep(1h);
  });
  co_await errand::yield();
  scope.reset();
  expect("InvalidState");
}

APP_TEST("a done-callback, a signal handler and a plain callback may destroy a scope") {
  auto scope = std::make_unique<TaskScope>();
  const auto fill = [&] {
    scope = std::make_unique<TaskScope>();
    scope->add(stays(log, "a"));
    return scope->add(after(1s));
  };
  fill().add_done_callback([&](const Task<int>&) { scope.reset(); });
  co_await errand::sleep(2s);
  fill();
  later(500ms, [&] { scope.reset(); });
  co_await errand::sleep(2s);
  fill();
  app.add_signal("scope.to.end", [&] { scope.reset(); });
  co_await errand::yield();
  co_await app.dispatch("scope.to.end");
  expect("a ; a gone ; a ; a gone ; a ; a gone");
}

// Thread calls

#ifdef __cpp_lib_jthread
REAL_APP_TEST("the end of a scope asks all thread calls to stop, and then waits for them") {
  constexpr int count = 4;
  std::atomic<int> begun = 0, returned = 0, stops = 0;
  {
    std::array<int, count> used{};
    TaskScope scope;
    for (int i = 0; i < count; ++i) {
      scope.add([&, i]() -> Coro<> {
        int local = i;
        const auto call = [&](std::stop_token token) {
          ++begun;
          while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
          ++stops;
          // This never ends if the scope waits for the end of one call before it asks the next call to stop.
          while (stops < count) std::this_thread::sleep_for(1ms);
          used[static_cast<std::size_t>(local)] = 7;
          ++returned;
        };
        co_await errand::to_thread(call);
      });
    }
    while (begun < count) co_await errand::sleep(1ms);
  }
  CHECK(returned == count);
  CHECK(app.all_tasks().size() == 1);
}

namespace {

/// Makes a thread call that calls `end` as soon as it is asked to stop. This happens on the App's thread, which makes
/// the request.
Coro<> call_that_ends(std::atomic<bool>& begun, std::function<void()> end) {
  const auto call = [&](std::stop_token token) {
    const std::stop_callback callback(token, [&end] { end(); });
    begun = true;
    while (!token.stop_requested()) std::this_thread::sleep_for(1ms);
  };
  co_await errand::to_thread(call);
}

}  // namespace

REAL_PLAIN_TEST("a stop callback may destroy the scope of its own call, which is let go then") {
  enum class Way { cancel, close, abort, race, teardown };
  for (const Way way : {Way::cancel, Way::close, Way::abort, Way::race, Way::teardown}) {
    std::atomic<bool> begun = false;
    std::unique_ptr<TaskScope> scope;
    App own;
    scope = std::make_unique<TaskScope>(own);
    const auto end = [&scope] { scope.reset(); };
    Task<> task = scope->add([&, way]() -> Coro<> {
      if (way == Way::race) {
        co_await errand::race(call_that_ends(begun, end), errand::sleep(20ms));
      } else {
        co_await call_that_ends(begun, end);
      }
    });
    if (way == Way::teardown) {
      while (!begun) own.poll();
      continue;
    }
    const auto main = [&]() -> Coro<> {
      while (!begun) co_await errand::sleep(1ms);
      if (way == Way::cancel) scope->cancel();
      if (way == Way::close) log(co_await outcome_of(scope->close()));
      if (way == Way::abort) task.abort();
      co_await errand::wait_all(task);
    };
    own.run(main());
    CHECK(task.done());
    CHECK_FALSE(scope);
  }
  expect("the scope that was waited for has been destroyed");
}

REAL_APP_TEST("a task that is aborted stays in its scope until its thread call has returned") {
  std::atomic<bool> begun = false, may_return = false, returned = false;
  {
    TaskScope scope;
    auto task = scope.add([&]() -> Coro<> {
      const auto call = [&] {
        begun = true;
        while (!may_return) std::this_thread::sleep_for(1ms);
        std::this_thread::sleep_for(5ms);
        returned = true;
      };
      co_await errand::to_thread(call);
    });
    while (!begun) co_await errand::sleep(1ms);
    task.abort();
    log(task.status(), scope.size());
    const Task<> joins = app.add_task(scope.join());
    co_await errand::sleep(5ms);
    log(joins.done());
    may_return = true;
    co_await joins;
    log(returned.load());
    begun = may_return = returned = false;
    auto second = scope.add([&]() -> Coro<> {
      const auto call = [&] {
        begun = true;
        std::this_thread::sleep_for(20ms);
        returned = true;
      };
      co_await errand::to_thread(call);
    });
    while (!begun) co_await errand::sleep(1ms);
    second.abort();
  }
  log(returned.load(), app.all_tasks().size());
  expect("cancelled 0 ; false ; true ; true 1");
}
#endif

#if defined(__cpp_lib_jthread)  // which libc++ lacks
TEST_CASE("a task that closes a scope may be aborted by a callback of a stop_token that the close calls") {
  App app;
  Task<> closer;
  std::atomic<int> calls = 0;
  const auto call = [&]() -> Coro<> {
    co_await errand::to_thread([&](std::stop_token stop) {
      const std::stop_callback aborts(stop, [&] { closer.abort(); });
      ++calls;
      while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
    });
  };
  closer = app.add_task([&]() -> Coro<> {
    TaskScope scope;
    scope.add(call);
    scope.add(call);
    while (calls < 2) co_await errand::sleep(1ms);
    co_await scope.close("a reason that is too long to stand in a string without memory");
  });
  app.run();
  CHECK(closer.status() == TaskStatus::cancelled);
}
#endif
