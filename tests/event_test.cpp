// SPDX-License-Identifier: MIT
#include "waiting.hpp"

using errand::Event;

namespace {

struct Waiters : waiting::ServesAll {
  static constexpr const char* name = "event";
  explicit Waiters(std::size_t) {}
  auto wait() { return event.wait(); }
  Coro<> serve() {
    event.set();
    co_return;
  }
  bool settled(std::size_t serves) { return event.is_set() == (serves > 0); }

  Event event;
};

Coro<> wait_and_log(Event& event, std::string name, support::Log& log) {
  co_await event.wait();
  log(name);
}

}  // namespace

WAITING_TESTS(Waiters, "an Event")

APP_TEST("an Event set and cleared in one turn wakes who waits, and not who comes later") {
  Event e;
  auto a = add(wait_and_log(e, "a", log));
  auto b = add(wait_and_log(e, "b", log));
  co_await errand::yield();
  e.set();
  e.clear();
  auto c = add(wait_and_log(e, "c", log));
  co_await errand::sleep(1s);
  log(e.is_set(), c.done());
  e.set();
  co_await errand::wait_all(a, b, c);
  expect("a ; b ; false false ; c");
}

APP_TEST("an Event that a waiter clears has woken the others all the same") {
  Event e;
  const auto clear = [&]() -> Coro<> {
    co_await e.wait();
    e.clear();
    log("cleared");
    co_await e.wait();
    log("set again");
  };
  auto a = add(clear());
  auto b = add(wait_and_log(e, "b", log));
  co_await errand::yield();
  e.set();
  log("set");
  co_await errand::sleep(1s);
  log(a.done(), b.done());
  e.set();
  co_await errand::wait_all(a);
  expect("set ; cleared ; b ; false true ; set again");
}

APP_TEST("an Event destroyed after it was set has woken its waiters") {
  std::optional<Event> e(std::in_place);
  auto a = add(wait_and_log(*e, "a", log));
  co_await errand::yield();
  e->set();
  e.reset();
  co_await a;
  expect("a");
}

APP_TEST("a task may wait for an Event, set it and clear it in a loop while others do so too") {
  Event ping, pong;
  int rounds = 0;
  const auto play = [](Event& mine, Event& theirs, int& count) -> Coro<> {
    for (int i = 0; i < 1000; ++i) {
      co_await mine.wait();
      mine.clear();
      ++count;
      theirs.set();
    }
  };
  auto a = add(play(ping, pong, rounds));
  auto b = add(play(pong, ping, rounds));
  ping.set();
  co_await errand::wait_all(a, b);
  CHECK(rounds == 2000);
  CHECK(ping.is_set());
  CHECK_FALSE(pong.is_set());
}
