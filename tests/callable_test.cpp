// SPDX-License-Identifier: MIT
// Tests of callables that combinators are given in place of Coros.
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <variant>

#include "combinators.hpp"

using errand::gather;
using errand::gather_settled;
using errand::race;
using errand::shield;
using errand::wait_for;

namespace {

Coro<int> seven() { co_return 7; }

/// A callable that logs when it is called, and when the last of its copies is destroyed.
class Called {
 public:
  Called(support::Log& log, std::string name, std::chrono::nanoseconds delay)
      : log_(log), name_(name), delay_(delay), end_(std::make_shared<support::LogsAtEnd>(log, name + " gone")) {}
  Coro<std::string> operator()() {
    log_(name_, "called");
    return run();
  }

 private:
  /// Returns the name, a member: so this callable must still be there at its end.
  Coro<std::string> run() {
    co_await errand::sleep(delay_);
    co_return name_;
  }

  support::Log& log_;
  std::string name_;
  std::chrono::nanoseconds delay_;
  std::shared_ptr<support::LogsAtEnd> end_;
};

/// Returns a vector of callables with these names, and with delays of 1 s, 2 s, and so on.
std::vector<Called> called(support::Log& log, std::vector<std::string> names) {
  std::vector<Called> all;
  for (const auto& name : names) all.emplace_back(log, name, 1s * (all.size() + 1));
  return all;
}

}  // namespace

APP_TEST("each combinator takes a callable that gives a Coro, beside everything else that it takes") {
  const std::string text = "text";
  const auto by_name = [text]() -> Coro<std::string> {
    co_await errand::sleep(1s);
    co_return text;
  };
  const auto nothing = []() -> Coro<> { co_return; };
  int target = 1;
  const auto reference = [&]() -> Coro<int&> { co_return target; };

  auto all = co_await gather(by_name, seven, seven(), add(seven()), errand::sleep(1s), nothing, reference);
  using All = std::tuple<std::string, int, int, int, std::monostate, std::monostate, int&>;
  static_assert(std::is_same_v<decltype(all), All>);
  log(std::get<0>(all), std::get<1>(all), &std::get<6>(all) == &target);
  const auto settled = co_await gather_settled(by_name, seven);
  log(std::get<0>(settled).value(), std::get<1>(settled).value());
  const auto first = co_await race(by_name, seven);
  log(first.index(), std::get<1>(first.value()));
  log(co_await wait_for(by_name, 2s));
  log(co_await wait_for(seven, 2s));
  log(co_await wait_for([] { return seven(); }, 2s));
  expect("text 7 true ; text 7 ; 1 7 ; text ; 7 ; 7");
}

APP_TEST("each combinator of a vector takes a vector of callables of one kind") {
  std::vector<std::function<Coro<int>()>> functions(3, seven);
  functions[1] = [n = 8]() -> Coro<int> {
    co_await errand::sleep(1s);
    co_return n;
  };
  const auto all = co_await gather(functions);
  CHECK(all == std::vector{7, 8, 7});
  const auto settled = co_await gather_settled(functions);
  CHECK(settled[1].value() == 8);
  const auto first = co_await race(functions);
  CHECK(first.value() == 7);
  const auto pointers = co_await gather(std::vector<Coro<int> (*)()>(2, seven));
  CHECK(pointers == std::vector{7, 7});
}

APP_TEST("a callable is called when its turn comes, and is kept until its coroutine has ended, and no longer") {
  auto callables = called(log, {"a", "b"});
  auto both = gather(std::move(callables));
  log("made");
  const auto names = co_await std::move(both);
  log(names[0] + names[1], now());
  expect("made ; a called ; b called ; a gone ; b gone ; ab 2");
}

APP_TEST("a callable that has not begun when the combinator is decided is destroyed, and was not called") {
  const auto fails = []() -> Coro<std::string> { throw runtime_error("bad"); };
  std::vector<std::function<Coro<std::string>()>> all{fails};
  for (auto& one : called(log, {"a", "b"})) all.emplace_back(one);
  co_await end_of(gather(std::move(all)), log);
  auto callables = called(log, {"c"});
  co_await end_of(race(seven(), callables[0]), log);
  callables.clear();
  expect("a gone ; b gone ; bad ; done ; c gone");
}

APP_TEST("a callable whose turn comes after a request to end is destroyed, and was not called") {
  const auto begin = [this]() -> Coro<> {
    errand::current_task().cancel("early");
    auto callables = called(log, {"a", "b"});
    co_await end_of(gather(std::move(callables)), log);
  };
  co_await errand::wait_all(add(begin()));
  expect("a called ; a gone ; b gone ; Cancelled early");
}

APP_TEST("an exception of the call is the error of its branch, and an empty Coro is one too") {
  const auto throws = []() -> Coro<> { throw runtime_error("call"); };
  const auto plain_throw = [&] {
    log("called");
    if (now() == 0s) throw runtime_error("plain");
    return after(1s);
  };
  const auto empty = [] { return Coro<int>(); };
  co_await end_of(gather(throws, seven), log);
  co_await end_of(race(plain_throw, after(1s)), log);
  co_await end_of(wait_for(empty, 1s), log);
  const auto [outcome, other] = co_await gather_settled(plain_throw, seven);
  log(outcome.has_value(), other.value());
  expect("call ; called ; plain ; InvalidState ; called ; false 7");
}

APP_TEST("a callable in a combinator runs as a part of the calling task, and its failures have the name of that") {
  const auto self = [this]() -> Coro<> {
    log(errand::current_task().name());
    co_return;
  };
  const auto late = []() -> Coro<> {
    co_await errand::sleep(1s);
    throw runtime_error("late");
  };
  const auto work = [&]() -> Coro<> { co_await race(self, late, late); };
  co_await add(work, "named");
  const auto both = [&]() -> Coro<> { co_await end_of(gather(late, late), log); };
  co_await add(both, "both");
  expect("named ; late", {"late"});
}

APP_TEST("callables in every combinator end with their task: cancelled, aborted and timed out") {
  for (const int way : {0, 1, 2}) {
    for (const int combinator : {0, 1, 2, 3}) {
      auto alive = std::make_shared<int>(0);
      const auto sleeps = [alive]() -> Coro<int> {
        ++*alive;
        co_await errand::sleep(1h);
        co_return *alive;
      };
      const auto work = [&, combinator]() -> Coro<> {
        if (combinator == 0) co_await gather(sleeps, sleeps);
        if (combinator == 1) co_await gather_settled(sleeps, sleeps);
        if (combinator == 2) co_await race(sleeps, sleeps);
        if (combinator == 3) co_await wait_for(sleeps, 2h);
      };
      const auto count = alive.use_count();
      Task<> task = way == 2 ? add(wait_for(work, 1s)) : add(work);
      co_await errand::yield();
      co_await errand::yield();
      if (way == 0) task.cancel();
      if (way == 1) task.abort();
      co_await errand::wait_all(task);
      CHECK(*alive == (combinator == 3 ? 1 : 2));
      CHECK(alive.use_count() == count);
      CHECK(task.cancelled() == (way != 2));
      if (way == 2) CHECK(task.exception() != nullptr);
    }
  }
}

TEST_CASE("callables in combinators are destroyed with the App") {
  const auto alive = std::make_shared<int>(0);
  {
    App app;
    const auto sleeps = [alive]() -> Coro<int> {
      co_await errand::sleep(1h);
      co_return *alive;
    };
    const auto work = [&]() -> Coro<> { co_await gather(sleeps, race(sleeps, sleeps), wait_for(sleeps, 2h)); };
    app.add_task(work);
    for (int i = 0; i < 3; ++i) app.poll();
    CHECK(alive.use_count() > 4);
    app.add_task(work);
  }
  CHECK(alive.use_count() == 1);
}

APP_TEST("shield takes a callable and any awaitable of the library, and gives a Task as it is") {
  errand::Queue<int> queue;
  const Task<int> of_callable = shield(seven);
  const Task<int> of_wait = shield(queue.get());
  const Task<int> same = shield(of_callable);
  CHECK(same == of_callable);
  const auto named = queue.get();
  const Task<int> of_copy = shield(named);
  queue.try_put(8);
  queue.try_put(9);
  log(co_await of_callable, co_await of_wait, co_await of_copy);
  expect("7 8 9");
}

APP_TEST("ten thousand callables begin in order, and end with the first failure") {
  constexpr int count = 10'000;
  int begun = 0, alive = 0;
  std::vector<std::function<Coro<int>()>> all;
  for (int i = 0; i < count; ++i) {
    all.emplace_back([&begun, &alive, i]() -> Coro<int> {
      CHECK(begun++ == i);
      ++alive;
      const support::CallsAtEnd end([&alive] { --alive; });
      co_await errand::sleep(i == 5'000 ? 1s : 2s);
      if (i == 5'000) throw runtime_error("bad");
      co_return i;
    });
  }
  co_await end_of(gather(std::move(all)), log);
  CHECK(begun == count);
  CHECK(alive == 0);
  expect("bad");
}
