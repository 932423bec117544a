// SPDX-License-Identifier: MIT
#include <random>

#include "waiting.hpp"

using errand::Lock;
using errand::Semaphore;

namespace {

/// The waiter that gets the lock keeps it until the next waiter is served.
struct Acquirers : waiting::ServesOne {
  static constexpr const char* name = "lock";
  explicit Acquirers(std::size_t) : held(lock.try_acquire()) {}
  auto wait() { return lock.acquire(); }
  void keep(Lock::Guard guard) { held.emplace(std::move(guard)); }
  Coro<> serve() {
    held.reset();
    co_return;
  }
  bool settled(std::size_t) { return lock.locked() == held.has_value(); }

  Lock lock;
  std::optional<Lock::Guard> held;
};

/// Checks the guards of a Lock, or the permits of a Semaphore that has one permit.
template <class P>
Coro<> check_grants(P& one) {
  const auto is_free = [&one] { return one.try_acquire().has_value(); };
  auto first = co_await one.acquire();
  auto second = std::move(first);
  first.release();
  CHECK_FALSE(is_free());
  second.release();
  CHECK(is_free());
  {
    auto third = one.try_acquire();
    REQUIRE(third);
    second = std::move(*third);
  }
  CHECK_FALSE(is_free());
  {
    P another(1);
    auto other = co_await another.acquire();
    other = std::move(second);  // gives back the permit of `another`
    CHECK(another.try_acquire().has_value());
    CHECK_FALSE(is_free());
  }
  CHECK(is_free());
  const auto handed_out = [&one]() -> Coro<decltype(first)> { co_return co_await one.acquire(); };
  auto task = errand::create_task(handed_out());
  co_await errand::wait_all(task);
  CHECK_FALSE(is_free());
  task = {};
  CHECK(is_free());
}

/// Checks the guards of a Lock, or the permits of a Semaphore that has one permit, which outlive it.
template <class P>
Coro<> check_grants_left() {
  auto one = std::make_unique<P>(1);
  auto first = co_await one->acquire();
  std::optional<decltype(first)> waited_for;
  auto waiter = errand::create_task([&]() -> Coro<> { waited_for.emplace(co_await one->acquire()); });
  co_await errand::yield();
  auto second = std::move(first);
  one.reset();
  second.release();
  const auto outcome = co_await errand::settled(waiter);
  CHECK(outcome.failed());
  CHECK_FALSE(waited_for.has_value());

  one = std::make_unique<P>(1);
  second = co_await one->acquire();
  auto third = std::move(second);
  one.reset();
  P another(1);
  auto fourth = co_await another.acquire();
  first = std::move(third);   // neither has anything to give back
  first = std::move(fourth);  // the permit of `another`
  CHECK_FALSE(another.try_acquire().has_value());
  third = std::move(second);
  first.release();
  CHECK(another.try_acquire().has_value());
}

/// A Lock that has the constructor of a Semaphore.
struct LockOfOne : Lock {
  explicit LockOfOne(int) {}
};

}  // namespace

WAITING_TESTS(Acquirers, "a Lock")

APP_TEST("a Guard, or a Permit, can be moved and gives back once what it holds, wherever it ends") {
  LockOfOne lock(1);
  co_await check_grants(lock);
  Semaphore semaphore(1);
  co_await check_grants(semaphore);
}

APP_TEST("a Guard, or a Permit, that outlives its Lock or Semaphore gives nothing back") {
  co_await check_grants_left<LockOfOne>();
  co_await check_grants_left<Semaphore>();
}

APP_TEST("tasks that own permits may end after the task that has the Semaphore, as in the end of a server") {
  const auto client = [this](Semaphore::Permit) -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const errand::Cancelled&) {
    }
    co_await errand::sleep(1s);
    log("goodbye", now());
  };
  const auto serve = [&]() -> Coro<> {
    Semaphore slots(2);
    for (;;) add(client(co_await slots.acquire()));
  };
  auto server = add(serve());
  co_await errand::sleep(1s);
  log("left", co_await app.shutdown_tasks(1min));
  expect("goodbye 2 ; goodbye 2 ; left 0");
  CHECK(server.cancelled());
}

APP_TEST("try_acquire does not take a Lock from under the waiter that it was handed to") {
  Lock lk;
  auto held = co_await lk.acquire();
  CHECK_FALSE(lk.try_acquire().has_value());
  auto a = add([&]() -> Coro<> {
    const auto guard = co_await lk.acquire();
    log("a");
    co_await errand::sleep(1s);
  });
  co_await errand::yield();
  held.release();
  log(lk.locked(), lk.try_acquire().has_value());
  held = co_await lk.acquire();
  log("again", now());
  held.release();
  log(lk.locked());
  log(lk.try_acquire().has_value());
  log(lk.locked());
  co_await a;
  expect("true false ; a ; again 1 ; false ; true ; false");
}

APP_TEST("a Lock whose holder is cancelled, aborted or fails goes to the next") {
  Lock lk;
  const auto hold = [&](std::string name) -> Coro<> {
    const auto guard = co_await lk.acquire();
    log(name);
    co_await errand::sleep(1s);
    throw runtime_error(name + " failed");
  };
  auto a = add(hold("a"));
  auto b = add(hold("b"));
  auto c = add(hold("c"));
  auto d = add(hold("d"));
  co_await errand::yield();
  a.cancel();
  co_await errand::yield();
  co_await errand::yield();
  b.abort();
  CHECK(lk.locked());
  co_await errand::wait_all(a, b, c, d);
  CHECK_FALSE(lk.locked());
  log(c.exception() && d.exception());
  expect("a ; b ; c ; d ; true");
}

APP_TEST("one task at a time holds a Lock, whatever happens to those that want it") {
  constexpr int count = 50;
  std::mt19937 random(7);
  const auto up_to = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most + 1)); };
  Lock lk;
  int inside = 0, most_inside = 0, turns = 0;
  const auto work = [&]() -> Coro<> {
    struct Inside {
      explicit Inside(int& n) : n_(n) { ++n_; }
      ~Inside() { --n_; }
      int& n_;
    };
    for (;;) {
      try {
        const auto guard = co_await errand::wait_for(lk.acquire(), std::chrono::milliseconds(up_to(20)));
        const Inside here(inside);
        most_inside = std::max(most_inside, inside);
        ++turns;
        co_await errand::sleep(std::chrono::milliseconds(up_to(2)));
      } catch (const TimeoutError&) {
      }
      co_await errand::sleep(std::chrono::milliseconds(up_to(2)));
    }
  };
  std::vector<Task<>> tasks(count), all;
  for (int i = 0; i < 5000; ++i) {
    Task<>& one = tasks[static_cast<std::size_t>(up_to(count - 1))];
    if (!one || one.done()) {
      all.push_back(one = add(work()));
    } else if (up_to(1) == 0) {
      one.cancel();
    } else {
      one.abort();
    }
    if (up_to(2) == 0) co_await errand::sleep(1ms);
  }
  for (auto& one : all) one.cancel();
  co_await errand::wait_all(all);
  CHECK(most_inside == 1);
  CHECK(turns > 500);
  CHECK_FALSE(lk.locked());
}
