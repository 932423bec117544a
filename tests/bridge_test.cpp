// SPDX-License-Identifier: MIT
// Tests of awaitables that are not the library's.
#include <coroutine>
#include <memory>
#include <thread>

#include "real_fixture.hpp"

namespace {

/// An awaitable that the test itself resumes.
struct Manual {
  explicit Manual(std::coroutine_handle<>& its_place) : place(&its_place) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) const noexcept { *place = awaiting; }
  int await_resume() const noexcept { return 42; }
  std::coroutine_handle<>* place;
};

/// An awaitable that resumes on a thread of its own.
struct OnThread {
  explicit OnThread(std::thread& its_thread) : thread(&its_thread) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) const {
    *thread = std::thread([awaiting] {
      std::this_thread::sleep_for(5ms);
      awaiting.resume();
    });
  }
  std::unique_ptr<int> await_resume() const { return std::make_unique<int>(7); }
  std::thread* thread;
};

}  // namespace

REAL_APP_TEST("an awaitable that resumes on another thread gives its result on the App's") {
  const auto home = std::this_thread::get_id();
  std::thread thread;
  const std::unique_ptr<int> result = co_await OnThread(thread);
  CHECK(*result == 7);
  CHECK(std::this_thread::get_id() == home);
  thread.join();
}

APP_TEST("an awaitable that does not suspend costs no turn") {
  struct Ready {
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    int await_resume() const { throw runtime_error("ready"); }
  };
  add(nap("other", 0s));
  std::string error;
  try {
    co_await Ready();
  } catch (const runtime_error& thrown) {
    error = thrown.what();
  }
  log(error);
  expect("ready");
}

APP_TEST("a cancellation is thrown when a foreign awaitable resumes, and what it gives is lost") {
  std::coroutine_handle<> place;
  auto task = add([&]() -> Coro<> {
    try {
      log(co_await Manual(place));
    } catch (const Cancelled& cancelled) {
      log("cancelled", cancelled.reason());
      throw;
    }
  });
  co_await errand::yield();
  task.cancel("m");
  co_await errand::yield();
  log(task.status());
  place.resume();
  co_await errand::wait_all(task);
  log(task.status());
  expect("pending ; cancelled m ; cancelled");
}

APP_TEST("abort takes the frames at once, and only the bridge waits for the resume") {
  std::coroutine_handle<> place;
  auto alive = std::make_shared<int>(1);
  auto task = add([&place, alive]() -> Coro<> { co_await Manual(place); });
  co_await errand::yield();
  task.abort();
  log(alive.use_count(), task.status());
  place.resume();
  co_await errand::yield();
  expect("1 cancelled");
}

namespace {

/// The user's operator returns an awaitable of the library, so the await needs no bridge.
struct Gate {
  errand::Event open;
  auto operator co_await() { return open.wait(); }
};
struct Named {
  Task<int> task;
};
Task<int> operator co_await(const Named & named) { return named.task; }

}  // namespace

namespace {

Coro<std::string> text_of_a_while() {
  std::string text(50, 'x');
  co_await errand::sleep(1s);
  co_return text;
}
struct GivesCoro {
  Coro<std::string> operator co_await() const { return text_of_a_while(); }
};
struct GivesTask {
  App& app;
  Task<std::string> operator co_await() const { return app.add_task(text_of_a_while()); }
};
struct GivesCall {};
auto operator co_await(GivesCall) {
  return errand::to_thread([] { return 7; });
}

}  // namespace

REAL_APP_TEST("an operator co_await may give a thread call as a value, which is gone before the call is made") {
  const int given = co_await GivesCall();
  CHECK(given == 7);
  const auto [first, other] = co_await errand::gather(GivesCall(), GivesCall());
  CHECK(first + other == 14);
}

APP_TEST("an operator co_await may give a Coro or a Task as a value, which the wait keeps") {
  log((co_await GivesCoro()).size(), now());
  log((co_await GivesTask{app}).size(), now());
  const auto [coro, task] = co_await errand::gather(GivesCoro(), GivesTask{app});
  log(coro.size() + task.size(), now());
  log((co_await errand::race(GivesCoro(), errand::sleep(2s))).index());
  expect("50 1 ; 50 2 ; 100 3 ; 0");
}

APP_TEST("a user's operator co_await may give an awaitable of the library") {
  Gate gate;
  const Named named{add([] { return 5; })};
  const auto passes = [&]() -> Coro<> { co_await gate; };
  const auto task = add(passes());
  later(1s, [&] { gate.open.set(); });
  co_await errand::gather(gate, passes());
  co_await task;
  log(now(), co_await named);
  gate.open.clear();
  try {
    co_await errand::wait_for(gate, 1s);
  } catch (const errand::TimeoutError&) {
    log("timeout");
  }
  expect("1 5 ; timeout");
}

namespace {

Coro<> waits_for(std::coroutine_handle<>& place, support::Log& log) {
  try {
    log(co_await Manual(place));
  } catch (const InvalidState& error) {
    log(error.what());
  }
}

/// An awaitable that destroys the awaiting coroutine at once.
struct Destroys {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) const { awaiting.destroy(); }
  int await_resume() const noexcept { return 1; }
};

const std::string destroyed = "the coroutine that waited here was destroyed by a foreign loop";

}  // namespace

REAL_APP_TEST("a foreign loop that destroys the handle makes the await throw InvalidState, on any thread and at once") {
  std::coroutine_handle<> here, there;
  auto one = app.add_task(waits_for(here, log)), other = app.add_task(waits_for(there, log));
  while (!there) co_await errand::yield();
  here.destroy();
  co_await one;
  std::thread([&] { there.destroy(); }).join();
  co_await other;
  try {
    co_await Destroys();
  } catch (const InvalidState& error) {
    log(error.what());
  }
  expect(destroyed + " ; " + destroyed + " ; " + destroyed);
}

REAL_APP_TEST("a handle that is destroyed when nobody waits any more frees the bridge") {
  std::coroutine_handle<> aborted, asked;
  auto one = app.add_task(waits_for(aborted, log)), other = app.add_task(waits_for(asked, log));
  while (!asked) co_await errand::yield();
  one.abort();
  aborted.destroy();
  other.cancel();
  co_await errand::yield();
  asked.destroy();
  try {
    co_await other;
  } catch (const TaskCancelled&) {
    log("cancelled");
  }
  expect("cancelled");
}

TEST_CASE("a handle that is destroyed behind the end of its App frees the bridge") {
  support::Log log;
  std::coroutine_handle<> place;
  {
    App app;
    app.add_task(waits_for(place, log));
    while (!place) app.poll();
  }
  place.destroy();
  CHECK(log.text().empty());
}
