// SPDX-License-Identifier: MIT
#include "waiting.hpp"

using errand::Condition;

namespace {

template <class Served>
struct Waiters : Served {
  static constexpr const char* name = "condition";
  explicit Waiters(std::size_t) {}
  auto wait() { return condition.wait(); }

  Condition condition;
};
struct ToldOne : Waiters<waiting::ServesOne> {
  using Waiters::Waiters;
  Coro<> serve() {
    condition.notify_one();
    co_return;
  }
};
struct ToldAll : Waiters<waiting::ServesAll> {
  using Waiters::Waiters;
  Coro<> serve() {
    condition.notify_all();
    co_return;
  }
};

}  // namespace

WAITING_TESTS(ToldOne, "a Condition, notify_one")
WAITING_TESTS(ToldAll, "a Condition, notify_all")

APP_TEST("a Condition whose predicate is true is not waited for") {
  Condition c;
  bool has_others_run = false;
  auto other = add([&] { has_others_run = true; });
  co_await c.wait([] { return true; });
  CHECK_FALSE(has_others_run);
  co_await other;
}

APP_TEST("a predicate is asked after each notification, and who goes on waiting stands last") {
  Condition c;
  int level = 0;
  const auto wait = [&](std::string name, int least) -> Coro<> {
    const auto is_high = [&] {
      log(name + "?");
      return level >= least;
    };
    co_await c.wait(is_high);
    log(name);
  };
  auto a = add(wait("a", 2));
  auto b = add(wait("b", 1));
  co_await errand::yield();
  level = 1;
  c.notify_one();
  co_await errand::sleep(1s);
  c.notify_one();
  co_await errand::sleep(1s);
  log(a.done(), b.done());
  level = 2;
  c.notify_all();
  co_await errand::wait_all(a);
  expect("a? ; b? ; a? ; b? ; b ; false true ; a? ; a");
}

APP_TEST("who goes on waiting is behind those that wait already") {
  Condition c;
  bool is_open = false;
  const auto wait = [&](std::string name) -> Coro<> {
    co_await c.wait([&] { return is_open; });
    log(name);
  };
  auto a = add(wait("a"));
  auto b = add(wait("b"));
  co_await errand::yield();
  c.notify_one();
  co_await errand::sleep(1s);
  is_open = true;
  c.notify_one();
  co_await errand::sleep(1s);
  log(a.done(), b.done());
  c.notify_one();
  co_await errand::wait_all(a);
  expect("b ; false true ; a");
}

APP_TEST("what a predicate throws comes out of the wait, and the others wait on") {
  Condition c;
  int asked = 0;
  const auto wait = [&](int fails_at) -> Coro<> {
    co_await c.wait([&asked, fails_at] {
      if (++asked == fails_at) throw runtime_error("predicate");
      return false;
    });
  };
  auto first = add(wait(1));
  auto second = add(wait(4));
  auto third = add(wait(0));
  co_await errand::wait_all(first);
  log(asked, second.done());
  c.notify_all();
  co_await errand::wait_all(second);
  log(asked, third.done());
  for (auto& failed : {first, second}) {
    try {
      failed.result();
    } catch (const runtime_error& e) {
      log(e);
    }
  }
  third.cancel();
  co_await errand::wait_all(third);
  expect("3 false ; 5 false ; predicate ; predicate");
}

APP_TEST("notifications are not for who begins to wait after them in the same turn") {
  Condition c;
  const auto wait_twice = [&]() -> Coro<> {
    co_await c.wait();
    log("once");
    co_await c.wait();
    log("twice");
  };
  auto a = add(wait_twice());
  co_await errand::yield();
  c.notify_all();
  c.notify_all();
  c.notify_one();
  try {
    co_await errand::wait_for(c.wait(), 1s);
  } catch (const TimeoutError& e) {
    log(e, a.done());
  }
  c.notify_one();
  co_await a;
  expect("once ; TimeoutError false ; twice");
}

APP_TEST("a bounded buffer between many tasks loses nothing and never holds too much") {
  constexpr std::size_t capacity = 3;
  constexpr int tasks = 20, each = 50;
  Condition has_room, has_item;
  std::vector<int> buffer, got;
  std::size_t most = 0;
  const auto put = [&](int from) -> Coro<> {
    for (int i = 0; i < each; ++i) {
      co_await has_room.wait([&] { return buffer.size() < capacity; });
      buffer.push_back(from * each + i);
      most = std::max(most, buffer.size());
      has_item.notify_one();
    }
  };
  const auto take = [&]() -> Coro<> {
    for (int i = 0; i < each; ++i) {
      co_await has_item.wait([&] { return !buffer.empty(); });
      got.push_back(buffer.front());
      buffer.erase(buffer.begin());
      has_room.notify_one();
    }
  };
  std::vector<Task<>> all;
  for (int i = 0; i < tasks; ++i) {
    all.push_back(add(take()));
    all.push_back(add(put(i)));
  }
  co_await errand::wait_all(all);
  CHECK(most == capacity);
  std::sort(got.begin(), got.end());
  CHECK(got.size() == tasks * each);
  CHECK((std::adjacent_find(got.begin(), got.end()) == got.end()));
}
