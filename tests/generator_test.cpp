// SPDX-License-Identifier: MIT
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

#include "combinators.hpp"

using errand::AsyncGenerator;
using errand::wait_for;

static_assert(!std::is_copy_constructible_v<AsyncGenerator<int>> && std::is_move_constructible_v<AsyncGenerator<int>>);

namespace {

AsyncGenerator<int> numbers(support::Log& log, int count, std::chrono::nanoseconds delay = 0s) {
  const support::LogsAtEnd says(log, "gone");
  log("begun");
  for (int i = 1; i <= count; ++i) {
    if (delay > 0s) co_await errand::sleep(delay);
    co_yield i;
  }
}

/// Logs the next value of a generator, or the error that it throws.
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

/// Yields the numbers of another generator.
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
    const support::LogsAtEnd says(log, "gone");
    co_yield 1;
    co_await errand::sleep(1s);
    throw runtime_error("failed");
  };
  auto generator = failing();
  for (int i = 0; i < 4; ++i) co_await next_of(generator, log);
  expect("1 ; gone ; failed ; none ; none");
}

APP_TEST("dropped while it stands at a value its locals go once, and dropped before it starts its arguments do") {
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

APP_TEST("a cancellation goes through the body, and then there is no next value: InvalidState") {
  auto generator = numbers(log, 5, 1h);
  auto t = add([&]() -> Coro<> {
    co_await next_of(generator, log);
    co_await next_of(generator, log);
  });
  later(1s, [&] { t.cancel("why"); });
  co_await t;
  log(now());
  expect("begun ; gone ; Cancelled why ; InvalidState ; 1");
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

APP_TEST("a pending request is thrown when the body suspends, and not when it gives a value at once") {
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
  expect("1 ; Cancelled why ; InvalidState");
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
    const support::LogsAtEnd says(log, "gone");
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

APP_TEST("a time-out ends the generator, and in gather and race its next value is like any other awaitable") {
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
  expect("begun ; gone ; TimeoutError ; InvalidState ; begun ; begun ; 1 1 4 ; gone ; 1 2 5 ; InvalidState ; 3");
}

APP_TEST("a generator that drops itself goes where it suspends next, and who awaits its next value is told so") {
  std::unique_ptr<AsyncGenerator<int>> generator;
  const auto drops_itself = [&](bool yields) -> AsyncGenerator<int> {
    const support::LogsAtEnd says(log, "gone");
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
  std::int64_t sum = 0;
  while (const auto n = co_await many.next()) sum += *n;
  auto nested = count(3);
  for (int i = 0; i < 1000; ++i) nested = relay(std::move(nested));
  while (const auto n = co_await nested.next()) sum += *n;
  log(sum);
  expect("5000050006");
}

APP_TEST("a generator that is dropped may abort the task that waits for its next value, from a destructor inside") {
  Task<> asking;
  const auto generate = [&]() -> AsyncGenerator<int> {
    const support::CallsAtEnd aborts([&asking] { asking.abort("why"); });
    co_await errand::sleep(1h);
    co_yield 1;
  };
  std::optional<AsyncGenerator<int>> generator(generate());
  asking = add(next_of(*generator, log));
  co_await errand::sleep(1s);
  generator.reset();
  log(asking.status(), now());
  expect("cancelled 1");
}

APP_TEST("a generator that was cancelled inside a next throws InvalidState from then on: it has not ended") {
  const auto ticks = []() -> AsyncGenerator<int> {
    for (int i = 0; i < 3; ++i) {
      co_await errand::sleep(1s);
      co_yield i;
    }
  };
  auto timed = ticks(), asked = ticks();
  co_await end_of(errand::wait_for(timed.next(), 1ms), log);
  auto task = add([&]() -> Coro<> { co_await end_of(asked.next(), log); });
  later(1ms, [&] { task.cancel("why"); });
  co_await task;
  for (int i = 0; i < 2; ++i) {
    co_await end_of(timed.next(), log);
    co_await end_of(asked.next(), log);
  }
  expect("TimeoutError ; Cancelled why ; InvalidState ; InvalidState ; InvalidState ; InvalidState");
}
