// SPDX-License-Identifier: MIT
// Tests of gather and gather_settled. The tests that every combinator must pass are in task_group_test.cpp.
#include <memory>
#include <tuple>
#include <type_traits>
#include <variant>

#include "combinators.hpp"

using errand::gather;
using errand::gather_settled;
using errand::race;
using errand::settled;
using errand::TaskGroup;

namespace {

Coro<int> goes_on_when_asked(int result) {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
  }
  co_return result;
}
Coro<> nothing(std::chrono::nanoseconds delay) { co_await errand::sleep(delay); }

/// Throws at the move that brings `moves_left` to 0. Counts in `alive` how many objects exist.
class Fragile {
 public:
  Fragile(int& moves_left, int& alive) noexcept : moves_left_(moves_left), alive_(alive) { ++alive_; }
  Fragile(Fragile&& other) : moves_left_(other.moves_left_), alive_(other.alive_) {
    if (--moves_left_ == 0) throw runtime_error("move");
    ++alive_;
  }
  ~Fragile() { --alive_; }

 private:
  int& moves_left_;
  int& alive_;
};

}  // namespace

APP_TEST("gather takes Coros, handles and other awaitables of the library, mixed") {
  errand::Event event;
  errand::Queue<std::string> queue;
  errand::Lock lock;
  std::optional<errand::Lock::Guard> held_lock(lock.try_acquire());
  int target = 1;
  const auto reference = [&]() -> Coro<int&> { co_return target; };
  const auto task = add(after(1s, 2));
  auto event_wait = event.wait();
  later(2s, [&] {
    event.set();
    queue.try_put("item");
    held_lock.reset();
    app.dispatch("a.b.c", 3);
  });
  {
    auto results = co_await gather(after(3s, 1.5), task, event_wait, queue.get(), lock.acquire(), app.event("a.b.c"),
                                   errand::sleep(1s), reference());
    static_assert(std::is_same_v<std::tuple_element_t<2, decltype(results)>, std::monostate>);
    int& given = std::get<7>(results);
    log(std::get<0>(results), std::get<1>(results), std::get<3>(results), std::get<5>(results).get<int>(), now());
    log(&given == &target, lock.locked());
  }
  log(lock.locked());
  expect("1.5 2 item 3 3 ; true true ; false");
}

APP_TEST("gather of a vector gives a vector: of monostate for void, of reference_wrapper for references") {
  int target = 1;
  const auto reference = [&]() -> Coro<int&> { co_return target; };
  errand::Queue<int> queue;
  queue.try_put(5);
  later(1s, [&] { queue.try_put(6); });
  const std::vector<std::monostate> voids = co_await gather(vector_of(nothing(1s), nothing(0s)));
  const std::vector<std::reference_wrapper<int>> references = co_await gather(vector_of(reference(), reference()));
  const std::vector<bool> bools = co_await gather(vector_of(after(1s, true), after(0s, false)));
  const std::vector<int> tasks = co_await gather(vector_of(add(after(2s, 1)), add(after(1s, 2))));
  const std::vector<int> items = co_await gather(vector_of(queue.get(), queue.get()));
  log(voids.size(), &references[0].get() == &target, bool(bools[0]), bool(bools[1]), tasks[0], tasks[1]);
  log(items[0], items[1]);
  expect("2 true true false 1 2 ; 5 6");
}

APP_TEST("gather gives results that can only be moved, of a Coro and of a handle, from which it is taken") {
  const auto make = [](int n) -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(n); };
  const auto task = add(make(2));
  const auto [a, b] = co_await gather(make(1), task);
  const auto [c] = co_await gather_settled(make(3));
  const auto d = co_await gather(vector_of(make(4), make(5)));
  log(*a, *b, *c.value(), *d[0], *d[1]);
  CHECK_THROWS_AS(task.result(), InvalidState);
  expect("1 2 3 4 5");
}

APP_TEST("if the move of a result throws, that comes out of every combinator, and nothing is left") {
  using Through = Coro<> (*)(Coro<Fragile>);
  const Through throughs[] = {
      [](Coro<Fragile> f) -> Coro<> { co_await gather(std::move(f), after(1s)); },
      [](Coro<Fragile> f) -> Coro<> { co_await gather(vector_of(std::move(f))); },
      [](Coro<Fragile> f) -> Coro<> {
        const auto [fragile, other] = co_await gather_settled(std::move(f), after(1s));
        (void)fragile.value();
      },
      [](Coro<Fragile> f) -> Coro<> { (void)(co_await gather_settled(vector_of(std::move(f)))).front().value(); },
      [](Coro<Fragile> f) -> Coro<> { co_await race(after(1h), std::move(f)); },
      [](Coro<Fragile> f) -> Coro<> { co_await race(vector_of(std::move(f))); },
      [](Coro<Fragile> f) -> Coro<> { co_await errand::wait_for(std::move(f), 1s); },
      [](Coro<Fragile> f) -> Coro<> { co_await errand::finally(std::move(f), [] {}); },
      [](Coro<Fragile> f) -> Coro<> { co_await TaskGroup::run([&](TaskGroup&) { return std::move(f); }); },
      [](Coro<Fragile> f) -> Coro<> { co_await errand::shield(std::move(f)); },
  };
  const auto make = [](int& moves_left, int& alive) -> Coro<Fragile> { co_return Fragile(moves_left, alive); };
  for (const Through through : throughs) {
    int failures = -1;
    for (bool failed = true; failed;) {
      int moves_left = ++failures + 1;
      int alive = 0;
      failed = false;
      try {
        co_await through(make(moves_left, alive));
      } catch (const runtime_error& e) {
        failed = e.what() == std::string("move");
      }
      CHECK(alive == 0);
    }
    CHECK(failures > 1);
  }
  expect("");
}

APP_TEST("gather runs at once, without the queue, and starts none after one that fails at once") {
  const auto at_once = []() -> Coro<int> { co_return 1; };
  add([this] { log("other"); });
  const auto [a, b] = co_await gather(at_once(), at_once());
  log(a, b);
  co_await end_of(gather(bad(0s, "failed"), nap("never", 1s)), log);
  co_await errand::yield();
  expect("1 1 ; failed ; other");
}

APP_TEST("of failures in one turn the first comes out, and the others are reported under the name of the task") {
  app.add_signal("server.exception.report", [this](const errand::Signal& signal) {
    const auto& failure = signal.get<errand::TaskFailure>();
    log(failure.name(), failure.what());
  });
  auto t = add(gather(bad(1s, "1"), gather(bad(1s, "2"), bad(1s, "3"))), "caller");
  co_await errand::sleep(2s);
  co_await end_of(t, log);
  expect("caller 3 ; caller 2 ; 1", {"3", "2"});
}

APP_TEST("of observed tasks that fail in one turn, or later, none is lost and none is told of twice") {
  auto first = add(bad(1s, "1"));
  auto second = add(bad(1s, "2"));
  auto later_one = add(bad(2s, "3"));
  co_await end_of(gather(std::move(first), std::move(second), std::move(later_one)), log);
  co_await errand::sleep(5s);
  expect("1", {"2", "3"});
}

APP_TEST("observed tasks that are cancelled together are no failures: one comes out, none is reported") {
  auto a = add(after(1h));
  auto b = add(after(1h));
  later(1s, [&] {
    a.cancel("a");
    b.cancel("b");
  });
  co_await end_of(gather(a, b), log);
  expect("TaskCancelled a");
}

APP_TEST(
    "a failure waits for the clean-up of the others, and a request meanwhile goes into it, and the failure comes out") {
  auto t = add(gather(bad(1s, "failed"), tidy(log, "a", 2s), tidy(log, "b", 4s)));
  later(4s, [&] { t.cancel("why"); });
  co_await end_of(t, log);
  log(now(), t.status());
  expect("a asked ; b asked ; a cleaned ; b interrupted why ; failed ; 4 failed");
}

APP_TEST("a member that throws Cancelled itself ends the others, and Cancelled comes out") {
  const auto own = []() -> Coro<> {
    co_await errand::yield();
    throw Cancelled("own");
  };
  co_await end_of(gather(tidy(log, "a", 1s), own()), log);
  const auto [a, b] = co_await gather_settled(own(), after(1s, 7));
  log(a.cancelled(), b.value());
  expect("a asked ; a cleaned ; Cancelled own ; true 7");
}

APP_TEST("what cannot be awaited makes gather throw InvalidState, and the others end") {
  App other;
  auto foreign = other.add_task(after(1s));
  co_await end_of(gather(nothing(1s), Coro<>()), log);
  co_await end_of(gather(vector_of(Coro<>(), nothing(1s))), log);
  co_await end_of(gather(tidy(log, "a", 1s), Task<>()), log);
  co_await end_of(gather(tidy(log, "b", 1s), foreign), log);
  co_await end_of(gather(tidy(log, "c", 1s), current_task()), log);
  expect(
      "InvalidState ; InvalidState ; a asked ; a cleaned ; InvalidState ; b asked ; b cleaned ; InvalidState ; c asked "
      "; "
      "c cleaned ; InvalidState");
}

APP_TEST("gather_settled tells a value, an error, a cancellation and an observed one apart") {
  auto observed = add(after(1h));
  later(1s, [&] { observed.cancel("why"); });
  auto outcomes = co_await gather_settled(vector_of(after(2s, 1), errand::wait_for(after(5s, 2), 1s)));
  const auto [cancelled] = co_await gather_settled(observed);
  log(outcomes[0].has_value(), outcomes[0].cancelled(), bool(outcomes[0].exception()), std::move(outcomes[0]).value());
  log(outcomes[1].has_value(), outcomes[1].cancelled(), bool(outcomes[1].exception()));
  log(cancelled.has_value(), cancelled.cancelled(), bool(cancelled.exception()));
  CHECK_THROWS_AS(outcomes[1].value(), TimeoutError);
  CHECK_THROWS_AS(cancelled.value(), TaskCancelled);
  expect("true false false 1 ; false false true ; false true true");
}

APP_TEST("an Outcome tells by failed() an error from a cancellation, and by what() the text of either") {
  const auto throws_odd = []() -> Coro<> {
    co_await errand::yield();
    throw 42;
  };
  const auto throws_cancelled = [](std::string reason) -> Coro<> {
    co_await errand::yield();
    throw Cancelled(reason);
  };
  auto observed = add(after(1h), "observed");
  observed.cancel("why");
  const auto [value, error, odd, cancelled, no_reason, gone] = co_await gather_settled(
      after(1s), bad(1s, "failed"), throws_odd(), throws_cancelled("own"), throws_cancelled(""), observed);
  log(value.failed(), value.what());
  log(error.failed(), error.what());
  log(odd.failed(), odd.what());
  log(cancelled.failed(), cancelled.what());
  log(no_reason.failed(), no_reason.what());
  log(gone.failed(), gone.what());
  expect(
      "false ; true failed ; true an exception that is no std::exception ; false cancelled: own ; false cancelled ; "
      "false 'observed' was cancelled: why");
}

APP_TEST("gather_settled gives its outcomes if all that were asked to end went on") {
  auto t = add(gather_settled(goes_on_when_asked(1), after(1s, 2)));
  later(2s, [&] { t.cancel("why"); });
  const auto [a, b] = co_await t;
  log(a.value(), b.value(), now());
  expect("1 2 2");
}

APP_TEST("an observed task that was cancelled does not hide the cancellation of who called gather_settled") {
  auto observed = add(after(1h));
  auto t = add(gather_settled(observed, after(1h)));
  later(1s, [&] { observed.cancel("other"); });
  later(2s, [&] { t.cancel("why"); });
  co_await end_of(t, log);
  log(t.status());
  expect("TaskCancelled why ; cancelled");
}

APP_TEST("gather gives its results if all that were asked to end went on, and no request is left") {
  auto t = add([]() -> Coro<int> {
    const auto [a, b] = co_await gather(goes_on_when_asked(1), goes_on_when_asked(2));
    co_await errand::sleep(1s);
    co_return a + b;
  });
  later(1s, [&] { t.cancel("why"); });
  const int sum = co_await t;
  log(sum, t.cancelling(), now());
  expect("3 1 2");
}

APP_TEST("settled gives the outcome of its work, and does not throw its error") {
  int target = 1;
  const auto reference = [&]() -> Coro<int&> { co_return target; };
  const auto cancels = []() -> Coro<> {
    throw Cancelled("alone");
    co_return;
  };
  errand::Queue<int> queue;
  queue.try_put(3);
  const auto value = co_await settled(after(1s, 2));
  const auto error = co_await settled(bad(1s, "bad"));
  const auto cancelled = co_await settled(cancels);
  const auto given = co_await settled(reference);
  const auto item = co_await settled(queue.get());
  const auto task = add(cancels());
  const auto of_task = co_await settled(task);
  static_assert(std::is_same_v<decltype(value), const errand::Outcome<int>>);
  static_assert(std::is_same_v<decltype(error), const errand::Outcome<void>>);
  log(value.value(), error.failed(), error.what(), cancelled.cancelled(), cancelled.failed());
  log(&given.value().get() == &target, item.value(), of_task.cancelled(), of_task.failed());
  CHECK_THROWS_AS(error.value(), runtime_error);
  CHECK_THROWS_AS(of_task.value(), TaskCancelled);
  expect("2 true bad true false ; true 3 true false");
}

APP_TEST("if the caller of settled is asked to end, Cancelled comes out, and a failure is reported") {
  const auto fails_when_asked = []() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      throw runtime_error("clean-up");
    }
  };
  const auto ask = [this](Coro<> work) -> Coro<> {
    auto task = add(end_of(std::move(work), log));
    co_await errand::yield();
    task.cancel("asked");
    co_await errand::wait_all(task);
  };
  const auto of = [this](auto work) -> Coro<> {
    const auto outcome = co_await settled(work);
    log(outcome.has_value());
    co_await end_of(errand::sleep(1h), log);
  };
  co_await ask(of([this] { return tidy(log, "tidy", 1s); }));
  co_await ask(of(fails_when_asked));
  co_await end_of(errand::wait_for(of([] { return goes_on_when_asked(1); }), 1s), log);
  co_await ask(end_of(errand::wait_for(of([this] { return nap("nap", 1h); }), 1s), log));
  expect(
      "tidy asked asked ; tidy cleaned ; Cancelled asked ; Cancelled asked ; true ; done ; done ; nap start ; "
      "nap cancelled ; Cancelled asked ; done",
      {"clean-up"});
}

APP_TEST("the work of settled is destroyed with an aborted task") {
  const auto work = [this]() -> Coro<> {
    const support::LogsAtEnd end(log, "gone");
    co_await errand::sleep(1h);
  };
  auto task = add(end_of(settled(work), log));
  co_await errand::yield();
  task.abort();
  expect("gone");
}

APP_TEST("combinators take Coros of a const result") {
  const auto one = []() -> Coro<const int> {
    co_await errand::yield();
    co_return 1;
  };
  const auto each = [one](int) { return one(); };
  std::vector<Coro<const int>> coros;
  coros.push_back(one());
  const std::vector<int> items{1, 2};
  const auto parts = co_await gather(one(), one);
  const std::vector<int> all = co_await gather(std::move(coros));
  const std::vector<int> of_range = co_await gather(items, each, 2);
  const auto outcomes = co_await gather_settled(items, each, 2);
  const auto outcome = co_await settled(one());
  const auto perhaps = co_await errand::move_on_after(one(), 1s);
  const auto first = co_await race(one(), one);
  const int waited = co_await errand::wait_for(one(), 1s);
  CHECK(std::get<0>(parts) + std::get<1>(parts) == 2);
  CHECK(all == std::vector<int>{1});
  CHECK(of_range == std::vector<int>{1, 1});
  CHECK(outcomes[1].value() + outcome.value() + *perhaps + std::get<0>(first.value()) + waited == 5);
}
