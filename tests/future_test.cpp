// SPDX-License-Identifier: MIT
#include <atomic>
#include <thread>

#include "waiting.hpp"

using errand::Future;

namespace {

const std::string text = "a text too long for the place inside a string";

template <class F>
struct Awaiting : waiting::ServesAll {
  static constexpr const char* name = "future";
  explicit Awaiting(std::size_t) {}
  F& wait() { return future; }
  void keep(const std::string& value) { is_right = is_right && value == text; }
  Coro<> serve() {
    future.set_result(text);
    co_return;
  }
  bool settled(std::size_t serves) { return is_right && future.done() == (serves > 0); }

  F future;
  bool is_right = true;
};
using Awaiters = Awaiting<Future<std::string>>;
struct SharedAwaiters : Awaiting<Future<std::string>::Shared> {
  using Awaiting::Awaiting;
  static constexpr bool is_shared = true;
};

/// Awaits a future, and logs its result or its error.
template <class F>
Coro<> outcome(F& future, support::Log& log) {
  try {
    log(co_await future);
  } catch (const std::exception& e) {
    log(e.what());
  }
}

/// Tries to set a future in all three ways, and returns the names of the ways that succeeded.
template <class F>
std::string set_all_but_first(F& future) {
  std::string done;
  if (future.set_result(2)) done += "result";
  if (future.set_exception(runtime_error("second"))) done += "exception";
  if (future.cancel("second")) done += "cancel";
  return done;
}

/// Checks, for both kinds of future, that the first setter decides what the future gives.
template <class Make>
Coro<> check_first_setter_wins(Make make, support::Log& log) {
  auto value = make(), thrown = make(), pointer = make(), cancelled = make();
  CHECK_FALSE(value.done());
  CHECK(value.set_result(1));
  CHECK(thrown.set_exception(runtime_error("thrown")));
  CHECK(pointer.set_exception(std::make_exception_ptr(TimeoutError("pointer"))));
  CHECK(cancelled.cancel("why"));
  for (auto* future : {&value, &thrown, &pointer, &cancelled}) {
    CHECK(future->done());
    CHECK(set_all_but_first(*future).empty());
    for (int i = 0; i < 2; ++i) co_await outcome(*future, log);
  }
}

/// A value whose copy throws if the number is negative.
struct Copied {
  explicit Copied(int its_value) : value(its_value) {}
  Copied(const Copied& other) : value(other.value) {
    if (value < 0) throw runtime_error("copy");
  }

  int value;
};

}  // namespace

WAITING_TESTS(Awaiters, "a Future")
WAITING_TESTS(SharedAwaiters, "a shared Future")

APP_TEST("the first setter of a Future wins, the later ones say false, and it can be awaited again and again") {
  const std::string expected =
      "1 ; 1 ; thrown ; thrown ; pointer ; pointer ; 'future' was cancelled: why ; 'future' was cancelled: why";
  co_await check_first_setter_wins([] { return Future<int>(); }, log);
  expect(expected);
  log.clear();
  co_await check_first_setter_wins([] { return Future<int>::shared(); }, log);
  expect(expected);
}

APP_TEST("all who await a Future get its exception, or its cancellation with the reason") {
  Future<int> failed, cancelled;
  std::vector<Task<>> tasks;
  for (Future<int>* future : {&failed, &cancelled}) {
    for (int i = 0; i < 3; ++i) tasks.push_back(add(outcome(*future, log)));
  }
  co_await errand::yield();
  cancelled.cancel("why");
  failed.set_exception(runtime_error("failed"));
  log("set");
  co_await errand::wait_all(tasks);
  expect(
      "set ; 'future' was cancelled: why ; 'future' was cancelled: why ; 'future' was cancelled: why ; "
      "failed ; failed ; failed");
}

APP_TEST("a Future holds nothing, a reference, or what can only be moved") {
  Future<> nothing;
  Future<int&> reference;
  Future<std::unique_ptr<int>> unique;
  auto waits = add([&]() -> Coro<> {
    co_await nothing;
    log("nothing");
  });
  auto refers = add([&]() -> Coro<int&> { co_return co_await reference; });
  auto looks = add([&]() -> Coro<int> { co_return *co_await unique; });
  auto takes = add([&]() -> Coro<std::unique_ptr<int>> { co_return co_await std::move(unique); });
  co_await errand::yield();
  int there = 1;
  CHECK(nothing.set_result());
  CHECK(reference.set_result(there));
  CHECK(unique.set_result(std::make_unique<int>(2)));
  co_await waits;
  const int& referred = co_await refers;
  CHECK(&referred == &there);
  const int looked_at = co_await looks;
  CHECK(looked_at == 2);
  const std::unique_ptr<int>& taken = co_await takes;
  CHECK(*taken == 2);
  const std::unique_ptr<int>& left = co_await unique;
  CHECK(left == nullptr);
  co_await nothing;
  expect("nothing");
}

APP_TEST("co_await gives the value where it stands, once the Future is set without suspending") {
  Future<Copied> f;
  auto s = Future<Copied>::shared();
  f.set_result(Copied(1));
  s.set_result(Copied(1));
  bool has_others_run = false;
  auto other = add([&] { has_others_run = true; });
  const Copied& first = co_await f;
  const Copied& second = co_await f;
  const Copied& third = co_await s;
  const Copied& fourth = co_await s;
  CHECK(&first == &second);
  CHECK(&third == &fourth);
  CHECK_FALSE(has_others_run);
  co_await other;
}

APP_TEST("if the copy of the value throws, the Future is not done, and can still be set") {
  Future<Copied> f;
  auto s = Future<Copied>::shared();
  const Copied bad(-1), good(1);
  const auto get = [](auto& future) -> Coro<int> {
    const Copied& value = co_await future;
    co_return value.value;
  };
  auto a = add(get(f));
  auto b = add(get(s));
  co_await errand::yield();
  CHECK_THROWS_WITH(f.set_result(bad), "copy");
  CHECK_THROWS_WITH(s.set_result(bad), "copy");
  co_await errand::yield();
  CHECK_FALSE((f.done() || s.done() || a.done() || b.done()));
  CHECK(f.set_result(good));
  CHECK(s.set_result(good));
  const int first = co_await a;
  const int second = co_await b;
  CHECK(first + second == 2);
}

namespace {

/// Calls `f` with 0, 1, … on `count` threads, and waits for all of them.
template <class F>
void in_threads(int count, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(f, i);
  for (auto& thread : threads) thread.join();
}

}  // namespace

APP_TEST("of many threads that set a shared Future one does, and all who await it get the same") {
  for (int round = 0; round < 50; ++round) {
    auto f = Future<int>::shared();
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(add([f]() -> Coro<int> { co_return co_await f; }));
    std::atomic<int> set = 0, winner = -1;
    std::thread setters([&] {
      in_threads(4, [&, f](int i) {
        if (!f.set_result(i)) return;
        ++set;
        winner = i;
      });
    });
    co_await errand::wait_all(tasks);
    setters.join();
    CHECK(set == 1);
    for (auto& task : tasks) CHECK(task.result() == winner);
  }
}

APP_TEST("a wait for a shared Future may leave while a thread sets it") {
  for (int round = 0; round < 200; ++round) {
    auto f = Future<std::string>::shared();
    auto a = add([f]() -> Coro<std::string> { co_return co_await f; });
    auto b = add([f]() -> Coro<std::string> { co_return co_await f; });
    auto c = add([f]() -> Coro<std::string> { co_return co_await errand::wait_for(f, 1ns); });
    co_await errand::yield();
    std::thread setter([f = std::move(f)] { f.set_result(text); });
    a.cancel();
    b.abort();
    co_await errand::wait_all(a, b, c);
    setter.join();
    CHECK(b.cancelled());
    CHECK((a.cancelled() || a.result() == text));
    CHECK((c.exception() || c.result() == text));
  }
}

TEST_CASE("Apps in several threads may await the same shared Future") {
  const auto f = Future<std::string>::shared();
  std::atomic<int> right = 0;
  std::thread apps([&] {
    in_threads(3, [&](int) {
      App app;
      const auto get = [&]() -> Coro<bool> { co_return (co_await f) == text; };
      right += app.run(get());
    });
  });
  f.set_result(text);
  apps.join();
  CHECK(right == 3);
}

TEST_CASE("a shared Future outlives the App whose tasks await it, and another can await it then") {
  auto f = Future<std::string>::shared();
  int begun = 0;
  const auto get = [&]() -> Coro<std::string> {
    ++begun;
    co_return co_await f;
  };
  {
    App app;
    app.add_task(get());
    while (begun == 0) app.poll();
  }
  in_threads(2, [&](int) { f.set_result(text); });
  App other;
  CHECK(other.run(get()) == text);
}

TEST_CASE("threads may set a shared Future while the App that awaits it ends") {
  for (int round = 0; round < 50; ++round) {
    auto f = Future<std::string>::shared();
    auto app = std::make_unique<App>();
    int begun = 0;
    for (int i = 0; i < 5; ++i) {
      app->add_task([f, &begun]() -> Coro<> {
        ++begun;
        co_await f;
      });
    }
    while (begun < 5) app->poll();
    std::thread setter([f] { f.set_result(text); });
    app.reset();
    setter.join();
    CHECK(f.done());
  }
}
