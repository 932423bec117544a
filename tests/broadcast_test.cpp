// SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>

#include "waiting.hpp"

using errand::Broadcast;
using errand::QueueClosed;
using errand::Subscription;

namespace {

/// Many tasks wait for one subscription: each item goes to one of them.
struct OfOne : waiting::ServesOne {
  static constexpr const char* name = "subscription";
  explicit OfOne(std::size_t) {}
  auto wait() { return mine.next(); }
  void keep(std::optional<int> item) { kept.push_back(item.value()); }
  Coro<> serve() {
    broadcast.send(items++);
    co_return;
  }
  bool settled(std::size_t serves) {
    while (const auto item = mine.try_next()) keep(item);
    std::vector<int> all(serves);
    std::iota(all.begin(), all.end(), 0);
    return kept == all && mine.lost() == 0;
  }

  Broadcast<int> broadcast;
  Subscription<int> mine = broadcast.subscribe();
  int items = 0;
  std::vector<int> kept;
};

/// Each task waits for a subscription of its own: each item goes to all.
struct OfMany : waiting::ServesAll {
  static constexpr const char* name = "subscription";
  explicit OfMany(std::size_t) {}
  auto wait() {
    subscriptions.push_back(broadcast.subscribe());
    return subscriptions.back().next();
  }
  Coro<> serve() {
    broadcast.send(1);
    co_return;
  }

  Broadcast<int> broadcast;
  std::vector<Subscription<int>> subscriptions;
};

/// Takes items until there are no more, and sleeps after each of them.
Coro<> hear(Subscription<int> subscription, std::string name, std::chrono::seconds pause, support::Log& log) {
  while (const auto item = co_await subscription.next()) {
    log(name, *item);
    co_await errand::sleep(pause);
  }
  log(name, "ends, lost", subscription.lost());
}

Coro<int> take_one(Subscription<int>& from) {
  const auto item = co_await from.next();
  co_return item.value();
}
Coro<bool> gets_one(Subscription<int>& from) {
  const auto item = co_await from.next();
  co_return item.has_value();
}

/// Counts its copies. The copy with the number `fails_at` throws.
struct Counted {
  explicit Counted(int its_value) : value(its_value) {}
  Counted(const Counted& other) : value(other.value) {
    if (++copies == fails_at) throw runtime_error("copy");
    if (const auto call = std::exchange(at_copy, nullptr)) call();
  }
  Counted(Counted&&) = default;

  inline static int copies = 0;
  inline static int fails_at = 0;
  inline static std::function<void()> at_copy;  // called by the next copy
  int value;
};

/// An item that calls a function when it is destroyed.
using Last = std::shared_ptr<support::CallsAtEnd<std::function<void()>>>;
Last last(std::function<void()> f) { return std::make_shared<Last::element_type>(std::move(f)); }

}  // namespace

WAITING_TESTS(OfOne, "a Subscription")
WAITING_TESTS(OfMany, "a Broadcast")

APP_TEST("each subscriber gets every item that is sent after it has subscribed, also while it is busy") {
  Broadcast<int> broadcast;
  broadcast.send(0);
  auto a = add(hear(broadcast.subscribe(), "a", 0s, log));
  broadcast.send(1);
  auto b = add(hear(broadcast.subscribe(), "b", 5s, log));
  co_await errand::sleep(1s);
  broadcast.send(2);
  broadcast.send(3);
  co_await errand::sleep(1s);
  broadcast.close();
  co_await errand::wait_all(a, b);
  expect("a 1 ; b 2 ; a 2 ; a 3 ; a ends, lost 0 ; b 3 ; b ends, lost 0");
}

APP_TEST("with a capacity the oldest items are lost and counted, but none that a task waited for") {
  Broadcast<int> broadcast;
  auto two = broadcast.subscribe(2);
  for (int i = 1; i <= 5; ++i) broadcast.send(i);
  CHECK(two.lost() == 3);
  CHECK(two.try_next() == 4);
  CHECK(two.try_next() == 5);
  CHECK(two.try_next() == std::nullopt);
  auto waiting = add(take_one(two));
  co_await errand::yield();
  for (int i = 6; i <= 8; ++i) broadcast.send(i);
  const int six = co_await waiting;
  CHECK(six == 6);
  CHECK(two.lost() == 3);

  auto aborted = add(take_one(two));
  CHECK(two.try_next() == 7);
  CHECK(two.try_next() == 8);
  co_await errand::yield();
  for (int i = 9; i <= 11; ++i) broadcast.send(i);
  aborted.abort();  // gives 9 back, which is the oldest
  CHECK(two.lost() == 4);
  CHECK(two.try_next() == 10);
}

APP_TEST("the tasks that wait are woken in the order in which they began to wait") {
  Broadcast<int> broadcast;
  auto first = broadcast.subscribe(), second = broadcast.subscribe(), third = broadcast.subscribe();
  const auto wait = [&](Subscription<int>& from, std::string name) -> Coro<> {
    co_await from.next();
    log(name);
  };
  add(wait(second, "second"));
  auto cancelled = add(wait(first, "cancelled"));
  add(wait(third, "third"));
  co_await errand::yield();
  cancelled.cancel();
  co_await errand::yield();
  add(wait(first, "first"));
  co_await errand::yield();
  broadcast.send(1);
  co_await errand::yield();
  expect("second ; third ; first");
}

APP_TEST("what is left after a close or the end of the Broadcast is given, and then nothing") {
  auto broadcast = std::make_unique<Broadcast<int>>();
  auto early = broadcast->subscribe(), waiting = broadcast->subscribe();
  broadcast->send(1);
  CHECK(waiting.try_next() == 1);
  auto task = add(gets_one(waiting));
  co_await errand::yield();
  broadcast->close();
  CHECK_THROWS_AS(broadcast->send(2), QueueClosed);
  auto late = broadcast->subscribe();
  broadcast.reset();
  const bool given = co_await task;
  CHECK_FALSE(given);
  const auto one = co_await early.next();
  CHECK(one == 1);
  for (Subscription<int>* each : {&early, &waiting, &late}) {
    const auto none = co_await each->next();
    CHECK_FALSE(none);
    CHECK_FALSE(each->try_next());
  }
}

APP_TEST("a Broadcast that is destroyed wakes who waits, and an item that was handed over stays") {
  auto broadcast = std::make_unique<Broadcast<int>>();
  auto a = add(hear(broadcast->subscribe(), "a", 0s, log));
  auto b = add(hear(broadcast->subscribe(), "b", 0s, log));
  co_await errand::yield();
  broadcast->send(1);
  broadcast.reset();
  co_await errand::wait_all(a, b);
  expect("a 1 ; b 1 ; a ends, lost 0 ; b ends, lost 0");
}

APP_TEST("a Subscription can be moved while a task waits for its next item") {
  Broadcast<int> broadcast;
  auto one = std::make_unique<Subscription<int>>(broadcast.subscribe());
  auto task = add(take_one(*one));
  co_await errand::yield();
  Subscription<int> moved = std::move(*one);
  CHECK_THROWS_AS(one->next(), InvalidState);
  CHECK_THROWS_AS(one->try_next(), InvalidState);
  CHECK_THROWS_AS(one->lost(), InvalidState);
  one.reset();
  broadcast.send(1);
  broadcast.send(2);
  const int given = co_await task;
  CHECK(given == 1);
  CHECK(moved.try_next() == 2);
  moved = broadcast.subscribe();
  broadcast.send(3);
  CHECK(moved.try_next() == 3);
}

APP_TEST("a Subscription that is assigned or destroyed while a task waits makes that await throw") {
  Broadcast<int> broadcast;
  auto one = broadcast.subscribe(), other = broadcast.subscribe();
  const auto wait = [&](Subscription<int>& from) -> Coro<> {
    try {
      co_await from.next();
    } catch (const InvalidState& e) {
      log(e.what());
    }
  };
  auto waiting = add(wait(one)), served = add(wait(other));
  co_await errand::yield();
  one = broadcast.subscribe();
  broadcast.send(1);
  {
    const auto gone = std::move(other);
  }
  co_await errand::wait_all(waiting, served);
  expect(
      "the subscription that was waited for has been destroyed ; the subscription that was waited for has been "
      "destroyed");
  CHECK(one.try_next() == 1);
}

APP_TEST("a race for two subscriptions takes one item, and the other item stays") {
  Broadcast<int> broadcast;
  auto one = broadcast.subscribe(), other = broadcast.subscribe();
  broadcast.send(1);
  auto race = co_await errand::race(one.next(), other.next());
  CHECK(race.index() == 0);
  CHECK_FALSE(one.try_next());
  CHECK(other.try_next() == 1);

  auto task = add([](auto& a, auto& b) -> Coro<> { co_await errand::race(a.next(), b.next()); }(one, other));
  co_await errand::yield();
  broadcast.send(2);
  broadcast.send(3);
  task.abort();
  CHECK(one.try_next() == 2);
  CHECK(one.try_next() == 3);
  CHECK(other.try_next() == 2);
}

APP_TEST("an item that a race has taken at once is not lost if the race is aborted before it resumes") {
  Broadcast<int> broadcast;
  auto mine = broadcast.subscribe();
  errand::Event never;
  broadcast.send(1);
  broadcast.send(2);
  auto task =
      add([](auto& from, auto& event) -> Coro<> { co_await errand::race(event.wait(), from.next()); }(mine, never));
  co_await errand::yield();
  CHECK(task.abort());
  CHECK(mine.try_next() == 1);
  CHECK(mine.try_next() == 2);
}

APP_TEST("if the copy for one subscriber throws, nobody gets the item") {
  Broadcast<Counted> broadcast;
  auto a = broadcast.subscribe(), b = broadcast.subscribe(), c = broadcast.subscribe();
  Counted::copies = 0;
  broadcast.send(Counted(1));
  CHECK(Counted::copies == 2);  // the third subscriber gets the item itself
  for (int i = 1; i <= 2; ++i) {
    Counted::copies = 0;
    Counted::fails_at = i;
    CHECK_THROWS_AS(broadcast.send(Counted(2)), runtime_error);
  }
  Counted::fails_at = 0;
  for (auto* each : {&a, &b, &c}) {
    CHECK(each->try_next().value().value == 1);
    CHECK_FALSE(each->try_next());
  }
  co_return;
}

APP_TEST("the copy of an item may subscribe, unsubscribe, send and close") {
  std::optional<Broadcast<Counted>> broadcast(std::in_place);
  std::vector<Subscription<Counted>> all;
  for (int i = 0; i < 3; ++i) all.push_back(broadcast->subscribe());
  const auto send_and_do = [&](int value, std::function<void()> what) {
    Counted::at_copy = std::move(what);
    broadcast->send(Counted(value));
  };
  send_and_do(1, [&] { all.push_back(broadcast->subscribe()); });
  CHECK_FALSE(all[3].try_next());
  CHECK(all[2].try_next().value().value == 1);
  send_and_do(2, [&] { all.erase(all.begin(), all.begin() + 2); });
  CHECK(all[0].try_next().value().value == 2);
  CHECK(all[1].try_next().value().value == 2);
  send_and_do(3, [&] { broadcast->send(Counted(4)); });
  CHECK(all[0].try_next().value().value == 4);
  CHECK(all[0].try_next().value().value == 3);
  send_and_do(5, [&] { broadcast->close(); });
  CHECK_FALSE(all[0].try_next());
  co_return;
}

APP_TEST("the destructor of an item that is lost may use and end all that it reaches") {
  for (int what = 0; what < 4; ++what) {
    auto broadcast = std::make_unique<Broadcast<Last>>();
    auto small = std::make_unique<Subscription<Last>>(broadcast->subscribe(1));
    auto large = broadcast->subscribe();
    int ended = 0;
    broadcast->send(last([&, what] {
      ++ended;
      if (what == 0) broadcast->send(nullptr);
      if (what == 1) small.reset();
      if (what == 2) broadcast.reset();
      if (what == 3) small->try_next();
    }));
    large.try_next();
    CHECK(ended == 0);
    broadcast->send(nullptr);
    CHECK(ended == 1);
    const auto left = large.try_next();
    CHECK(left);
  }
  co_return;
}

APP_TEST("an item that an aborted task gives back to a full subscription is lost, and its destructor may end that") {
  Broadcast<Last> broadcast;
  auto small = std::make_unique<Subscription<Last>>(broadcast.subscribe(1));
  auto task = add([](auto& from) -> Coro<> { co_await from.next(); }(*small));
  co_await errand::yield();
  bool ended = false;
  broadcast.send(last([&] {
    ended = true;
    small.reset();
  }));
  broadcast.send(nullptr);
  task.abort();
  CHECK(ended);
}

APP_TEST("the destructors of items that are left may use the Broadcast") {
  Broadcast<Last> broadcast;
  auto other = broadcast.subscribe();
  {
    auto mine = broadcast.subscribe();
    broadcast.send(last([&] { broadcast.send(nullptr); }));
    other.try_next();
  }
  CHECK(other.try_next());
  co_return;
}

APP_TEST("an item whose move throws when it is taken stays at its place") {
  struct Thrower {
    explicit Thrower(bool& its_throws) : throws(&its_throws) {}
    Thrower(const Thrower& other) : throws(other.throws) {
      if (*throws) throw runtime_error("copy");
    }
    bool* throws;
  };
  Broadcast<Thrower> broadcast;
  auto mine = broadcast.subscribe();
  bool throws = false;
  broadcast.send(Thrower(throws));
  throws = true;
  CHECK_THROWS_AS(mine.try_next(), runtime_error);
  bool thrown = false;
  try {
    co_await mine.next();
  } catch (const runtime_error&) {
    thrown = true;
  }
  CHECK(thrown);
  auto task = add([](auto& from) -> Coro<> { co_await errand::race(from.next(), errand::sleep(1s)); }(mine));
  co_await errand::wait_all(task);
  CHECK_THROWS_AS(std::rethrow_exception(task.exception()), runtime_error);
  throws = false;
  CHECK(mine.try_next());
  CHECK_FALSE(mine.try_next());
}

APP_TEST("a Broadcast to 10,000 subscribers that wait wakes them all, and they may end in any order") {
  Broadcast<int> broadcast;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10'000; ++i) {
    tasks.push_back(add([](Subscription<int> from) -> Coro<int> {
      int sum = 0;
      while (const auto item = co_await from.next()) sum += *item;
      co_return sum;
    }(broadcast.subscribe())));
  }
  co_await errand::yield();
  for (int i = 1; i <= 10; ++i) broadcast.send(i);
  co_await errand::yield();
  for (std::size_t i = 0; i < tasks.size(); i += 2) tasks[i].abort();
  broadcast.close();
  for (std::size_t i = 1; i < tasks.size(); i += 2) {
    const int sum = co_await tasks[i];
    CHECK(sum == 55);
  }
}

TEST_CASE("a Subscription may outlive its App, and be destroyed after it") {
  Broadcast<int> broadcast;
  auto mine = broadcast.subscribe();
  {
    App app;
    app.add_task([&]() -> Coro<> { co_await mine.next(); });
    for (int i = 0; i < 5; ++i) app.poll();
  }
  broadcast.send(1);
  CHECK(mine.try_next() == 1);
}

TEST_CASE("the move of an item may destroy the Subscription and then throw") {
  struct Moved {
    explicit Moved(std::function<void()>& at_move) : call(&at_move) {}
    Moved(const Moved&) = default;
    Moved(Moved&& other) : call(other.call) {
      if (const auto at_move = *call) at_move();
    }
    std::function<void()>* call;
  };
  std::function<void()> at_move;
  Broadcast<Moved> news;
  auto mine = std::make_unique<errand::Subscription<Moved>>(news.subscribe());
  news.send(Moved(at_move));
  at_move = [&] {
    mine.reset();
    throw runtime_error("moved");
  };
  CHECK_THROWS_AS(mine->try_next(), runtime_error);
  CHECK_FALSE(mine);
}

APP_TEST("items that come back in any order stand in their old order") {
  Broadcast<int> news;
  auto mine = news.subscribe();
  const auto take = [&]() -> Coro<> { static_cast<void>(co_await mine.next()); };
  std::vector<Task<>> tasks;
  for (int i = 0; i < 6; ++i) tasks.push_back(add(take()));
  co_await errand::yield();
  for (int i = 0; i < 8; ++i) news.send(i);
  for (const std::size_t i : {2u, 3u, 1u}) tasks[i].abort();
  log(mine.try_next());
  for (const std::size_t i : {5u, 0u, 4u}) tasks[i].abort();
  while (const auto item = mine.try_next()) log(*item);
  expect("1 ; 0 ; 2 ; 3 ; 4 ; 5 ; 6 ; 7");
}
