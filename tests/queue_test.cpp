// SPDX-License-Identifier: MIT
#include <array>
#include <numeric>
#include <random>

#include "waiting.hpp"

using errand::Queue;
using errand::QueueClosed;

namespace {

struct Getters : waiting::ServesOne {
  static constexpr const char* name = "queue";
  explicit Getters(std::size_t) {}
  auto wait() { return queue.get(); }
  void keep(std::unique_ptr<int> item) { kept.push_back(*item); }
  Coro<> serve() {
    CHECK(queue.try_put(std::make_unique<int>(items++)));
    co_return;
  }
  bool settled(std::size_t serves) {
    while (auto item = queue.try_get()) keep(std::move(*item));
    std::vector<int> all(serves);
    std::iota(all.begin(), all.end(), 0);
    return kept == all;
  }

  Queue<std::unique_ptr<int>> queue;
  int items = 0;
  std::vector<int> kept;
};

// The same tests, with `next` in place of `get`.
struct Nexts : Getters {
  using Getters::Getters;
  auto wait() { return queue.next(); }
  void keep(std::optional<std::unique_ptr<int>> item) { kept.push_back(*item.value()); }
  bool settled(std::size_t serves) {
    while (auto item = queue.try_get()) keep(std::move(item));
    return Getters::settled(serves);
  }
};

/// Each serve takes an item. The putter that waits first uses the free room at once.
struct Putters : waiting::ServesOne {
  static constexpr const char* name = "queue";
  explicit Putters(std::size_t) { queue.try_put(0); }
  auto wait() { return queue.put(++items); }
  Coro<> serve() {
    taken.push_back(queue.try_get().value());
    co_return;
  }
  static bool next_is_served(bool first_had_left, bool) { return first_had_left; }
  bool settled(std::size_t serves) {
    return taken.size() == serves && queue.size() <= 1 &&
           std::adjacent_find(taken.begin(), taken.end(), std::greater_equal<>()) == taken.end();
  }

  Queue<int> queue{1};
  int items = 0;
  std::vector<int> taken;
};

struct Joiners : waiting::ServesAll {
  static constexpr const char* name = "queue";
  explicit Joiners(std::size_t) { queue.try_put(1); }
  auto wait() { return queue.join(); }
  Coro<> serve() {
    queue.task_done();
    co_return;
  }

  Queue<int> queue;
};

/// A value that is 0 after a move from it. If `moves_left` is n, the n-th move of all objects together throws, and
/// leaves the object as it was.
class Fragile {
 public:
  explicit Fragile(int its_value) : value(its_value) {}
  Fragile(Fragile&& other) : value(other.taken()) {}
  Fragile& operator=(Fragile&& other) {
    value = other.taken();
    return *this;
  }

  inline static int moves_left = 0;  // 0: no move throws
  int value;

 private:
  int taken() {
    if (moves_left > 0 && --moves_left == 0) throw runtime_error("move");
    return std::exchange(value, 0);
  }
};

}  // namespace

WAITING_TESTS(Getters, "the getters of a Queue")
WAITING_TESTS(Nexts, "those that want the next item of a Queue")
WAITING_TESTS(Putters, "the putters of a Queue")
WAITING_TESTS(Joiners, "those that join a Queue")

APP_TEST("a Queue knows its capacity, and if it is full") {
  errand::Queue<int> unlimited;
  CHECK(unlimited.capacity() == 0);
  errand::Queue<int> queue(2);
  CHECK(queue.capacity() == 2);
  co_await queue.put(1);
  CHECK(!queue.full());
  co_await queue.put(2);
  CHECK(queue.full());
  unlimited.try_put(1);
  CHECK(!unlimited.full());
  co_await queue.get();
  CHECK(!queue.full());
}

APP_TEST("a put waits only if a bounded Queue is full, and an unbounded one takes all at once") {
  Queue<int> unbounded, bounded(3);
  bool has_others_run = false;
  auto other = add([&] { has_others_run = true; });
  for (int i = 0; i < 10'000; ++i) co_await unbounded.put(i);
  for (int i = 0; i < 3; ++i) co_await bounded.put(i);
  CHECK_FALSE(has_others_run);
  CHECK(unbounded.size() == 10'000);
  CHECK_FALSE(bounded.try_put(3));
  auto put = add([&]() -> Coro<> { co_await bounded.put(4); });
  co_await errand::sleep(1s);
  CHECK_FALSE(put.done());
  const int oldest = co_await bounded.get();
  CHECK(oldest == 0);
  CHECK(bounded.size() == 3);
  CHECK_FALSE(bounded.try_put(5));
  co_await put;
  for (const int expected : {1, 2, 4}) CHECK(bounded.try_get() == expected);
  CHECK(bounded.empty());
  for (int i = 0; i < 10'000; ++i) REQUIRE(unbounded.try_get() == i);
  CHECK_FALSE(unbounded.try_get());
  co_await other;
}

namespace {

/// Logs the item that a get gives, or that the queue is closed.
Coro<> get_and_log(Queue<std::string>& queue, support::Log& log) {
  try {
    log(co_await queue.get());
  } catch (const QueueClosed& e) {
    log(e);
  }
}
Coro<> put_and_log(Queue<std::string>& queue, std::string item, support::Log& log) {
  try {
    co_await queue.put(item);
    log("put", item);
  } catch (const QueueClosed& e) {
    log(e, item);
  }
}

}  // namespace

APP_TEST("closing a Queue refuses the puts that wait and those that come, and what is in it can be got") {
  Queue<std::string> q(2);
  q.try_put("a");
  q.try_put("b");
  std::vector<Task<>> tasks;
  tasks.push_back(add(put_and_log(q, "c", log)));
  tasks.push_back(add(put_and_log(q, "d", log)));
  co_await errand::yield();
  log(q.try_get());  // makes room for "c", which enters the queue at once
  q.close();
  q.close();
  log(q.closed(), q.try_put("e"), q.size());
  co_await errand::wait_all(tasks);
  co_await put_and_log(q, "f", log);
  for (int i = 0; i < 3; ++i) co_await get_and_log(q, log);
  log(q.try_get(), q.try_put("g"));
  expect("a ; true false 2 ; put c ; QueueClosed d ; QueueClosed f ; b ; c ; QueueClosed ; none false");
}

APP_TEST("closing a Queue ends the gets that wait, but for one that an item was handed to") {
  Queue<std::string> q;
  std::vector<Task<>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(add(get_and_log(q, log)));
  co_await errand::yield();
  q.try_put("a");
  q.close();
  co_await errand::wait_all(tasks);
  expect("a ; QueueClosed ; QueueClosed");
}

APP_TEST("what an aborted getter gives back to a closed Queue can still be got") {
  Queue<std::string> q;
  auto a = add(get_and_log(q, log));
  co_await errand::yield();
  q.try_put("a");
  q.close();
  a.abort();
  co_await get_and_log(q, log);
  co_await get_and_log(q, log);
  expect("a ; QueueClosed");
}

APP_TEST("join waits until every item that was put has been dealt with") {
  Queue<int> q(3);
  co_await q.join();
  const auto work = [&]() -> Coro<> {
    for (;;) {
      const int item = co_await q.get();
      co_await errand::sleep(1s);
      log(item);
      if (item == 1) co_await q.put(9);
      q.task_done();
    }
  };
  const auto produce = [&]() -> Coro<> {
    for (int i = 0; i < 4; ++i) co_await q.put(i);
  };
  auto worker = add(work());
  co_await produce();
  co_await q.join();
  log("joined", now());
  worker.cancel();
  co_await errand::wait_all(worker);
  expect("0 ; 1 ; 2 ; 3 ; 9 ; joined 5");
}

APP_TEST("task_done more often than items were put throws InvalidState, and changes nothing") {
  Queue<int> q;
  CHECK_THROWS_AS(q.task_done(), InvalidState);
  q.try_put(1);
  q.try_put(2);
  q.task_done();
  q.task_done();
  CHECK_THROWS_AS(q.task_done(), InvalidState);
  q.try_put(3);
  auto join = add([&]() -> Coro<> { co_await q.join(); });
  co_await errand::yield();
  co_await errand::yield();
  CHECK_FALSE(join.done());
  q.task_done();
  co_await join;
}

APP_TEST("the item of a put that is cancelled, aborted or refused is destroyed, and not put") {
  Queue<std::shared_ptr<int>> q(1);
  const auto item = std::make_shared<int>();
  q.try_put(nullptr);
  const auto put = [&]() -> Coro<> { co_await q.put(item); };
  std::vector<Task<>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(add(put()));
  co_await errand::yield();
  CHECK(item.use_count() == 4);
  tasks[0].cancel();
  tasks[1].abort();
  q.close();
  co_await errand::wait_all(tasks);
  CHECK(item.use_count() == 1);
  CHECK(q.size() == 1);
  CHECK(tasks[2].exception());
}

APP_TEST("if the move of an item throws, no item is lost, none is there twice, and nobody waits in vain") {
  const auto has_thrown_at_move = [this](int n, bool tries) -> Coro<bool> {
    Queue<Fragile> q(1);
    std::vector<int> seen;
    const auto put = [&](int value) -> Coro<> {
      try {
        co_await q.put(Fragile(value));
      } catch (const runtime_error&) {
        seen.push_back(value);
      }
    };
    const auto try_get = [&] {
      if (auto item = q.try_get()) seen.push_back(item->value);
    };
    const auto get = [&]() -> Coro<> {
      try {
        if (tries) {
          try_get();
        } else {
          const Fragile item = co_await q.get();
          seen.push_back(item.value);
        }
      } catch (const runtime_error&) {
      }
    };
    Fragile::moves_left = n;
    std::vector<Task<>> puts, gets;
    for (int i = 1; i <= 3; ++i) puts.push_back(add(put(i)));
    co_await errand::sleep(1ms);
    for (int i = 0; i < 4; ++i) gets.push_back(add(get()));
    co_await errand::sleep(1ms);
    for (int i = 4; i <= 5; ++i) puts.push_back(add(put(i)));
    co_await errand::sleep(1ms);
    const bool has_thrown = std::exchange(Fragile::moves_left, 0) == 0;
    for (int i = 0; i < 5; ++i) {
      try_get();
      co_await errand::yield();
    }
    INFO((tries ? "try_get, move " : "get, move ") << n);
    CHECK((std::all_of(puts.begin(), puts.end(), [](const Task<>& one) { return one.done(); })));
    std::sort(seen.begin(), seen.end());
    CHECK(seen == std::vector{1, 2, 3, 4, 5});
    for (auto* tasks : {&puts, &gets}) {
      for (auto& one : *tasks) one.cancel();
      co_await errand::wait_all(*tasks);
    }
    co_return has_thrown;
  };
  for (const bool tries : {false, true}) {
    int n = 1;
    while (co_await has_thrown_at_move(n, tries)) ++n;
    CHECK(n > 10);
  }
}

APP_TEST("if the move of an item throws while a Queue grows, those in it are as they were") {
  for (int n = 1; n < 100; ++n) {
    Queue<Fragile> q;
    std::vector<int> put, got;
    Fragile::moves_left = n;
    for (int i = 1; i <= 20; ++i) {
      try {
        if (q.try_put(Fragile(i))) put.push_back(i);
      } catch (const runtime_error&) {
      }
    }
    Fragile::moves_left = 0;
    while (auto item = q.try_get()) got.push_back(item->value);
    INFO("move " << n);
    CHECK(got == put);
  }
  co_return;
}

APP_TEST("a Queue holds no more than its capacity, and passes each item on once, among many at random") {
  constexpr int producers = 20, each = 100;
  for (const std::size_t capacity : {1, 2, 5}) {
    std::mt19937 random(static_cast<unsigned>(capacity));
    const auto some_ms = [&](unsigned most) { return std::chrono::milliseconds(random() % (most + 1)); };
    Queue<int> q(capacity);
    std::size_t most = 0;
    std::vector<int> got, expected(producers * each);
    std::iota(expected.begin(), expected.end(), 0);
    const auto produce = [&](int from) -> Coro<> {
      for (int i = 0; i < each;) {
        try {
          co_await errand::wait_for(q.put(from * each + i), some_ms(20));
          ++i;
        } catch (const TimeoutError&) {
        }
        most = std::max(most, q.size());
        if (random() % 2) co_await errand::sleep(some_ms(2));
      }
    };
    const auto consume = [&]() -> Coro<> {
      for (;;) {
        try {
          got.push_back(co_await errand::wait_for(q.get(), some_ms(20)));
          q.task_done();
        } catch (const TimeoutError&) {
        }
        most = std::max(most, q.size());
        if (random() % 2) co_await errand::sleep(some_ms(2));
      }
    };
    std::vector<Task<>> makers, takers(producers), all;
    for (int i = 0; i < producers; ++i) makers.push_back(add(produce(i)));
    while (std::any_of(makers.begin(), makers.end(), [](const Task<>& one) { return !one.done(); })) {
      Task<>& one = takers[random() % takers.size()];
      if (one) one.cancel();
      all.push_back(one = add(consume()));
      co_await errand::sleep(some_ms(2));
    }
    all.push_back(add(consume()));
    co_await q.join();
    for (auto& one : all) one.cancel();
    co_await errand::wait_all(all);
    std::sort(got.begin(), got.end());
    CHECK(most == capacity);
    CHECK((got == expected));
  }
}

namespace {

/// An item that takes another item from its queue when it is destroyed.
struct Takes {
  explicit Takes(Queue<Takes>& from) : queue(&from) {}
  Takes(Takes&& other) noexcept : queue(std::exchange(other.queue, nullptr)) {}
  Takes& operator=(Takes&&) = delete;
  ~Takes() {
    if (!queue) return;
    if (auto other = queue->try_get()) other->queue = nullptr;
  }
  Queue<Takes>* queue;
};

}  // namespace

APP_TEST("an item that goes with the put in which it waits takes no part in its queue any more") {
  Queue<Takes> queue(1);
  queue.try_put(Takes(queue));
  auto put = add([&]() -> Coro<> { co_await queue.put(Takes(queue)); });
  co_await errand::yield();
  put.abort();
  log(queue.size());
  expect("0");
}

namespace {

/// An item that was moved from takes another item from its queue when it is destroyed.
struct TakesWhenMoved {
  explicit TakesWhenMoved(int the_value, Queue<TakesWhenMoved>* from = nullptr) : value(the_value), queue(from) {}
  TakesWhenMoved(TakesWhenMoved&& other) noexcept : value(other.value), queue(other.queue) { other.was_moved = true; }
  TakesWhenMoved& operator=(TakesWhenMoved&&) = delete;
  ~TakesWhenMoved() {
    if (was_moved && is_armed && queue) {
      is_armed = false;
      taken = queue->try_get()->value;
    }
  }
  static inline bool is_armed = false;
  static inline int taken = 0;
  int value;
  Queue<TakesWhenMoved>* queue;
  bool was_moved = false;
};

}  // namespace

APP_TEST("what the item of a put was moved from goes with the put, and not while another one takes the item") {
  using Item = TakesWhenMoved;
  Queue<Item> queue(1);
  queue.try_put(Item(1));
  auto first = add([&]() -> Coro<> { co_await queue.put(Item(2, &queue)); });
  auto second = add([&]() -> Coro<> { co_await queue.put(Item(3)); });
  co_await errand::yield();
  Item::is_armed = true;
  log(queue.try_get()->value);
  co_await first;
  co_await second;
  log(Item::is_armed, Item::taken);
  while (auto item = queue.try_get()) log(item->value);
  expect("1 ; false 2 ; 3");
}

TEST_CASE("a queue gives its room back while it is drained, but for a few items") {
  struct Item {
    int number;
    char data[100];
  };
  errand::detail::Ring<Item> ring;
  constexpr int burst = 10'000;
  for (int i = 0; i < burst; ++i) {
    ring.make_room();
    ring.push_back_within_room(Item{i, {}});
  }
  CHECK(ring.room() >= burst);
  bool in_order = true, was_tight = true;
  for (int i = 0; i < burst; ++i) {
    if (ring.has_spare_room()) ring.give_back();
    in_order &= ring.take_front([](Item&& item) { return item.number; }) == i;
    was_tight &= ring.size() == 0 || ring.room() <= 16 || ring.room() <= 16 * ring.size();
  }
  CHECK(in_order);
  CHECK(was_tight);
  CHECK(ring.empty());
  CHECK(ring.room() <= 16);
}

APP_TEST("bursts and drains of a queue keep the order, with room for many and for few") {
  errand::Queue<std::array<int, 50>> queue;
  int put = 0, taken = 0;
  bool in_order = true;
  for (const int burst : {1000, 3, 100, 5000, 1}) {
    for (int i = 0; i < burst; ++i) queue.try_put({put++});
    for (int i = 0; i < burst; ++i) in_order &= (co_await queue.get())[0] == taken++;
    for (int i = 0; i < 20; ++i) {
      co_await queue.put({put++});
      in_order &= queue.try_get().value()[0] == taken++;
    }
  }
  CHECK(in_order);
  CHECK(queue.empty());
}

APP_TEST("items that aborted getters give back stand in the Queue in the order in which they were put") {
  for (const auto& order : {std::vector{0, 1, 2}, std::vector{2, 1, 0}, std::vector{1, 2, 0}}) {
    Queue<int> queue;
    std::vector<Task<int>> getters;
    const auto get = [&]() -> Coro<int> { co_return co_await queue.get(); };
    for (int i = 0; i < 3; ++i) getters.push_back(add(get));
    co_await errand::yield();
    for (int i = 1; i <= 4; ++i) queue.try_put(i);
    for (const int i : order) getters[static_cast<std::size_t>(i)].abort();
    queue.try_put(5);
    std::string left;
    while (const auto item = queue.try_get()) left += std::to_string(*item);
    log(left);
  }
  expect("12345 ; 12345 ; 12345");
}

APP_TEST("an item whose destructor takes another item of a queue that is being destroyed lets no waiting put in") {
  struct Taker {
    errand::Queue<Taker>* queue;
    explicit Taker(errand::Queue<Taker>* its_queue) : queue(its_queue) {}
    Taker(Taker&& other) noexcept : queue(std::exchange(other.queue, nullptr)) {}
    ~Taker() {
      if (queue) (void)std::exchange(queue, nullptr)->try_get();
    }
  };
  auto queue = std::make_unique<errand::Queue<Taker>>(2);
  co_await queue->put(Taker(queue.get()));
  co_await queue->put(Taker(nullptr));
  const auto put = [](errand::Queue<Taker>& full) -> Coro<> { co_await full.put(Taker(nullptr)); };
  const auto putting = app.add_task(put(*queue));
  co_await errand::yield();
  co_await errand::yield();
  queue.reset();
  co_await errand::wait_all(putting);
  CHECK_THROWS_AS(putting.result(), InvalidState);
}

APP_TEST("next gives the items that are left in a closed Queue, and then nothing, as often as it is asked") {
  Queue<std::string> q(2);
  auto taker = add([&]() -> Coro<> {
    while (auto item = co_await q.next()) log(*item);
    log("end", q.closed());
  });
  co_await q.put("a");
  co_await q.put("b");
  co_await q.put("c");
  auto refused = add(put_and_log(q, "d", log));
  auto also_refused = add(put_and_log(q, "e", log));
  co_await errand::yield();
  q.close();
  co_await errand::wait_all(taker, refused, also_refused);
  const auto after_end = co_await q.next();
  log(after_end);
  const auto again = co_await errand::wait_for(q.next(), 1s);
  log(again, now());
  expect("a ; b ; c ; put d ; put e ; d ; e ; end true ; none ; none 0");
}

APP_TEST("closing a Queue ends a next and a get that wait, each in its own way, but for one that has its item") {
  Queue<std::string> q;
  const auto next = [&](std::string name) -> Coro<> {
    const auto item = co_await q.next();
    log(name, item);
  };
  std::vector<Task<>> tasks;
  tasks.push_back(add(next("first")));
  tasks.push_back(add(next("second")));
  tasks.push_back(add(get_and_log(q, log)));
  tasks.push_back(add(next("last")));
  co_await errand::yield();
  q.try_put("a");
  q.close();
  co_await errand::wait_all(tasks);
  expect("first a ; second none ; QueueClosed ; last none");
}

APP_TEST("a next whose Queue is destroyed throws InvalidState, but one that was closed before has its end") {
  auto closed = std::make_unique<Queue<int>>(), open = std::make_unique<Queue<int>>();
  auto ended = add([&]() -> Coro<bool> { co_return (co_await closed->next()).has_value(); });
  auto broken = add([&]() -> Coro<bool> { co_return (co_await open->next()).has_value(); });
  auto raced = add([&]() -> Coro<bool> {
    const auto race = co_await errand::race(errand::sleep(1h), closed->next());
    co_return std::get<1>(race.value()).has_value();
  });
  co_await errand::yield();
  closed->close();
  closed.reset();
  open.reset();
  co_await errand::wait_all(ended, broken, raced);
  CHECK_FALSE(ended.result());
  CHECK_FALSE(raced.result());
  CHECK(broken.what() == "the queue that was waited for has been destroyed");
}

APP_TEST("next works in every combinator, and one that loses takes no item") {
  Queue<std::string> q, other;
  const auto [timed, nothing] = co_await errand::gather_settled(errand::wait_for(q.next(), 1s), errand::yield());
  log(timed.what(), nothing.has_value());
  q.try_put("a");
  q.try_put("b");
  auto race = co_await errand::race(q.next(), other.next());
  log(race.index(), std::get<0>(race.value()));
  other.close();
  auto closed = co_await errand::race(other.next(), q.next());
  log(closed.index(), std::get<0>(closed.value()));
  auto [end, item] = co_await errand::gather(other.next(), q.next());
  log(end, item, q.size());
  auto loser = add([&]() -> Coro<> {
    auto late = co_await errand::race(q.next(), errand::sleep(1s));
    log(late.index());
  });
  co_await errand::sleep(2s);
  q.try_put("c");
  co_await loser;
  log(q.size());
  expect("timed out true ; 0 a ; 0 none ; none b 0 ; 1 ; 1");
}

APP_TEST("two nexts in one expression both give what they have, also if the queue of the first has been closed") {
  Queue<int> first, second;
  auto both = add(
      [&]() -> Coro<int> { co_return (co_await first.next()).value_or(10) + (co_await second.next()).value_or(100); });
  co_await errand::yield();
  first.close();
  second.try_put(1);
  co_await errand::sleep(1s);
  if (!both.done()) second.try_put(1);
  const int sum = co_await both;
  CHECK(sum == 11);
}

APP_TEST("if the move of an item throws in a next, the item stays in the Queue") {
  Queue<Fragile> q;
  q.try_put(Fragile(1));
  Fragile::moves_left = 1;
  auto failed = add([&]() -> Coro<> { co_await q.next(); });
  co_await errand::wait_all(failed);
  CHECK(failed.what() == "move");
  Fragile::moves_left = 0;
  const auto item = co_await q.next();
  CHECK(item.value().value == 1);
  auto waiting = add([&]() -> Coro<> { co_await q.next(); });
  co_await errand::yield();
  q.try_put(Fragile(2));
  Fragile::moves_left = 1;
  co_await errand::wait_all(waiting);
  CHECK(waiting.what() == "move");
  Fragile::moves_left = 0;
  q.close();
  const auto returned = co_await q.next();
  const auto end = co_await q.next();
  CHECK(returned.value().value == 2);
  CHECK_FALSE(end);
}

APP_TEST("an item that is an optional, or empty, is no end of the Queue") {
  Queue<std::optional<int>> q;
  q.try_put(std::nullopt);
  q.close();
  const auto item = co_await q.next();
  CHECK(item.has_value());
  const auto end = co_await q.next();
  CHECK_FALSE(end.has_value());
}
