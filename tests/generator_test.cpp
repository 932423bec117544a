// SPDX-License-Identifier: MIT
#include <functional>
#include <memory>
#include <type_traits>

#include "support.hpp"

using errand::AsyncGenerator;
using errand::wait_for;

static_assert(!std::is_copy_constructible_v<AsyncGenerator<int>> && std::is_move_constructible_v<AsyncGenerator<int>>);

namespace {

AsyncGenerator<int> numbers(support::Log& log, int count, std::chrono::nanoseconds delay = 0s) {
  const support::Says says(log, "gone");
  log("begun");
  for (int i = 1; i <= count; ++i) {
    if (delay > 0s) co_await errand::sleep(delay);
    co_yield i;
  }
}

/// Logs the next value, or what is thrown.
template <class T>
Coro<> next_of(AsyncGenerator<T>& generator, support::Log& log) {
  try {
    log(co_await generator.next());
  } catch (const Cancelled& e) {
    log("Cancelled", e.reason());
  } catch (const InvalidState& e) {
    log(e);
  } catch (const std::exception& e) {
    log(e.what());
  }
}

/// Gives the numbers of another generator.
AsyncGenerator<int> relay(AsyncGenerator<int> inner) {
  while (const auto n = co_await inner.next()) co_yield *n;
}

}  // namespace

APP_TEST("a generator is lazy, runs inside who asks, and is exhausted for ever") {
  auto generator = numbers(log, 2);
  add([this] { log("other"); });
  log("made");
  for (int i = 0; i < 4; ++i) co_await next_of(generator, log);
  AsyncGenerator<int> empty;
  co_await next_of(empty, log);
  co_await errand::yield();
  expect("made ; begun ; 1 ; 2 ; gone ; none ; none ; none ; other");
}

APP_TEST("an error of the body comes out once, behind the values before it, and then it is exhausted") {
  const auto failing = [this]() -> AsyncGenerator<int> {
    const support::Says says(log, "gone");
    co_yield 1;
    co_await errand::sleep(1s);
    throw runtime_error("failed");
  };
  auto generator = failing();
  for (int i = 0; i < 4; ++i) co_await next_of(generator, log);
  expect("1 ; gone ; failed ; none ; none");
}

APP_TEST("dropped while it stands at a value its locals go once; dropped before it starts its arguments do") {
  {
    auto generator = numbers(log, 5);
    co_await next_of(generator, log);
    log("drop");
  }
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> watched = held;
  const auto never = [this](std::shared_ptr<int>) -> AsyncGenerator<int> {
    log("never");
    co_yield 1;
  };
  {
    const auto generator = never(std::move(held));
    CHECK(!watched.expired());
  }
  CHECK(watched.expired());
  expect("begun ; 1 ; drop ; gone");
}

APP_TEST("dropped while its next value is awaited, that await throws InvalidState, and its task goes on") {
  auto generator = std::make_unique<AsyncGenerator<int>>(numbers(log, 5, 1h));
  auto t = add([&]() -> Coro<> {
    co_await next_of(*generator, log);
    co_await errand::sleep(1s);
    log("on");
  });
  co_await errand::sleep(1s);
  generator.reset();
  co_await t;
  expect("begun ; gone ; InvalidState ; on");
}

APP_TEST("a cancellation goes through the body, and then it is exhausted") {
  auto generator = numbers(log, 5, 1h);
  auto t = add([&]() -> Coro<> {
    co_await next_of(generator, log);
    co_await next_of(generator, log);
  });
  later(1s, [&] { t.cancel("why"); });
  co_await t;
  log(now());
  expect("begun ; gone ; Cancelled why ; none ; 1");
}

APP_TEST("a body that goes on after a cancellation gives its values") {
  const auto stubborn = []() -> AsyncGenerator<int> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_await errand::sleep(1s);
    co_yield 1;
    co_yield 2;
  };
  auto generator = stubborn();
  auto t = add([&]() -> Coro<> {
    co_await next_of(generator, log);
    co_await next_of(generator, log);
  });
  later(1s, [&] { t.cancel("why"); });
  co_await t;
  log(now());
  expect("1 ; 2 ; 2");
}

APP_TEST("a pending request is thrown where the body suspends, and not where it gives a value at once") {
  auto at_once = numbers(log, 5);
  auto waits = numbers(log, 5, 1s);
  auto t = add([&]() -> Coro<> {
    current_task().cancel("own");
    co_await next_of(at_once, log);
    co_await next_of(waits, log);
  });
  co_await t;
  at_once = {};
  expect("begun ; 1 ; begun ; gone ; Cancelled own ; gone");
}

APP_TEST("next while one is under way throws InvalidState, and the first one gets the value") {
  auto generator = numbers(log, 2, 1s);
  auto first = add(next_of(generator, log));
  co_await errand::yield();
  co_await next_of(generator, log);
  co_await first;
  co_await next_of(generator, log);
  expect("begun ; InvalidState ; 1 ; 2");
}

APP_TEST("a request in the turn in which the value comes leaves it, and is thrown at the next suspension") {
  errand::Event event;
  const auto waiting = [&]() -> AsyncGenerator<int> {
    co_await event.wait();
    co_yield 1;
    co_await errand::sleep(1s);
    co_yield 2;
  };
  auto generator = waiting();
  auto t = add([&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) co_await next_of(generator, log);
  });
  co_await errand::yield();
  event.set();
  t.cancel("why");
  co_await t;
  expect("1 ; Cancelled why ; none");
}

APP_TEST("values that can only be moved, references, and values whose move throws") {
  int target = 1;
  const auto moved = []() -> AsyncGenerator<std::unique_ptr<int>> {
    co_yield std::make_unique<int>(1);
    auto named = std::make_unique<int>(2);
    co_yield std::move(named);
  };
  const auto references = [&]() -> AsyncGenerator<int&> { co_yield target; };
  struct Fragile {
    Fragile() = default;
    Fragile(Fragile&&) { throw runtime_error("move"); }
    Fragile(const Fragile&) = delete;
  };
  const auto fragile = [this]() -> AsyncGenerator<Fragile> {
    const support::Says says(log, "gone");
    co_yield Fragile();
  };
  auto pointers = moved();
  const std::unique_ptr<int> one = *(co_await pointers.next());
  const std::unique_ptr<int> two = *(co_await pointers.next());
  auto referring = references();
  std::optional<std::reference_wrapper<int>> given = co_await referring.next();
  log(*one, *two, &given->get() == &target);
  auto throwing = fragile();
  try {
    (void)co_await throwing.next();
  } catch (const runtime_error& e) {
    log(e);
  }
  const bool is_over = !(co_await throwing.next()).has_value();
  log(is_over);
  expect("1 2 true ; gone ; move ; true");
}

APP_TEST("several tasks may ask in turn, and it may be moved in between") {
  auto generator = numbers(log, 3, 1s);
  co_await add(next_of(generator, log));
  auto other = std::move(generator);
  co_await add(next_of(generator, log));
  co_await add(next_of(other, log));
  auto again = add(next_of(other, log));
  co_await errand::yield();
  generator = std::move(other);
  co_await again;
  log(now());
  expect("begun ; 1 ; none ; 2 ; 3 ; 3");
}

APP_TEST("abort of who awaits the next value ends the generator, whose owner finds it exhausted") {
  auto generator = relay(numbers(log, 3, 1s));
  auto t = add([&]() -> Coro<> {
    for (;;) co_await next_of(generator, log);
  });
  co_await errand::sleep(1500ms);
  t.abort();
  log("aborted");
  co_await next_of(generator, log);
  expect("begun ; 1 ; gone ; aborted ; none");
}

PLAIN_TEST("the end of the App destroys what is suspended in a generator, after any number of turns") {
  for (int turns = 0; turns < 12; ++turns) {
    const auto held = std::make_shared<int>();
    const auto holding = [](std::shared_ptr<int>) -> AsyncGenerator<int> {
      for (;;) {
        co_await errand::sleep(1us);
        co_yield 1;
      }
    };
    auto outlives = relay(holding(held));
    {
      errand::ManualClock own_clock;
      App own("own", {.clock = &own_clock});
      own.add_task([&]() -> Coro<> {
        auto inside = relay(relay(holding(held)));
        for (;;) {
          co_await inside.next();
          co_await outlives.next();
        }
      });
      for (int i = 0; i < turns; ++i) own.poll();
    }
    CHECK(held.use_count() <= 2);
    outlives = {};
    CHECK(held.use_count() == 1);
  }
}

APP_TEST("a time-out ends the generator; in gather and race its next value is like any other awaitable") {
  auto slow = numbers(log, 5, 1h);
  try {
    co_await wait_for(slow.next(), 1s);
  } catch (const TimeoutError& e) {
    log(e);
  }
  co_await next_of(slow, log);
  auto a = numbers(log, 5, 1s);
  auto b = numbers(log, 5, 3s);
  const auto [first, second] = co_await errand::gather(a.next(), b.next());
  log(first, second, now());
  const auto won = co_await errand::race(b.next(), a.next());
  log(won.index(), std::get<1>(won.value()), now());
  co_await next_of(b, log);
  co_await next_of(a, log);
  expect("begun ; gone ; TimeoutError ; none ; begun ; begun ; 1 1 4 ; gone ; 1 2 5 ; none ; 3");
}

namespace {

/// Calls a function when it goes.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> f) : f_(std::move(f)) {}
  AtEnd(const AtEnd&) = delete;
  ~AtEnd() { f_(); }

 private:
  const std::function<void()> f_;
};

enum class Where { coro, gather, race, member, generator };
enum class End { abort, drop, app, cancel, time_out };
enum class Act { drop, abort, cancel, drop_and_abort, abort_and_drop };

/// A task waits for the next value of a generator, inside which a frame acts on both when it is destroyed.
class Inside {
 public:
  Inside(support::Log& log, Where where, Act act) : log_(log), where_(where), act_(act) {}

  Coro<> run() {
    const std::shared_ptr<int> alive = alive_;
    generator = std::make_unique<AsyncGenerator<int>>(make());
    co_await next_of(*generator, log_);
    co_await errand::sleep(1s);
    log_("on");
  }

  std::unique_ptr<AsyncGenerator<int>> generator;  // nobody else has it
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
    const AtEnd at_end([this, alive = alive_] { act(); });
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

/// Gives what the task logged, and how it ended.
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
      // A member is another task: in the one that waits the request is still to be thrown.
      const std::string then = where != Where::member ? "on ; succeeded" : end == End::cancel ? "cancelled" : "failed";
      CHECK(end_inside(where, end, Act::drop) == first + then);
      CHECK(end_inside(where, end, Act::drop_and_abort) == "refused ; " + first + then);
      CHECK(end_inside(where, end, Act::abort_and_drop) == "refused ; " + first + then);
    }
  }
}

APP_TEST("a generator that drops itself goes where it suspends next, and who awaits its next value is told so") {
  std::unique_ptr<AsyncGenerator<int>> generator;
  const auto drops_itself = [&](bool yields) -> AsyncGenerator<int> {
    const support::Says says(log, "gone");
    std::unique_ptr<AsyncGenerator<int>>().swap(generator);
    log("dropped");
    if (yields) co_yield 1;
    co_await errand::sleep(1h);
    log("never");
  };
  for (const bool yields : {true, false}) {
    generator = std::make_unique<AsyncGenerator<int>>(drops_itself(yields));
    co_await next_of(*generator, log);
    co_await errand::sleep(1s);
  }
  log(now());
  expect("dropped ; 1 ; gone ; dropped ; gone ; InvalidState ; 2");
}

APP_TEST("100,000 values, and 1,000 generators inside each other, take constant stack") {
  const auto count = [](int n) -> AsyncGenerator<int> {
    for (int i = 1; i <= n; ++i) co_yield i;
  };
  auto many = count(100'000);
  long sum = 0;
  while (const auto n = co_await many.next()) sum += *n;
  auto nested = count(3);
  for (int i = 0; i < 1000; ++i) nested = relay(std::move(nested));
  while (const auto n = co_await nested.next()) sum += *n;
  log(sum);
  expect("5000050006");
}
