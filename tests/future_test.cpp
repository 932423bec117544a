// SPDX-License-Identifier: MIT
#include <atomic>
#include <functional>
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
  static constexpr bool serves_later = true;
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

namespace {

/// Checks result(), exception() and cancelled() of a future for each way in which it can end.
template <class Make>
void check_results(Make make) {
  auto pending = make(), value = make(), failed = make(), cancelled = make();
  CHECK_THROWS_AS(pending.result(), InvalidState);
  CHECK_THROWS_AS(pending.exception(), InvalidState);
  CHECK_FALSE(pending.cancelled());
  value.set_result(text);
  failed.set_exception(runtime_error("failed"));
  cancelled.cancel("why");
  for (int i = 0; i < 2; ++i) {
    const std::string& result = value.result();
    CHECK(result == text);
    CHECK(&result == &value.result());
    CHECK(value.exception() == nullptr);
    CHECK_FALSE(value.cancelled());
    CHECK_THROWS_WITH(failed.result(), "failed");
    CHECK_THROWS_AS(std::rethrow_exception(failed.exception()), runtime_error);
    CHECK_FALSE(failed.cancelled());
    CHECK_THROWS_AS(cancelled.result(), TaskCancelled);
    CHECK_THROWS_WITH(std::rethrow_exception(cancelled.exception()), "'future' was cancelled: why");
    CHECK(cancelled.cancelled());
  }
}

/// Awaits a shared future, and returns its value, or the text of what the await throws.
Coro<std::string> value_or_error(Future<std::string>::Shared future) {
  std::string error;
  try {
    co_return co_await future;
  } catch (const std::exception& e) {
    error = e.what();
  }
  co_return error;
}

const std::string abandoned = "the last setter of this Future is gone, and has not set it";

}  // namespace

TEST_CASE("result, exception and cancelled of a Future tell how it has ended, as often as they are called") {
  check_results([] { return Future<std::string>(); });
  check_results([] { return Future<std::string>::shared(); });
}

TEST_CASE(
    "result gives nothing, a reference, or what can only be moved, and moves it out of a Future that is given up") {
  Future<> nothing;
  Future<int&> reference;
  Future<std::unique_ptr<int>> unique;
  CHECK_THROWS_AS(nothing.result(), InvalidState);
  CHECK_THROWS_AS(std::move(unique).result(), InvalidState);
  int there = 1;
  nothing.set_result();
  reference.set_result(there);
  unique.set_result(std::make_unique<int>(2));
  nothing.result();
  std::move(nothing).result();
  reference.result() = 3;
  CHECK(there == 3);
  CHECK(&std::move(reference).result() == &there);
  CHECK(*unique.result() == 2);
  CHECK(*std::move(unique).result() == 2);
  CHECK(unique.result() == nullptr);

  const auto shared_nothing = Future<>::shared();
  const auto shared_reference = Future<int&>::shared();
  const auto shared_unique = Future<std::unique_ptr<int>>::shared();
  shared_nothing.set_result();
  shared_reference.set_result(there);
  shared_unique.set_result(std::make_unique<int>(4));
  shared_nothing.result();
  CHECK(&shared_reference.result() == &there);
  CHECK(*shared_unique.result() == 4);
}

APP_TEST("setters of a shared Future set it, and then the end of the last one changes nothing") {
  const auto f = Future<std::string>::shared();
  {
    const auto setter = f.setter();
    const auto other = setter;
    CHECK_FALSE(setter.done());
    CHECK(other.set_result(text));
    CHECK(setter.done());
    CHECK_FALSE((setter.set_result("x") || setter.set_exception(runtime_error("x")) || setter.cancel()));
  }
  CHECK(f.result() == text);
  const auto g = Future<>::shared(), h = Future<>::shared();
  CHECK(g.setter().set_exception(runtime_error("failed")));
  CHECK(h.setter().cancel("why"));
  CHECK_THROWS_WITH(g.result(), "failed");
  CHECK(h.cancelled());
  CHECK_FALSE(h.setter().set_result());
  co_return;
}

APP_TEST(
    "when the last setter goes without setting the Future, those who await it get InvalidState, and all later setters "
    "false") {
  const auto f = Future<std::string>::shared();
  std::optional setter(f.setter());
  std::optional copy(setter);
  auto first = add(value_or_error(f)), second = add(value_or_error(f));
  co_await errand::yield();
  setter.reset();
  co_await errand::sleep_until(errand::now());
  CHECK_FALSE((f.done() || first.done()));
  copy.reset();
  CHECK(f.done());
  co_await errand::wait_all(first, second);
  CHECK(first.result() == abandoned);
  CHECK(second.result() == abandoned);
  const std::string again = co_await value_or_error(f);
  CHECK(again == abandoned);
  CHECK_THROWS_AS(f.result(), InvalidState);
  CHECK_THROWS_WITH(std::rethrow_exception(f.exception()), abandoned);
  CHECK_FALSE(f.cancelled());
  const auto late = f.setter();
  CHECK_FALSE((late.set_result("x") || late.set_exception(runtime_error("x")) || late.cancel()));
  CHECK_FALSE(f.set_result("x"));
}

TEST_CASE("a setter is counted once, however it is copied, moved and assigned") {
  const auto f = Future<int>::shared(), g = Future<int>::shared();
  auto a = f.setter();
  auto b = std::move(a);
  CHECK_THROWS_AS(a.set_result(1), InvalidState);
  CHECK_THROWS_AS(a.done(), InvalidState);
  auto c = a;  // empty too
  CHECK_THROWS_AS(c.cancel(), InvalidState);
  const auto& same = b;
  b = same;
  auto& moved = b;
  b = std::move(moved);
  a = b;
  b = g.setter();
  CHECK_FALSE(f.done());
  b = a;
  CHECK(g.done());
  c = std::move(a);
  b = g.setter();
  CHECK_FALSE(f.done());
  c = std::move(b);
  CHECK(f.done());
}

TEST_CASE("without a setter a shared Future waits on, whatever handles go") {
  auto f = Future<int>::shared();
  {
    auto copy = f;
    auto moved = std::move(copy);
    CHECK_THROWS_AS(copy.setter(), InvalidState);
    CHECK_THROWS_AS(copy.result(), InvalidState);
    CHECK_THROWS_AS(copy.exception(), InvalidState);
    CHECK_THROWS_AS(copy.cancelled(), InvalidState);
  }
  CHECK_FALSE(f.done());
  CHECK(f.set_result(1));
}

APP_TEST("a callback that is dropped, and with it the last setter, wakes who waits for it") {
  const auto f = Future<std::string>::shared();
  auto handle = later(1h, [setter = f.setter()] { setter.set_result(text); });
  auto waits = add(value_or_error(f));
  co_await errand::yield();
  handle.cancel();
  const std::string end = co_await waits;
  CHECK(end == abandoned);
}

namespace {

/// A value whose copy calls a function and then, if it is to, throws.
struct DropsAtCopy {
  DropsAtCopy(std::function<void()>& its_drop, bool throws_then) noexcept : drop(&its_drop), throws(throws_then) {}
  DropsAtCopy(const DropsAtCopy& other) : drop(other.drop), throws(other.throws) {
    (*drop)();
    if (throws) throw runtime_error("copy");
  }
  std::function<void()>* drop;
  bool throws;
};

}  // namespace

TEST_CASE("if the last setter goes while the value is made, the value counts, or else the Future is given up") {
  for (const bool by_setter : {true, false}) {
    const auto f = Future<DropsAtCopy>::shared(), g = Future<DropsAtCopy>::shared();
    std::optional first(f.setter()), second(g.setter());
    std::function<void()> drop_first = [&] { first.reset(); }, drop_second = [&] { second.reset(); };
    const DropsAtCopy good(drop_first, false), bad(drop_second, true);
    CHECK((by_setter ? first->set_result(good) : f.set_result(good)));
    CHECK(f.exception() == nullptr);
    CHECK_THROWS_WITH((by_setter ? second->set_result(bad) : g.set_result(bad)), "copy");
    REQUIRE(g.done());
    CHECK_THROWS_AS(g.result(), InvalidState);
  }
}

TEST_CASE("threads may use and drop setters while tasks wait, and one result comes out") {
  for (int round = 0; round < 100; ++round) {
    App app;
    const auto f = Future<std::string>::shared();
    std::vector<Task<std::string>> tasks;
    for (int i = 0; i < 3; ++i) tasks.push_back(app.add_task(value_or_error(f)));
    std::vector<Future<std::string>::Setter> setters(4, f.setter());
    const bool is_set = round % 2 == 0;
    std::atomic<int> set = 0;
    std::vector<std::thread> threads;
    for (auto& setter : setters) {
      threads.emplace_back([&set, is_set, own = std::move(setter)]() mutable {
        const auto copy = own;
        if (is_set) set += own.set_result(text);
        const auto last = std::move(own);
        (void)last.done();
      });
    }
    setters.clear();
    app.run();
    for (auto& thread : threads) thread.join();
    CHECK(set == (is_set ? 1 : 0));
    for (const auto& task : tasks) CHECK(task.result() == (is_set ? text : abandoned));
    CHECK((f.exception() == nullptr) == is_set);
  }
}

TEST_CASE("the last setter may go on another thread while another handle sets the Future, or makes more setters") {
  for (int round = 0; round < 200; ++round) {
    const auto f = Future<std::string>::shared();
    std::optional setter(f.setter());
    std::atomic<bool> has_set = false;
    std::thread drops([&] { setter.reset(); });
    std::thread sets([&] { has_set = f.set_result(text); });
    std::thread makes([&] { (void)f.setter().cancel(); });
    drops.join();
    sets.join();
    makes.join();
    CHECK(f.done());
    if (has_set) CHECK(f.result() == text);
    if (!has_set) CHECK(f.exception() != nullptr);
  }
}

TEST_CASE("a setter may be used, or dropped, after the end of the App and of all other handles") {
  for (const bool is_set : {true, false}) {
    auto setter = [] {
      App app;
      auto f = Future<std::string>::shared();
      app.add_task(value_or_error(f));
      app.poll();
      return std::optional(f.setter());
    }();
    std::thread([&] {
      if (is_set) CHECK(setter->set_result(text));
      setter.reset();
    }).join();
  }
}

TEST_CASE("any thread may ask a shared Future for its result while others set it") {
  for (int round = 0; round < 50; ++round) {
    const auto f = Future<std::string>::shared();
    std::atomic<int> right = 0;
    in_threads(4, [&](int i) {
      if (i == 0) f.set_result(text);
      while (!f.done()) std::this_thread::yield();
      right += f.result() == text && !f.exception() && !f.cancelled();
    });
    CHECK(right == 4);
  }
}
