// SPDX-License-Identifier: MIT
#include <atomic>
#include <memory>
#include <thread>

#include "real_fixture.hpp"

using errand::to_thread;

namespace {

template <class F>
bool is_wrong_thread(F f) {
  bool is_wrong = false;
  std::thread([&] {
    try {
      f();
    } catch (const errand::WrongThread&) {
      is_wrong = true;
    }
  }).join();
  return is_wrong;
}

}  // namespace

REAL_APP_TEST("to_thread takes arguments and gives values, references, nothing, and what can only be moved") {
  const int sum = co_await to_thread([](int a, const std::string& b) { return a + int(b.size()); }, 40, "xy");
  CHECK(sum == 42);
  int target = 0;
  const auto address = [&target](int* where) -> int& { return *where = 7, target; };
  int& reference = co_await to_thread(address, &target);
  CHECK(&reference == &target);
  CHECK(target == 7);
  co_await to_thread([](std::unique_ptr<int> owned, int* out) { *out = *owned; }, std::make_unique<int>(8), &target);
  CHECK(target == 8);
  const auto moved = co_await to_thread([](int value) { return std::make_unique<int>(value); }, 9);
  CHECK(*moved == 9);
  const auto elsewhere = co_await to_thread([] { return std::this_thread::get_id(); });
  CHECK(elsewhere != std::this_thread::get_id());
}

REAL_APP_TEST("an error of a thread call comes out of the await, more than once") {
  for (const int code : {1, 2}) {
    int caught = 0;
    try {
      co_await to_thread([](int number) { throw number; }, code);
    } catch (int number) {
      caught = number;
    }
    CHECK(caught == code);
  }
}

REAL_APP_TEST("no more calls run at once than max_threads allows, and all of them run") {
  App own("own", {.max_threads = 2});
  std::atomic<int> running = 0, most = 0;
  const auto call = [&](int number) {
    const int now_running = ++running;
    for (int seen = most; seen < now_running && !most.compare_exchange_weak(seen, now_running);) {
    }
    std::this_thread::sleep_for(1ms);
    --running;
    return number;
  };
  int sum = 0;
  for (int i = 0; i < 20; ++i) own.add_task([&, i]() -> Coro<> { sum += co_await to_thread(call, i); });
  std::thread([&] { own.run(); }).join();
  CHECK(sum == 190);
  CHECK(most <= 2);
  co_return;
}

#ifdef __cpp_lib_jthread
REAL_APP_TEST("cancelling a thread call requests its stop_token, and only then") {
  std::atomic<int> stopped = 0;
  const auto work = [&stopped](std::stop_token token, int patience) {
    for (int i = 0; i < patience && !token.stop_requested(); ++i) std::this_thread::sleep_for(1ms);
    stopped += token.stop_requested();
  };
  co_await to_thread(work, 2);
  CHECK(stopped == 0);
  auto task = app.add_task([&]() -> Coro<> { co_await to_thread(work, 5000); });
  co_await errand::sleep(5ms);
  task.cancel();
  co_await task;  // does not throw: the call completed, and no await came after the request
  CHECK(stopped == 1);
}
#endif

TEST_CASE("an App destroyed with calls under way waits for them, and destroys what they were given in its own thread") {
  support::Notes<bool> at_home;
  std::atomic<int> begun = 0, ended = 0;
  {
    App app("app", {.max_threads = 1});
    for (int i = 0; i < 2; ++i) {
      app.add_task([&]() -> Coro<> {
        co_await to_thread(
            [&](const support::NotesThreadOfEnd&) {
              ++begun;
              std::this_thread::sleep_for(30ms);
              ++ended;
            },
            support::NotesThreadOfEnd(at_home));
      });
    }
    while (begun == 0) app.poll();
  }
  CHECK(begun == 1);
  CHECK(ended == 1);
  CHECK(at_home.all() == std::vector{true, true});
}

REAL_APP_TEST("what belongs to the App's thread throws WrongThread in another one") {
  auto task = app.add_task([]() -> Coro<> { co_await errand::sleep(1ms); }, "t");
  CHECK(is_wrong_thread([&] { app.run(); }));
  CHECK(is_wrong_thread([&] { app.poll(); }));
  CHECK(is_wrong_thread([&] { app.call_later(1s, [] {}); }));
  CHECK(is_wrong_thread([&] { app.get_task("t"); }));
  CHECK(is_wrong_thread([&] { app.find_task("t"); }));
  CHECK(is_wrong_thread([&] { (void)app.cancel_task("t"); }));
  CHECK(is_wrong_thread([&] { app.tasks(); }));
  CHECK(is_wrong_thread([&] { app.purge_tasks(); }));
  CHECK(is_wrong_thread([&] { app.dispatch("a.b.c"); }));
  CHECK(is_wrong_thread([&] { (void)app.event("a.b.c"); }));
  CHECK(is_wrong_thread([&] { app.add_signal("a.b.c", [] {}); }));
  CHECK(is_wrong_thread([&] { app.before_server_stop([] {}); }));
  CHECK(is_wrong_thread([&] { task.abort(); }));
  CHECK(is_wrong_thread([&] { task.uncancel(); }));
  CHECK(is_wrong_thread([&] { task.add_done_callback([](Task<>) {}); }));
  co_await task;
}
