// SPDX-License-Identifier: MIT
// Tests of frames that are destroyed while they wait, and of destructors in them that destroy the tasks and generators
// around these frames.
#include <functional>
#include <memory>

#include "combinators.hpp"

using errand::AsyncGenerator;
using errand::wait_for;
using support::AbortsAtEnd;
using support::CallsAtEnd;

namespace {

enum class Where { coro, gather, race, member, generator };
enum class End { abort, drop, app, cancel, time_out };
enum class Act { drop, abort, cancel, drop_and_abort, abort_and_drop };

/// A task waits for the next value of a generator. A frame inside the generator acts on the task and on the generator
/// when it is destroyed.
class Inside {
 public:
  Inside(support::Log& log, Where where, Act act) : log_(log), where_(where), act_(act) {}

  Coro<> run() {
    const std::shared_ptr<int> alive = alive_;
    generator = std::make_unique<AsyncGenerator<int>>(make());
    co_await end_of(generator->next(), log_);
    co_await errand::sleep(1s);
    log_("on");
  }

  std::unique_ptr<AsyncGenerator<int>> generator;  // the only handle to the generator
  Task<> task;
  int acted = 0;
  long alive() const { return alive_.use_count() - 1; }
  void drop() { std::unique_ptr<AsyncGenerator<int>>().swap(generator); }

 private:
  Coro<> hold() {
    const std::shared_ptr<int> alive = alive_;
    co_await errand::sleep(1h);
  }
  Coro<> hold_and_act() {
    const CallsAtEnd at_end([this, alive = alive_] { act(); });
    co_await hold();
  }
  void act() {
    ++acted;
    if (act_ == Act::drop || act_ == Act::drop_and_abort) drop();
    try {
      if (act_ == Act::cancel) task.cancel("inner");
      if (act_ == Act::abort || act_ == Act::drop_and_abort || act_ == Act::abort_and_drop) task.abort("inner");
    } catch (const InvalidState&) {
      log_("refused");
    }
    if (act_ == Act::abort_and_drop) drop();
  }
  AsyncGenerator<int> only_acts() {
    co_await hold_and_act();
    co_yield 1;
  }
  AsyncGenerator<int> make() {
    const std::shared_ptr<int> alive = alive_;
    const auto body = [this](errand::TaskGroup& group) -> Coro<> {
      group.add(hold());
      group.add(hold_and_act());
      group.add(hold());
      co_await hold();
    };
    if (where_ == Where::coro) co_await hold_and_act();
    if (where_ == Where::gather) co_await errand::gather(hold(), hold_and_act(), hold());
    if (where_ == Where::race) co_await errand::race(hold(), wait_for(hold_and_act(), 5h), hold());
    if (where_ == Where::member) co_await errand::TaskGroup::run(body);
    auto inner = only_acts();
    if (where_ == Where::generator) co_await inner.next();
    co_yield 1;
  }

  support::Log& log_;
  const Where where_;
  const Act act_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>();
};

/// Ends the task or the generator in the given way. Returns what the task logged, and its status.
std::string end_inside(Where where, End end, Act act) {
  support::Log log;
  errand::ManualClock clock(errand::ManualClock::held);
  Inside inside(log, where, act);
  {
    App app("app", {.clock = &clock, .on_failure = [](const errand::TaskFailure&) {}});
    inside.task = app.add_task(end == End::time_out ? wait_for(inside.run(), 1min) : inside.run());
    for (int i = 0; i < 6; ++i) app.poll();
    CHECK(inside.acted == 0);
    if (end == End::abort) inside.task.abort("outer");
    if (end == End::drop) inside.drop();
    if (end == End::cancel) inside.task.cancel("outer");
    if (end == End::time_out) clock.advance(1min);
    for (int i = 0; i < 30 && end != End::app; ++i) {
      app.poll();
      clock.advance(1s);
    }
    CHECK(inside.task.done() == (end != End::app));
  }
  CHECK(inside.acted == 1);
  inside.drop();
  CHECK(inside.alive() == 0);
  log(inside.task.status());
  return log.text();
}

constexpr Where everywhere[] = {Where::coro, Where::gather, Where::race, Where::member, Where::generator};
constexpr Act all_acts[] = {Act::drop, Act::abort, Act::cancel, Act::drop_and_abort, Act::abort_and_drop};

}  // namespace

TEST_CASE("a generator whose last handle goes with what is destroyed inside it goes with its task") {
  for (const Where where : everywhere) {
    for (const Act act : all_acts) {
      CHECK(end_inside(where, End::abort, act) == "cancelled");
      CHECK(end_inside(where, End::app, act) == "cancelled");
    }
  }
}

TEST_CASE("what goes with a dropped generator may abort the task that waits, or cancel it, or drop it again") {
  for (const Where where : everywhere) {
    CHECK(end_inside(where, End::drop, Act::drop) == "InvalidState ; on ; succeeded");
    CHECK(end_inside(where, End::drop, Act::cancel) == "InvalidState ; cancelled");
    for (const Act act : {Act::abort, Act::drop_and_abort, Act::abort_and_drop}) {
      CHECK(end_inside(where, End::drop, act) == "cancelled");
    }
  }
}

TEST_CASE("a generator dropped by what a cancellation or a time-out unwinds inside it goes when that step is over") {
  for (const Where where : everywhere) {
    for (const End end : {End::cancel, End::time_out}) {
      const bool is_one_step = where == Where::coro || where == Where::generator;
      const std::string first = !is_one_step         ? "InvalidState ; "
                                : end == End::cancel ? "Cancelled outer ; "
                                                     : "Cancelled ; ";
      // An error that comes out of a combinator does not use up the request, which is therefore thrown later.
      const std::string then = is_one_step ? "on ; succeeded" : end == End::cancel ? "cancelled" : "failed";
      CHECK(end_inside(where, end, Act::drop) == first + then);
      CHECK(end_inside(where, end, Act::drop_and_abort) == "refused ; " + first + then);
      CHECK(end_inside(where, end, Act::abort_and_drop) == "refused ; " + first + then);
    }
  }
}

APP_TEST("what goes with a member may abort the caller of its group: the members go before the frame that holds them") {
  const auto hold = [](std::function<void()> f) -> Coro<> {
    const CallsAtEnd at_end(std::move(f));
    co_await errand::sleep(1h);
  };
  const auto says = [this](const char* what) { return [this, what] { log(what); }; };
  for (const bool is_aborted : {true, false}) {
    log.clear();
    Task<> caller, member;
    std::unique_ptr<AsyncGenerator<int>> generator;
    const std::function<void()> abort_caller = [&] { log("abort", caller.abort()); };
    const auto aborting = [&]() -> AsyncGenerator<int> {
      co_await errand::gather(hold(abort_caller), errand::sleep(1h));
      co_yield 1;
    };
    const auto asking = [&]() -> Coro<> {
      const CallsAtEnd at_end(says("member"));
      generator = std::make_unique<AsyncGenerator<int>>(aborting());
      co_await generator->next();
    };
    const auto body = [&](errand::TaskGroup& group) -> Coro<> {
      const CallsAtEnd at_end(says("body"));
      member = group.add(asking());
      co_await errand::sleep(1h);
    };
    caller = add([&]() -> Coro<> {
      const CallsAtEnd at_end(says("caller"));
      co_await errand::race(errand::TaskGroup::run(body), errand::sleep(1h));
    });
    co_await errand::sleep(1s);
    if (is_aborted) {
      member.abort();
    } else {
      std::unique_ptr<AsyncGenerator<int>>().swap(generator);
    }
    log(member.status(), caller.status());
    expect("abort true ; member ; body ; caller ; cancelled cancelled");
  }
}

APP_TEST("a generator that a member of a group inside it drops goes when the member's step is over, and with it both") {
  std::unique_ptr<AsyncGenerator<int>> generator;
  const auto member = [&]() -> Coro<> {
    const support::LogsAtEnd says(log, "member");
    co_await errand::sleep(1s);
    std::unique_ptr<AsyncGenerator<int>>().swap(generator);
    log("on");
    co_await errand::sleep(1s);
    log("never");
  };
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    const support::LogsAtEnd says(log, "body");
    group.add(member());
    co_await errand::sleep(1h);
  };
  const auto grouping = [&]() -> AsyncGenerator<int> {
    co_await errand::TaskGroup::run(body);
    co_yield 1;
  };
  generator = std::make_unique<AsyncGenerator<int>>(grouping());
  co_await end_of(generator->next(), log);
  log(now(), app.all_tasks().size());
  expect("on ; member ; body ; InvalidState ; 1 1");
}

PLAIN_TEST("what goes with a task that is aborted outside of any run cannot run the App") {
  const auto polls = [this] {
    try {
      app.poll();
    } catch (const InvalidState& error) {
      log(error.what());
    }
  };
  errand::Event event;
  const auto waits = [&]() -> Coro<> {
    const CallsAtEnd at_end(polls);
    co_await event.wait();
    log("went on");
  };
  const auto both = [&]() -> Coro<> { co_await errand::gather(waits(), waits()); };
  const auto alive = app.keep_alive();
  auto alone = app.add_task(waits());
  auto branches = app.add_task(both());
  AsyncGenerator<int> generator = [](Coro<> inner) -> AsyncGenerator<int> {
    co_await std::move(inner);
    co_yield 1;
  }(waits());
  auto asks = app.add_task([&]() -> Coro<> { co_await generator.next(); });
  for (int i = 0; i < 3; ++i) app.poll();
  event.set();
  alone.abort();
  branches.abort();
  generator = {};
  app.poll();
  CHECK_THROWS_WITH(asks.result(), "the generator that was waited for has been destroyed");
  const std::string said = "App 'app' cannot run inside the run, poll or destructor of an App, nor inside an abort";
  expect(said + " ; " + said + " ; " + said + " ; " + said);
}

APP_TEST("a request whose wait goes with a generator that is dropped is thrown out of the next await that suspends") {
  AsyncGenerator<int> generator = []() -> AsyncGenerator<int> {
    co_await errand::sleep(1h);
    co_yield 1;
  }();
  const auto done = add([] { return 7; });
  co_await done;
  auto task = add([&]() -> Coro<> {
    try {
      co_await generator.next();
    } catch (const InvalidState&) {
      log("dropped");
    }
    log(co_await done);
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled& cancelled) {
      log(cancelled.reason());
    }
  });
  co_await errand::yield();
  task.cancel("asked");
  generator = {};
  co_await task;
  expect("dropped ; 7 ; asked");
}

namespace {

constexpr int many = 100'000;

Coro<> aborts_at_end(App& app, int left, int& begun) {
  ++begun;
  const AbortsAtEnd next(left > 0 ? app.add_task(aborts_at_end(app, left - 1, begun)) : Task<>());
  co_await errand::sleep(1h);
}

AsyncGenerator<int> drops_at_end(std::vector<AsyncGenerator<int>>& all, std::size_t i) {
  const CallsAtEnd drop(
      [&all, i] { AsyncGenerator<int> next = i + 1 < all.size() ? std::move(all[i + 1]) : AsyncGenerator<int>(); });
  co_await errand::sleep(1h);
  co_yield 1;
}

template <class Kept>
Coro<Kept> keeps(Kept kept) {
  co_return std::move(kept);
}

struct Entry {
  Task<Entry> before;
};

struct KeepingError {
  Task<> before;
};
Coro<> fails_with(Task<> before) {
  throw KeepingError{std::move(before)};
  co_return;
}

}  // namespace

APP_TEST("destructors that abort the next task take constant stack, and all have gone when the first abort returns") {
  int begun = 0;
  auto first = add(aborts_at_end(app, many, begun));
  while (begun <= many) co_await errand::yield();
  first.abort();
  CHECK(app.all_tasks().size() == 1);
}

APP_TEST("destructors that drop the next generator, which is waited for, take constant stack") {
  std::vector<AsyncGenerator<int>> all(many);
  int dropped = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = drops_at_end(all, i);
    add([&all, &dropped, i]() -> Coro<> {
      try {
        co_await all[i].next();
      } catch (const InvalidState&) {
        ++dropped;
      }
    });
  }
  co_await errand::yield();
  all[0] = {};
  while (app.all_tasks().size() > 1) co_await errand::yield();
  CHECK(dropped == many);
}

APP_TEST("results and errors that hold tasks are dropped in constant stack") {
  Task<Entry> last;
  Task<> failed;
  for (int i = 0; i < many; ++i) {
    last = app.add_task(keeps(Entry{last}), i % 7 == 0 ? "entry " + std::to_string(i) : "");
    failed = app.add_task(fails_with(failed));
    if (i % 1000 == 0) co_await last;
  }
  co_await last;
  while (app.all_tasks().size() > 1) co_await errand::yield();
  CHECK(failed.exception());
  app.purge_tasks();
  last = {};
  failed = {};
  reports.clear();
}
