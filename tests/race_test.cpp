// SPDX-License-Identifier: MIT
// Tests of race. The tests that every combinator must pass are in task_group_test.cpp.
#include <functional>
#include <memory>
#include <type_traits>
#include <variant>

#include "combinators.hpp"

using errand::Event;
using errand::Queue;
using errand::race;

namespace {

Coro<> nothing(std::chrono::nanoseconds delay) { co_await errand::sleep(delay); }

/// Goes on for 2 s after it was asked to end. Then it returns `result`, or throws if `failure` is not empty.
Coro<std::shared_ptr<int>> late(support::Log& log, std::shared_ptr<int> result, std::string failure = {}) {
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled& e) {
    log("asked", e.reason());
  }
  co_await errand::sleep(2s);
  log("late");
  if (!failure.empty()) throw runtime_error(failure);
  co_return result;
}

/// Waits for an item or for `closing`, whichever comes first, again and again.
Coro<> serve(support::Log& log, Queue<int>& queue, Event& closing) {
  for (;;) {
    const auto first = co_await race(queue.get(), closing.wait());
    log("index", first.index());
    if (first.index() == 1) co_await errand::sleep(1h);
  }
}

}  // namespace

APP_TEST("a race of different types gives a variant: void as monostate, a reference as reference_wrapper") {
  int target = 1;
  const auto reference = [&]() -> Coro<int&> {
    co_await errand::sleep(1s);
    co_return target;
  };
  auto first = co_await race(after(2s, 1), nothing(3s), reference());
  static_assert(
      std::is_same_v<decltype(first), errand::Race<std::variant<int, std::monostate, std::reference_wrapper<int>>>>);
  log(first.index(), first.value().index(), &std::get<2>(first.value()).get() == &target);
  const auto second = co_await race(after(2s, 1), nothing(1s));
  log(second.index(), std::holds_alternative<std::monostate>(second.value()), now());
  const auto same = co_await race(after(2s, 1), after(1s, 2));
  log(same.index(), std::get<1>(same.value()));
  expect("2 2 true ; 1 true 2 ; 1 2");
}

APP_TEST("a race of a vector gives the type of its members, also one that can only be moved") {
  const auto make = [](std::chrono::nanoseconds delay, int n) -> Coro<std::unique_ptr<int>> {
    co_await errand::sleep(delay);
    co_return std::make_unique<int>(n);
  };
  const std::unique_ptr<int> taken = (co_await race(vector_of(make(2s, 1), make(1s, 2)))).value();
  const errand::Race<std::monostate> first = co_await race(vector_of(nothing(1h), nothing(1h), nothing(1s)));
  const errand::Race<int> alone = co_await race(vector_of(after(1s, 3)));
  log(*taken, first.index(), alone.index(), alone.value());
  expect("2 2 0 3");
}

APP_TEST("a race of nothing, of an empty Coro, or of an empty handle is InvalidState") {
  co_await end_of(race(std::vector<Coro<int>>()), log);
  co_await end_of(race(after(1s), Coro<>()), log);
  co_await end_of(race(vector_of(Coro<>(), nothing(1s))), log);
  co_await end_of(race(after(1s), Task<>()), log);
  co_await end_of(race(current_task(), after(1s)), log);
  log(now());
  expect("InvalidState ; InvalidState ; InvalidState ; InvalidState ; InvalidState ; 0");
}

APP_TEST("the first to end decides, with an error too, and what the others give late is destroyed, or reported") {
  auto result = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = result;
  co_await end_of(race(late(log, std::move(result)), bad(1s, "first"), late(log, nullptr, "second")), log);
  log(watched.expired(), now());
  co_await errand::yield();
  expect("asked ; asked ; late ; late ; first ; true 3", {"second"});
}

APP_TEST("one that ends at once decides: those after it do not start") {
  Queue<int> a, b;
  a.try_put(1);
  b.try_put(2);
  const auto first = co_await race(nap("before", 1s), a.get(), b.get(), nap("never", 1s));
  log(first.index(), std::get<1>(first.value()), a.size(), b.size(), now());
  expect("before start ; before cancelled ; 1 1 0 1 0");
}

APP_TEST("a race of handles leaves the others running, and gives an error or a cancellation of the first") {
  auto slow = add(after(5s, 1));
  auto failing = add(bad(2s, "failed"));
  auto cancelled = add(after(1h));
  later(3s, [&] { cancelled.cancel("why"); });
  const auto first = co_await race(slow, add(after(1s, 2)));
  log(first.index(), std::get<1>(first.value()));
  co_await end_of(race(slow, failing), log);
  co_await end_of(race(slow, cancelled), log);
  log(slow.status());
  co_await end_of(race(vector_of(cancelled, slow)), log);
  expect("1 2 ; failed ; TaskCancelled why ; pending ; TaskCancelled why");
  co_await slow;
}

APP_TEST(
    "of handles that fail in the same turn the first decides, and the other is reported, and cancelled ones are not") {
  co_await end_of(race(add(bad(1s, "1")), add(bad(1s, "2"))), log);
  auto a = add(after(1h));
  auto b = add(after(1h));
  later(1s, [&] {
    a.cancel("a");
    b.cancel("b");
  });
  co_await end_of(race(a, b), log);
  expect("1 ; TaskCancelled a", {"2"});
}

APP_TEST("a race of awaitables is decided at the first wake-up: nothing is handed to the others in that turn") {
  errand::Lock lock;
  Queue<int> queue, other;
  Event event;
  std::optional<errand::Lock::Guard> held(lock.try_acquire());
  const auto wake_all = [&](bool event_first) {
    if (event_first) event.set();
    queue.try_put(1);
    event.set();
    other.try_put(2);
    held.reset();
    app.dispatch("a.b.c");
  };
  for (const bool event_first : {false, true}) {
    later(1s, [&, event_first] { wake_all(event_first); });
    {
      const auto first = co_await race(other.get(), lock.acquire(), app.event("a.b.*"), queue.get(), event.wait());
      log(first.index());
    }
    log(queue.size(), other.size(), lock.locked());
    event.clear();
    held = lock.try_acquire();
    other.try_get();
  }
  expect("3 ; 0 1 false ; 4 ; 1 1 false");
}

APP_TEST("in a race of awaitables of equal deadlines the first one set decides, and a time-out of an event too") {
  const auto first = co_await race(errand::sleep(2s), errand::sleep(1s), errand::sleep(1s), app.event("a.b.c", 1s));
  log(first.index(), now());
  co_await end_of(race(errand::sleep(2s), app.event("a.b.c", 1s)), log);
  log(now());
  expect("1 1 ; TimeoutError ; 2");
}

APP_TEST("a vector of awaitables, and awaitables that have a name, race like others") {
  Queue<int> a, b;
  Event event;
  auto wait = event.wait();
  later(1s, [&] {
    b.try_put(1);
    a.try_put(2);
  });
  const auto item = co_await race(vector_of(a.get(), b.get()));
  log(item.index(), item.value(), a.size());
  later(1s, [&] { event.set(); });
  const auto first = co_await race(wait, after(5s));
  log(first.index(), now());
  expect("1 1 1 ; 0 2");
}

APP_TEST("a Coro and an awaitable: a value that comes in the turn in which the Coro would end is not lost") {
  Queue<int> queue;
  for (const auto put_at : {1s, 2s}) {
    const auto begun = now();
    later(put_at, [&] { queue.try_put(1); });
    const auto first = co_await race(queue.get(), after(1s));
    log(first.index(), now() - begun);
    co_await errand::sleep(2s);
  }
  log(queue.size());
  expect("0 1 ; 1 1 ; 1");
}

APP_TEST("a losing Coro that gets a permit in the turn of the decision gives it back") {
  errand::Semaphore permits(1);
  std::optional<errand::Semaphore::Permit> held(permits.try_acquire());
  const auto acquire = [&]() -> Coro<errand::Semaphore::Permit> { co_return co_await permits.acquire(); };
  later(1s, [&] { held.reset(); });
  co_await race(after(1s), acquire());
  CHECK(permits.try_acquire().has_value());
  expect("");
}

APP_TEST("the next value of a generator decides a race when it comes, not when the generator is woken in between") {
  const auto slow = []() -> errand::AsyncGenerator<int> {
    co_await errand::sleep(1s);
    co_await errand::sleep(10s);
    co_yield 1;
  };
  auto generator = slow();
  const auto first = co_await race(generator.next(), errand::sleep(5s));
  log(first.index(), now());
  expect("1 5");
}

APP_TEST("a request in the turn of the decision leaves the result, and is thrown at the next suspension") {
  for (const bool request_first : {true, false}) {
    Queue<int> queue;
    Event closing;
    auto t = add(serve(log, queue, closing));
    co_await errand::yield();
    if (request_first) t.cancel("why");
    queue.try_put(1);
    if (!request_first) t.cancel("why");
    co_await errand::sleep(1s);
    log(t.status(), queue.size());
    t.abort();
  }
  expect("cancelled 1 ; index 0 ; cancelled 0");
}

APP_TEST("a time-out in the turn of the decision is not lost") {
  Queue<int> queue;
  Event closing;
  at(1s, [&] { queue.try_put(1); });
  auto t = add(errand::wait_for(serve(log, queue, closing), 1s));
  co_await errand::sleep(1h);
  log(t.status(), queue.size());
  t.abort();
  co_await end_of(t, log);
  expect("index 0 ; failed 0 ; TimeoutError");
}

APP_TEST("a request after a Coro has won, while others clean up, is not lost") {
  const auto work = [this]() -> Coro<> {
    const auto first = co_await race(after(1s), late(log, nullptr));
    log("index", first.index());
    co_await errand::sleep(1h);
  };
  auto t = add(work());
  later(2s, [&] { t.cancel("why"); });
  co_await errand::sleep(10s);
  log(t.status());
  t.abort();
  CHECK((log.text() == "asked ; index 0 ; cancelled" || log.text() == "asked ; cancelled"));
}

APP_TEST("a request in the turn in which a Coro wins leaves its result, and is thrown at the next suspension") {
  for (const bool request_first : {true, false}) {
    Task<> t;
    const auto ask = [&] { t.cancel("why"); };
    const auto work = [this]() -> Coro<> {
      const auto first = co_await race(after(1s), after(2s));
      log("index", first.index());
      co_await errand::sleep(1h);
    };
    if (request_first) later(1s, ask);
    t = add(work());
    co_await errand::yield();
    if (!request_first) later(1s, ask);
    co_await errand::sleep(3s);
    log(t.status());
    t.abort();
  }
  expect("index 0 ; cancelled ; index 0 ; cancelled");
}

APP_TEST("an item handed to a race that is aborted before it resumes is the next one's") {
  Queue<int> queue;
  Event closing;
  auto t = add(serve(log, queue, closing));
  co_await errand::yield();
  queue.try_put(1);
  t.abort();
  log(queue.size());
  expect("1");
}

APP_TEST("if the first to end after a request goes on with a result, that comes out") {
  const auto at_once = []() -> Coro<int> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_return 7;
  };
  auto t = add(race(at_once(), late(log, nullptr)));
  later(1s, [&] { t.cancel("why"); });
  const auto first = co_await t;
  log(first.index(), std::get<0>(first.value()), now());
  expect("asked why ; late ; 0 7 3");
}

APP_TEST("a race inside a race ends with it, and its loser's clean-up is awaited") {
  const auto first = co_await race(race(nap("a", 5s), late(log, nullptr)), race(nap("b", 1s), nap("c", 2s)));
  log(first.index(), std::get<1>(first.value()).index(), now());
  expect("a start ; b start ; c start ; b end ; c cancelled ; a cancelled ; asked ; late ; 1 0 3");
}

APP_TEST("a race of thread calls and what is ready, before or after them, makes no call") {
  errand::Event ready;
  ready.set();
  int calls = 0;
  const auto call = [&calls] { return ++calls; };
  log((co_await race(errand::to_thread(call), ready.wait())).index());
  log((co_await race(ready.wait(), errand::to_thread(call))).index());
  log((co_await race(errand::to_thread(errand::abandon, [] { return 1; }), ready.wait())).index());
  log(calls);
  expect("1 ; 0 ; 1 ; 0");
}

APP_TEST("a race of a put and a get of one full Queue loses no item: the get gives its item, and nothing is put") {
  for (const bool put_first : {true, false}) {
    Queue<int> queue(1);
    queue.try_put(42);
    std::size_t winner = 0;
    int got = 0;
    if (put_first) {
      const auto first = co_await race(queue.put(43), queue.get());
      winner = first.index();
      got = std::get<1>(first.value());
    } else {
      const auto first = co_await race(queue.get(), queue.put(43));
      winner = first.index();
      got = std::get<0>(first.value());
    }
    log(winner, got, queue.size());
  }
  expect("1 42 0 ; 0 42 0");
}

APP_TEST("a race takes an item when it resumes its caller: aborted before, it leaves the item in the Queue") {
  for (const bool queue_first : {true, false}) {
    Queue<int> queue;
    Event closing;
    int taken = 0;
    queue.try_put(1);
    queue.try_put(2);
    auto task = add([&]() -> Coro<> {
      if (queue_first) {
        co_await race(queue.get(), closing.wait());
      } else {
        co_await race(closing.wait(), queue.get());
      }
      ++taken;
    });
    co_await errand::yield();
    task.abort();
    co_await errand::sleep(1s);
    std::string left;
    while (const auto item = queue.try_get()) left += std::to_string(*item);
    log(left == (taken ? "2" : "12"));
  }
  expect("true ; true");
}

APP_TEST("with a request pending, the first of a race or a gather that would suspend decides it, and no item moves") {
  Event never;
  Queue<int> queue;
  queue.try_put(1);
  const auto ends = [&](auto make) {
    return add([this, make]() -> Coro<> {
      current_task().cancel("why");
      co_await end_of(make(), log);
    });
  };
  co_await ends([&] { return race(never.wait(), queue.put(2)); });
  co_await ends([&] { return race(never.wait(), queue.get()); });
  co_await ends([&] { return errand::gather(never.wait(), queue.put(2)); });
  co_await ends([&] { return errand::gather(never.wait(), queue.get()); });
  co_await ends([&] { return race(queue.get(), never.wait()); });  // its get does not suspend
  log(queue.size());
  expect("Cancelled why ; Cancelled why ; Cancelled why ; Cancelled why ; done ; 0");
}

APP_TEST("a worker that races for jobs loses none when it is asked to end in the clean-up of one") {
  Queue<int> jobs;
  Event closing;
  int taken = 0;
  const auto nap = []() -> Coro<> { co_await errand::sleep(1s); };
  for (int job = 0; job < 3; ++job) jobs.try_put(job);
  auto worker = add([&]() -> Coro<> {
    for (;;) {
      const auto next = co_await race(closing.wait(), jobs.get());
      if (next.index() == 0) co_return;
      ++taken;
      co_await errand::finally(nap, nap);
    }
  });
  co_await errand::sleep(1500ms);
  worker.cancel();
  co_await errand::wait_all(worker);
  log(taken, jobs.size(), worker.cancelled());
  expect("1 2 true");
}
