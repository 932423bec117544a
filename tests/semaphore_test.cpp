// SPDX-License-Identifier: MIT
#include <limits>
#include <random>

#include "combinators.hpp"
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

/// Each waiter takes three permits. One of them is there at the beginning, so that there are always some.
struct AcquirersOfThree : waiting::ServesOne {
  static constexpr const char* name = "semaphore";
  explicit AcquirersOfThree(std::size_t) {}
  auto wait() { return semaphore.acquire(3); }
  void keep(Semaphore::Permit permit) { kept.push_back(std::move(permit)); }
  Coro<> serve() {
    semaphore.release(3);
    co_return;
  }
  bool settled(std::size_t serves) {
    while (auto permit = semaphore.try_acquire(3)) keep(std::move(*permit));
    return kept.size() == serves && semaphore.available() == 1;
  }

  Semaphore semaphore{1};
  std::vector<Semaphore::Permit> kept;
};

/// Gives random numbers from 0 to `most`.
class UpTo {
 public:
  explicit UpTo(unsigned seed) : random_(seed) {}
  std::size_t operator()(std::size_t most) { return random_() % (most + 1); }

 private:
  std::mt19937 random_;
};

/// Starts tasks that do `work()` for ever. After each start, one of all tasks is cancelled or aborted. In the end, all
/// that are left are cancelled.
template <class Work>
Coro<> run_and_disturb(errand::App& app, const Work& work, UpTo& up_to, int count) {
  std::vector<Task<>> tasks;
  for (int i = 0; i < count; ++i) {
    tasks.push_back(app.add_task(work()));
    Task<>& one = tasks[up_to(tasks.size() - 1)];
    if (up_to(1) == 0) {
      one.cancel();
    } else {
      one.abort();
    }
    if (up_to(1) == 0) co_await errand::sleep(1ms);
  }
  for (auto& one : tasks) one.cancel();
  co_await errand::wait_all(tasks);
}

/// Returns the number of free permits.
std::size_t free_of(Semaphore& semaphore) {
  std::vector<Semaphore::Permit> permits;
  while (auto permit = semaphore.try_acquire()) permits.push_back(std::move(*permit));
  const std::size_t free = permits.size();
  permits.clear();
  CHECK(semaphore.available() == free);
  return free;
}

/// Acquires `n` permits, logs that, and holds them for this time.
Coro<> hold(Semaphore& semaphore, std::size_t n, std::chrono::nanoseconds time, support::Log& log, std::string name) {
  const auto permit = co_await semaphore.acquire(n);
  log(name);
  co_await errand::sleep(time);
}

}  // namespace

WAITING_TESTS(Acquirers, "a Semaphore")
WAITING_TESTS(AcquirersOfThree, "a Semaphore of which each takes three")

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
  UpTo up_to(11);
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
  co_await run_and_disturb(app, work, up_to, 2000);
  CHECK(most_inside == permits);
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

APP_TEST("a task acquires several permits at once, and gives all of them back") {
  Semaphore s(5);
  {
    auto three = co_await s.acquire(3);
    CHECK(s.available() == 2);
    CHECK_FALSE(s.try_acquire(3));
    auto two = s.try_acquire(2);
    CHECK(two);
    CHECK(s.available() == 0);
    auto moved = std::move(three);
    three.release();
    CHECK(s.available() == 0);
    moved.release();
    moved.release();
    CHECK(s.available() == 3);
    moved = std::move(*two);
    auto& itself = moved;
    moved = std::move(itself);
    CHECK(s.available() == 3);
    two.reset();
    CHECK(s.available() == 3);
  }
  CHECK(s.available() == 5);
  const auto all = co_await s.acquire(5);
  CHECK(s.available() == 0);
}

APP_TEST("who wants many permits is not overtaken by those behind who want few, nor by try_acquire") {
  Semaphore s(3);
  std::vector<Task<>> tasks;
  tasks.push_back(add(hold(s, 1, 1s, log, "a")));
  tasks.push_back(add(hold(s, 1, 2s, log, "b")));
  tasks.push_back(add(hold(s, 3, 1s, log, "three")));
  tasks.push_back(add(hold(s, 1, 1s, log, "c")));
  tasks.push_back(add(hold(s, 2, 1s, log, "two")));
  co_await errand::sleep(1500ms);
  log("free", s.available(), s.try_acquire().has_value());
  co_await errand::wait_all(tasks);
  log(now(), s.available());
  expect("a ; b ; free 2 false ; three ; c ; two ; 4 3");
}

APP_TEST("when who wants many permits gives up, in whatever way, those behind get what is there, in order") {
  using errand::race, errand::gather, errand::wait_for;
  const auto plain = [](Semaphore& s) -> Coro<> { const auto permit = co_await s.acquire(4); };
  const auto timed = [](Semaphore& s) -> Coro<> { const auto permit = co_await wait_for(s.acquire(4), 1s); };
  const auto raced = [](Semaphore& s) -> Coro<> { co_await race(s.acquire(4), errand::sleep(1s)); };
  const auto loses_early = [this](Semaphore& s) -> Coro<> {
    co_await race(errand::sleep(1s), s.acquire(4), support::tidy(log, "tidy", 1h));
  };
  const auto gathered = [](Semaphore& s) -> Coro<> { co_await gather(s.acquire(4), bad(1s, "failed")); };
  const auto nested = [&](Semaphore& s) -> Coro<> {
    co_await race(gather(s.acquire(4), s.acquire(1)), plain(s), after(1s));
  };
  const auto check = [&](auto work, auto leave, std::string name) -> Coro<> {
    INFO(name);
    log.clear();
    Semaphore s(3);
    auto holds = co_await s.acquire(1);
    auto big = add(work(s));
    co_await errand::yield();
    std::vector<Task<>> behind;
    behind.push_back(add(hold(s, 2, 1s, log, "two")));
    behind.push_back(add(hold(s, 1, 1s, log, "one")));
    co_await errand::sleep(500ms);
    CHECK(log.text().empty());
    leave(big);
    co_await errand::sleep(600ms);
    if (name != "loses early") CHECK(log.text() == "two");
    if (name == "loses early") CHECK(log.text() == "tidy asked ; two");
    holds.release();
    co_await errand::wait_all(behind);
    CHECK(log.text().ends_with("two ; one"));
    CHECK(s.available() == 3);
    big.abort();
    co_await errand::wait_all(big);
  };
  const auto cancel = [](Task<>& task) { task.cancel(); };
  const auto abort = [](Task<>& task) { task.abort(); };
  const auto wait = [](Task<>&) {};
  co_await check(plain, cancel, "cancelled");
  co_await check(plain, abort, "aborted");
  co_await check(timed, cancel, "timed and cancelled");
  co_await check(timed, wait, "timed out");
  co_await check(raced, abort, "raced and aborted");
  co_await check(raced, cancel, "raced and cancelled");
  co_await check(raced, wait, "raced");
  co_await check(loses_early, wait, "loses early");
  co_await check(gathered, cancel, "gathered and cancelled");
  co_await check(gathered, wait, "gathered");
  co_await check(nested, cancel, "nested and cancelled");
  co_await check(nested, abort, "nested and aborted");
  co_await check(nested, wait, "nested");
}

APP_TEST("a Semaphore may be destroyed after a waiter was asked to end, and before its task resumes") {
  auto s = std::make_unique<Semaphore>(1);
  auto big = add([&]() -> Coro<> { const auto permit = co_await s->acquire(2); });
  auto raced = add([&]() -> Coro<> { co_await errand::race(s->acquire(2), errand::sleep(1h)); });
  auto behind = add([&]() -> Coro<> { const auto permit = co_await s->acquire(); });
  co_await errand::yield();
  big.cancel("why");
  raced.cancel("why");
  s.reset();
  co_await errand::wait_all(big, raced, behind);
  log(big.what());
  log(raced.what());
  log(behind.what());
  expect(
      "'Task-2' was cancelled: why ; 'Task-3' was cancelled: why ; the semaphore that was waited for has been "
      "destroyed");
}

APP_TEST("what has been handed to a task that is then asked to end stays with it, and to one that is aborted goes on") {
  Semaphore s(0);
  auto kept = add(hold(s, 2, 0s, log, "kept"));
  auto aborted = add(hold(s, 2, 0s, log, "aborted"));
  auto next = add(hold(s, 3, 0s, log, "next"));
  co_await errand::yield();
  s.release(5);
  CHECK(s.available() == 1);
  kept.cancel("why");
  aborted.abort();
  CHECK(s.available() == 0);
  co_await errand::wait_all(kept, aborted, next);
  log(kept.cancelled(), s.available());
  expect("kept ; next ; true 5");
}

APP_TEST("who wants more permits than there are waits until enough have been added") {
  Semaphore s(2);
  auto task = add(hold(s, 5, 0s, log, "five"));
  co_await errand::yield();
  s.release(2);
  co_await errand::sleep(1s);
  CHECK_FALSE(task.done());
  CHECK(s.available() == 4);
  s.release();
  co_await task;
  CHECK(s.available() == 5);
  CHECK_FALSE(s.try_acquire(std::numeric_limits<std::size_t>::max()));
}

APP_TEST("0 permits cannot be acquired") {
  Semaphore s(2);
  CHECK_THROWS_AS(s.acquire(0), InvalidState);
  CHECK_THROWS_AS(s.try_acquire(0), InvalidState);
  const auto text = [&]() -> std::string {
    try {
      s.try_acquire(0);
    } catch (const InvalidState& error) {
      return error.what();
    }
    return {};
  }();
  CHECK(text == "0 permits of a Semaphore cannot be acquired: 1 is the least");
  CHECK(s.available() == 2);
  co_return;
}

APP_TEST("permits that are forgotten are not given back, and do not count any more") {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  Semaphore s(5);
  {
    auto permit = co_await s.acquire(3);
    permit.forget();
    permit.forget();
    permit.release();
  }
  CHECK(free_of(s) == 2);
  CHECK_THROWS_AS(s.release(most - 1), InvalidState);
  s.release(most - 2);
  CHECK_THROWS_AS(s.release(), InvalidState);
  auto all = s.try_acquire(most);
  REQUIRE(all);
  auto moved = std::move(*all);
  all->forget();
  CHECK_THROWS_AS(s.release(), InvalidState);
  moved.forget();
  s.release(1);
  CHECK(s.available() == 1);
}

APP_TEST("requests of all sizes, of which many give up at random, never hold more than there is, and none is lost") {
  constexpr std::size_t permits = 7;
  UpTo up_to(5);
  Semaphore s(permits);
  std::size_t inside = 0, most_inside = 0;
  const auto work = [&]() -> Coro<> {
    for (;;) {
      const std::size_t n = 1 + up_to(permits - 1);
      std::optional<Semaphore::Permit> permit;
      if (up_to(2) == 0) {
        auto race = co_await errand::race(s.acquire(n), errand::sleep(std::chrono::milliseconds(up_to(5))));
        if (race.index() == 1) continue;
        permit = std::get<0>(std::move(race).value());
      } else {
        permit = co_await s.acquire(n);
      }
      const support::CallsAtEnd at_end([&, n] { inside -= n; });
      most_inside = std::max(most_inside, inside += n);
      co_await errand::sleep(std::chrono::milliseconds(1 + up_to(3)));
    }
  };
  co_await run_and_disturb(app, work, up_to, 1000);
  CHECK(most_inside == permits);
  CHECK(inside == 0);
  CHECK(free_of(s) == permits);
}
