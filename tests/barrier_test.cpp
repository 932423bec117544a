// SPDX-License-Identifier: MIT
#include <random>

#include "waiting.hpp"

using errand::Barrier;

namespace {

/// The barrier is for one task more than there are waiters. Each serve is one more task that comes. If some waiters
/// have left, as many more tasks must come before the barrier opens.
struct Waiters : waiting::Subject {
  static constexpr const char* name = "barrier";
  explicit Waiters(std::size_t waiters) : barrier(waiters + 1) {}
  auto wait() { return barrier.wait(); }
  void keep(std::size_t index) { indices.push_back(index); }
  Coro<> serve() { co_await barrier.wait(); }
  static std::size_t serves(std::size_t began, std::size_t still_waiting) { return began + 1 - still_waiting; }
  static bool next_is_served(bool first_had_left, bool) { return !first_had_left; }
  bool settled(std::size_t) {  // each index was given once, in the order of the waiters
    return std::adjacent_find(indices.begin(), indices.end(), std::greater_equal<>()) == indices.end();
  }

  Barrier barrier;
  std::vector<std::size_t> indices;
};

}  // namespace

WAITING_TESTS(Waiters, "a Barrier")

APP_TEST("the indices of a Barrier tell in which order the tasks came, and the last one does not suspend") {
  Barrier b(4);
  const auto come = [&](std::string name) -> Coro<> {
    const std::size_t index = co_await b.wait();
    log(name, index);
  };
  std::vector<Task<>> tasks;
  for (int round = 0; round < 2; ++round) {
    tasks.push_back(add(come("a")));
    tasks.push_back(add(come("b")));
    tasks.push_back(add(come("c")));
    co_await errand::sleep(1s);
    log("last", co_await b.wait());
  }
  co_await errand::wait_all(tasks);
  expect("last 3 ; a 0 ; b 1 ; c 2 ; last 3 ; a 0 ; b 1 ; c 2");
}

APP_TEST("a Barrier for one is always open, and one for none cannot be made") {
  Barrier one(1);
  bool has_others_run = false;
  auto other = add([&] { has_others_run = true; });
  for (int i = 0; i < 3; ++i) {
    const auto index = co_await one.wait();
    CHECK(index == 0);
  }
  CHECK_FALSE(has_others_run);
  CHECK_THROWS_AS(Barrier(0), InvalidState);
  co_await other;
}

APP_TEST("a waiter that is cancelled no longer counts at a Barrier, and those behind it move up") {
  Barrier b(3);
  const auto come = [&](std::string name) -> Coro<> {
    const std::size_t index = co_await b.wait();
    log(name, index);
  };
  auto a = add(come("a"));
  auto second = add(come("b"));
  co_await errand::yield();
  a.cancel();
  auto c = add(come("c"));
  co_await errand::sleep(1s);
  log(second.done(), c.done());
  auto d = add(come("d"));
  co_await errand::wait_all(second, c, d);
  expect("false false ; d 2 ; b 0 ; c 1");
}

APP_TEST("who comes to a Barrier again before the others have resumed waits for the next round") {
  Barrier b(2);
  const auto come = [&](std::string name) -> Coro<> {
    for (int round = 0; round < 2; ++round) log(name, round, co_await b.wait());
  };
  auto a = add(come("a"));
  auto second = add(come("b"));
  co_await errand::wait_all(a, second);
  expect("b 0 1 ; a 0 0 ; a 1 1 ; b 1 0");
}

APP_TEST("a Barrier destroyed after it has opened has let its waiters through") {
  std::optional<Barrier> b(std::in_place, 2);
  auto a = add([&]() -> Coro<std::size_t> { co_return co_await b->wait(); });
  co_await errand::yield();
  log(co_await b->wait());
  b.reset();
  log(co_await a);
  expect("1 ; 0");
}

APP_TEST("a Barrier opens as often as a count of its waiters says, whatever happens to them") {
  constexpr std::size_t parties = 5;
  std::mt19937 random(3);
  Barrier b(parties);
  std::size_t opened = 0, expected_to_open = 0;
  const auto come = [&]() -> Coro<> {
    if ((co_await b.wait()) == parties - 1) ++opened;
  };
  std::vector<Task<>> waiters;
  for (int i = 0; i < 5000; ++i) {
    if (!waiters.empty() && random() % 3 == 0) {
      const auto one = waiters.begin() + static_cast<std::ptrdiff_t>(random() % waiters.size());
      const bool is_cancelled = random() % 2 == 0 ? one->cancel() : one->abort();
      CHECK(is_cancelled);
      waiters.erase(one);
    } else {
      waiters.push_back(add(come()));
      co_await errand::yield();
      if (waiters.size() < parties) continue;
      ++expected_to_open;
      co_await errand::wait_all(std::exchange(waiters, {}));
    }
    CHECK(opened == expected_to_open);
  }
  CHECK(opened > 100);
  for (auto& one : waiters) one.cancel();
  co_await errand::sleep(1s);
}

APP_TEST("coming and going in one turn at a Barrier that is almost full leaves the count exact") {
  constexpr std::size_t parties = 100;
  Barrier b(parties);
  std::size_t came = 0;
  const auto come = [&](Task<> leaves) -> Coro<> {
    if (leaves) leaves.cancel();
    co_await b.wait();
    ++came;
  };
  std::vector<Task<>> waiters;
  for (std::size_t i = 0; i + 1 < parties; ++i) waiters.push_back(add(come({})));
  co_await errand::yield();
  std::vector<Task<>> others;
  for (const Task<>& waiter : waiters) others.push_back(add(come(waiter)));
  co_await errand::sleep(1s);
  log(came, waiters.front().cancelled(), waiters.back().cancelled(), others.front().done());
  co_await b.wait();
  co_await errand::wait_all(others);
  log(came);
  expect("0 true true false ; 99");
}
