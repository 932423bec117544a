// SPDX-License-Identifier: MIT
#include <limits>
#include <random>

#include "waiting.hpp"

using errand::Semaphore;

namespace {

struct Acquirers : waiting::ServesOne {
  static constexpr const char* name = "semaphore";
  explicit Acquirers(std::size_t) {}
  auto wait() { return semaphore.acquire(); }
  void keep(Semaphore::Permit permit) { kept.push_back(std::move(permit)); }
  Coro<> serve() {
    semaphore.release();
    co_return;
  }
  bool settled(std::size_t serves) {
    while (auto permit = semaphore.try_acquire()) keep(std::move(*permit));
    return kept.size() == serves;
  }

  Semaphore semaphore{0};
  std::vector<Semaphore::Permit> kept;
};

/// Returns the number of free permits.
std::size_t free_of(Semaphore& semaphore) {
  std::vector<Semaphore::Permit> permits;
  while (auto permit = semaphore.try_acquire()) permits.push_back(std::move(*permit));
  return permits.size();
}

}  // namespace

WAITING_TESTS(Acquirers, "a Semaphore")

APP_TEST("a Semaphore has as many permits as it was made with, and those that were released beyond") {
  Semaphore s(2);
  CHECK(free_of(s) == 2);
  s.release(3);
  CHECK(free_of(s) == 5);
  {
    const auto a = co_await s.acquire();
    const auto b = s.try_acquire();
    CHECK(free_of(s) == 3);
    s.release(0);
    CHECK(free_of(s) == 3);
  }
  CHECK(free_of(s) == 5);
}

APP_TEST("release(n) serves the first n waiters, in order, and what is left is free") {
  Semaphore s(0);
  std::vector<Semaphore::Permit> kept;
  const auto acquire = [&](int i) -> Coro<> {
    kept.push_back(co_await s.acquire());
    log(i);
  };
  std::vector<Task<>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(add(acquire(i)));
  co_await errand::yield();
  s.release(3);
  log("released", s.try_acquire().has_value());
  co_await errand::sleep(1s);
  log("then");
  s.release(4);
  log(free_of(s));
  co_await errand::wait_all(tasks);
  kept.clear();
  log(free_of(s));
  expect("released false ; 0 ; 1 ; 2 ; then ; 2 ; 3 ; 4 ; 7");
}

APP_TEST("try_acquire does not overtake who waits, and who gives a permit back and wants it again comes last") {
  Semaphore s(1);
  const auto acquire = [&](std::string name) -> Coro<> {
    const auto permit = co_await s.acquire();
    log(name);
  };
  auto held = co_await s.acquire();
  auto a = add(acquire("a"));
  auto b = add(acquire("b"));
  co_await errand::yield();
  held.release();
  log(s.try_acquire().has_value());
  held = co_await s.acquire();
  log("again");
  co_await errand::wait_all(a, b);
  expect("false ; a ; b ; again");
}

APP_TEST("no more tasks than there are permits hold one, whatever happens to those that want it") {
  constexpr std::size_t permits = 3;
  std::mt19937 random(11);
  const auto up_to = [&](unsigned most) { return random() % (most + 1); };
  Semaphore s(permits);
  std::size_t inside = 0, most_inside = 0;
  const auto work = [&]() -> Coro<> {
    const auto at_end = [&](void*) { --inside; };
    for (;;) {
      const auto permit = co_await s.acquire();
      const std::unique_ptr<void, decltype(at_end)> here(&inside, at_end);
      most_inside = std::max(most_inside, ++inside);
      co_await errand::sleep(std::chrono::milliseconds(1 + up_to(3)));
    }
  };
  std::vector<Task<>> tasks;
  for (int i = 0; i < 2000; ++i) {
    tasks.push_back(add(work()));
    Task<>& one = tasks[up_to(static_cast<unsigned>(tasks.size()) - 1)];
    if (up_to(1) == 0) {
      one.cancel();
    } else {
      one.abort();
    }
    if (up_to(1) == 0) co_await errand::sleep(1ms);
  }
  CHECK(most_inside == permits);
  for (auto& one : tasks) one.cancel();
  co_await errand::wait_all(tasks);
  CHECK(inside == 0);
  CHECK(free_of(s) == permits);
}

TEST_CASE("a Semaphore that would have more permits than it can count refuses them, and keeps those that it has") {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  Semaphore all(most);
  CHECK_THROWS_AS(all.release(), InvalidState);
  {
    auto permit = all.try_acquire();
    CHECK(permit);
    CHECK_THROWS_AS(all.release(), InvalidState);  // because the permit that is held will come back
  }
  CHECK(all.try_acquire());

  Semaphore some(2);
  CHECK_THROWS_AS(some.release(most - 1), InvalidState);
  CHECK(free_of(some) == 2);
  some.release(most - 2);
  CHECK_THROWS_AS(some.release(), InvalidState);
}

APP_TEST("many permits at once go to those who wait, and the rest is free") {
  Semaphore semaphore(0);
  int got = 0;
  for (int i = 0; i < 3; ++i) {
    add([&]() -> Coro<> {
      const auto permit = co_await semaphore.acquire();
      ++got;
      co_await errand::sleep(1s);
    });
  }
  co_await errand::yield();
  semaphore.release(1'000'000'000'000);  // must not take time for each permit
  co_await errand::yield();
  CHECK(got == 3);
  CHECK(semaphore.try_acquire());
  co_await errand::sleep(2s);  // until the permits are given back, because none may outlive the semaphore
}

APP_TEST("a semaphore that is destroyed after a race has taken a permit, and before the race ends, makes it throw") {
  auto semaphore = std::make_unique<errand::Semaphore>(1);
  const auto cleans_up = []() -> Coro<> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_await errand::sleep(1s);
  };
  const auto race = [&]() -> Coro<> { co_await errand::race(cleans_up(), semaphore->acquire()); };
  const auto racing = app.add_task(race());
  co_await errand::sleep(1ms);
  CHECK_FALSE(semaphore->try_acquire());
  semaphore.reset();
  co_await errand::wait_all(racing);
  CHECK_THROWS_AS(racing.result(), InvalidState);
}
