// SPDX-License-Identifier: MIT
// Tests of gather and gather_settled with a range, a callable and a limit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <ranges>
#include <sstream>
#include <type_traits>
#include <variant>

#include "combinators.hpp"

using errand::gather;
using errand::gather_settled;
using errand::move_on_after;
using errand::wait_for;

namespace {

/// Counts how many are alive, and the most that were alive at once.
struct Count {
  int now = 0, most = 0, all = 0;
};
class Counted {
 public:
  explicit Counted(Count& count) : count_(count) {
    ++count_.all;
    if (++count_.now > count_.most) count_.most = count_.now;
  }
  Counted(const Counted&) = delete;
  ~Counted() { --count_.now; }

 private:
  Count& count_;
};

/// Sleeps so many seconds, and returns that number.
Coro<int> sleep_seconds(int seconds) {
  co_await errand::sleep(1s * seconds);
  co_return seconds;
}

/// An input iterator that keeps one value, and counts up to `last`. Throws when it comes to `bad`.
class Counter {
 public:
  using value_type = int;
  using difference_type = std::ptrdiff_t;
  Counter() = default;
  explicit Counter(int last, int bad = -1) : last_(last), bad_(bad) {}
  const int& operator*() const { return at_; }
  Counter& operator++() {
    if (++at_ == bad_) throw runtime_error("range");
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const { return at_ > last_; }

 private:
  int at_ = 1, last_ = 0, bad_ = -1;
};
struct Counting {
  int last, bad = -1;
  Counter begin() const { return Counter(last, bad); }
  std::default_sentinel_t end() const { return {}; }
};

}  // namespace

APP_TEST("gather of a range runs at most `limit` Coros at once, and gives the results in the order of the range") {
  const std::vector<int> seconds{3, 1, 2, 1, 5, 1};
  Count count;
  const auto sleep = [&](int item) -> Coro<int> {
    const Counted counted(count);
    log("begin", item, now());
    co_return co_await sleep_seconds(item);
  };
  const std::vector<int> results = co_await gather(seconds, sleep, 2);
  CHECK(results == seconds);
  log(count.most, now());
  expect("begin 3 0 ; begin 1 0 ; begin 2 1 ; begin 1 3 ; begin 5 3 ; begin 1 4 ; 2 8");
}

APP_TEST("gather of a range takes all kinds of ranges, and f of all kinds") {
  struct User {
    int id;
    Coro<int> load() { return sleep_seconds(id); }
  };
  const int numbers[] = {2, 1};
  std::list<User> users{{2}, {1}};
  const auto views = std::views::iota(1, 4) | std::views::transform([](int i) { return i * i; });
  std::istringstream text("c b a");
  const auto word = [](const std::string& item) -> Coro<std::string> {
    co_await errand::sleep(1s);
    co_return item + item;
  };
  const std::istream_iterator<std::string> first_word(text), no_word;
  const std::ranges::subrange words(first_word, no_word);

  const auto of_array = co_await gather(numbers, sleep_seconds, 2);
  CHECK(of_array == std::vector{2, 1});
  const auto of_list = co_await gather(users, &User::load, 1u);
  CHECK(of_list == std::vector{2, 1});
  const auto of_view = co_await gather(views, sleep_seconds, std::size_t{3});
  CHECK(of_view == std::vector{1, 4, 9});
  const auto of_iota = co_await gather(std::views::iota(0, 3), sleep_seconds, std::numeric_limits<std::size_t>::max());
  CHECK(of_iota == std::vector{0, 1, 2});
  const auto of_words = co_await gather(words, word, 3);
  CHECK(of_words == std::vector<std::string>{"cc", "bb", "aa"});
  const auto of_input = co_await gather(Counting{4}, sleep_seconds, 2);
  CHECK(of_input == std::vector{1, 2, 3, 4});
  const auto of_bools = co_await gather(std::vector<bool>(3, true), [](bool item) { return after(1s, item); }, 2);
  CHECK(of_bools == std::vector<bool>(3, true));
  const auto empty = co_await gather(std::vector<int>(), sleep_seconds, 2);
  CHECK(empty.empty());
}

APP_TEST("gather of a range gives monostate for void, reference_wrapper for references, and what can only be moved") {
  std::vector<std::unique_ptr<int>> pointers(2);
  for (auto& pointer : pointers) pointer = std::make_unique<int>(7);
  const auto refer = [](std::unique_ptr<int>& item) -> Coro<std::unique_ptr<int>&> { co_return item; };
  const auto take = [](std::unique_ptr<int> item) -> Coro<std::unique_ptr<int>> {
    co_await errand::sleep(1s);
    co_return item;
  };
  const auto nothing = [](int) -> Coro<> { co_await errand::sleep(1s); };
  const std::vector<std::reference_wrapper<std::unique_ptr<int>>> references = co_await gather(pointers, refer, 1);
  CHECK(&references[1].get() == &pointers[1]);
  const std::ranges::subrange moving(std::move_iterator(pointers.begin()), std::move_iterator(pointers.end()));
  const auto moved = co_await gather(moving, take, 2);
  CHECK(*moved[1] == 7);
  CHECK(!pointers[1]);
  const std::vector<std::monostate> nothings = co_await gather(std::vector<int>(3), nothing, 2);
  CHECK(nothings.size() == 3);
  const auto outcomes = co_await gather_settled(std::vector<int>(3), nothing, 2);
  CHECK(outcomes.size() == 3);
  CHECK(outcomes[2].has_value());
}

APP_TEST(
    "an item that the range gives by value is kept until its Coro has ended, and an item of a container is not "
    "copied") {
  const auto text = [](int i) { return std::string(100, static_cast<char>('a' + i)); };
  const auto keep = [](const std::string& item) -> Coro<char> {
    co_await errand::sleep(1s);
    co_return item.at(99);
  };
  const auto by_value = co_await gather(std::views::iota(0, 4) | std::views::transform(text), keep, 2);
  CHECK(by_value == std::vector{'a', 'b', 'c', 'd'});
  const auto settled = co_await gather_settled(std::views::iota(0, 4) | std::views::transform(text), keep, 2);
  CHECK(settled[3].value() == 'd');
  std::vector<std::string> texts{"x", "y"};
  const auto change = [](std::string& item) -> Coro<> {
    co_await errand::sleep(1s);
    item += "!";
  };
  co_await gather(texts, change, 2);
  CHECK(texts == std::vector<std::string>{"x!", "y!"});
}

APP_TEST("an rvalue range and f are moved in, and live as long as the gather") {
  auto alive = std::make_shared<int>(0);
  std::vector<std::shared_ptr<int>> range(3, alive);
  const auto f = [alive](const std::shared_ptr<int>& item) -> Coro<long> {
    co_await errand::sleep(1s);
    co_return item.use_count() + (alive ? 0 : 100);
  };
  auto all = gather(std::move(range), f, 2);
  CHECK(alive.use_count() == 6);  // the range, f, and the f in the gather
  const auto counts = co_await std::move(all);
  CHECK(counts == std::vector<long>{6, 6, 6});
  CHECK(alive.use_count() == 2);
  auto dropped = gather_settled(std::vector<std::shared_ptr<int>>(3, alive), f, 2);
  dropped = {};
  CHECK(alive.use_count() == 2);
}

APP_TEST("a limit that is not positive is refused at the call, and any larger one is taken") {
  const std::vector<int> items{1};
  const auto message = [&](auto limit) -> std::string {
    try {
      (void)gather(items, sleep_seconds, limit);
      return "taken";
    } catch (const InvalidState& e) {
      return e.what();
    }
  };
  log(message(0), "/", message(-1), "/", message(std::int8_t{-7}), "/", message(0ull));
  log(message(1), message(~0ull));
  expect(
      "gather with a limit of 0 would never begin / gather with a limit of -1 would never begin / "
      "gather with a limit of -7 would never begin / gather with a limit of 0 would never begin ; taken taken");
  co_return;
}

APP_TEST("the first failure cancels the others, starts nothing more, and comes out when they have ended") {
  int begun = 0;
  const auto f = [&](int item) -> Coro<> {
    ++begun;
    if (item == 2) {
      co_await errand::sleep(1s);
      throw runtime_error("two");
    }
    co_await tidy(log, std::to_string(item), item == 3 ? 2s : 1s);
  };
  co_await end_of(gather(std::views::iota(1, 100), f, 3), log);
  log(begun, now());
  expect("1 asked ; 3 asked ; 1 cleaned ; 3 cleaned ; two ; 3 3");
}

APP_TEST("a later failure is reported, and Cancelled that a Coro throws by itself ends the gather too") {
  const auto f = [](int item) -> Coro<> {
    const auto what = std::to_string(item);
    if (item < 3) co_await bad(1s, what);
    throw Cancelled(what);
  };
  co_await end_of(gather(vector_of(1, 2, 3), f, 2), log);
  co_await end_of(gather(vector_of(3, 1), f, 1), log);
  co_await end_of(gather(vector_of(3, 1), f, 2), log);
  expect("1 ; Cancelled 3 ; Cancelled 3", {"2"});
}

APP_TEST("what f throws at the call is the failure of its item, and what the range throws ends it all") {
  const auto f = [this](int item) {
    log("f", item);
    if (item == 3) throw runtime_error("call");
    return nap(std::to_string(item), 10s);
  };
  co_await end_of(gather(Counting{9}, f, 2), log);
  log("-");
  co_await end_of(gather(Counting{9}, f, 4), log);
  log("-");
  co_await end_of(gather(Counting{9, 2}, f, 4), log);
  log("-");
  co_await end_of(gather_settled(Counting{9, 2}, f, 4), log);
  log("-");
  const auto outcomes = co_await gather_settled(Counting{3}, f, 9);
  log(outcomes[0].value(), outcomes[2].what());
  expect(
      "f 1 ; 1 start ; f 2 ; 2 start ; 1 end ; f 3 ; 2 end ; call ; - ; "
      "f 1 ; 1 start ; f 2 ; 2 start ; f 3 ; 1 cancelled ; 2 cancelled ; call ; - ; "
      "f 1 ; 1 start ; 1 cancelled ; range ; - ; f 1 ; 1 start ; 1 cancelled ; range ; - ; "
      "f 1 ; 1 start ; f 2 ; 2 start ; f 3 ; 1 end ; 2 end ; 0 call");
}

APP_TEST("gather_settled of a range gives each outcome in order, and none of them ends it") {
  const auto f = [](int item) -> Coro<int> {
    co_await errand::sleep(1s * (10 - item));
    if (item == 1) throw runtime_error("one");
    if (item == 2) throw Cancelled("two");
    co_return item;
  };
  const auto outcomes = co_await gather_settled(vector_of(0, 1, 2, 3), f, 2);
  static_assert(std::is_same_v<decltype(outcomes), const std::vector<errand::Outcome<int>>>);
  log(outcomes[0].value(), outcomes[1].what(), outcomes[2].cancelled(), outcomes[3].value(), outcomes.size());
  expect("0 one true 3 4");
}

APP_TEST("if the caller is asked to end, the Coros that have begun end, no other begins, and Cancelled comes out") {
  for (const bool settles : {false, true}) {
    const auto f = [this](int item) { return tidy(log, std::to_string(item), 1s); };
    const auto work = [&]() -> Coro<> {
      if (settles) {
        co_await gather_settled(std::views::iota(1, 100), f, 2);
      } else {
        co_await gather(std::views::iota(1, 100), f, 2);
      }
    };
    auto task = add(end_of(work(), log));
    co_await errand::yield();
    co_await errand::yield();
    task.cancel("stop");
    co_await errand::wait_all(task);
  }
  expect(
      "1 asked stop ; 2 asked stop ; 1 cleaned ; 2 cleaned ; Cancelled stop ; "
      "1 asked stop ; 2 asked stop ; 1 cleaned ; 2 cleaned ; Cancelled stop");
}

APP_TEST("Coros that swallow a request: Cancelled comes out if an item is left, and the results if none is") {
  const auto f = [](int item) -> Coro<int> {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_return item;
  };
  const auto work = [&](bool settles, int items) -> Coro<> {
    if (settles) {
      log((co_await gather_settled(std::views::iota(0, items), f, 2)).size());
    } else {
      log((co_await gather(std::views::iota(0, items), f, 2)).size());
    }
    co_await end_of(errand::sleep(1s), log);  // no request is left
  };
  for (const bool settles : {false, true}) {
    for (const int items : {2, 3}) {
      auto task = add(end_of(work(settles, items), log));
      co_await errand::yield();
      co_await errand::yield();
      task.cancel("stop");
      co_await errand::wait_all(task);
    }
    const auto limited = [&] { return work(settles, 3); };
    const bool in_time = co_await move_on_after(limited, 1s);
    log(in_time);
  }
  expect(
      "2 ; done ; done ; Cancelled stop ; false ; "
      "2 ; done ; done ; Cancelled stop ; false");
}

APP_TEST("a request that is taken back lets a gather of a range go on") {
  const auto f = [](int item) -> Coro<int> {
    try {
      co_await errand::sleep(1s);
    } catch (const Cancelled&) {
      errand::current_task().uncancel();
    }
    co_return item;
  };
  const auto work = [&]() -> Coro<> {
    const auto settled = co_await gather_settled(std::views::iota(0, 10), f, 1);
    log(settled.size());
    const auto all = co_await gather(std::views::iota(0, 10), f, 3);
    log(all.size());
  };
  auto task = add(work());
  for (const auto time : {500ms, 2000ms, 10000ms}) later(time, [&] { task.cancel(); });
  co_await errand::wait_all(task);
  expect("10 ; 10");
}

APP_TEST("a request that is pending at the begin is thrown where the first Coro would suspend, and no other begins") {
  const auto f = [this](int item) -> Coro<> {
    log("f", item);
    if (item > 2) co_await errand::sleep(1s);
  };
  const auto work = [&]() -> Coro<> {
    errand::current_task().cancel("early");
    co_await end_of(gather(std::views::iota(1, 9), f, 3), log);
    errand::current_task().cancel("early");
    co_await end_of(gather_settled(std::views::iota(1, 9), f, 3), log);
    errand::current_task().cancel("early");
    co_await end_of(gather(std::views::iota(1, 3), f, 3), log);
    co_await end_of(errand::sleep(1s), log);
  };
  co_await errand::wait_all(add(work()));
  expect("f 1 ; f 2 ; f 3 ; Cancelled early ; f 1 ; f 2 ; f 3 ; Cancelled early ; f 1 ; f 2 ; done ; Cancelled early");
}

APP_TEST("gather_settled of a range reports the failures among the outcomes if Cancelled comes out") {
  const auto f = [](int item) -> Coro<> {
    if (item == 1) co_await bad(1s, "one");
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      if (item == 3) throw runtime_error("three");
      throw;
    }
  };
  const auto work = [&]() -> Coro<> { co_await gather_settled(vector_of(1, 2, 3, 4), f, 2); };
  auto task = add(end_of(work(), log));
  later(2s, [&] { task.cancel("stop"); });
  co_await errand::wait_all(task);
  const auto throws = [](int item) -> Coro<> {
    if (item == 1) throw runtime_error("first");
    co_await errand::sleep(1h);
  };
  co_await end_of(gather_settled(Counting{9, 3}, throws, 3), log);
  expect("Cancelled stop ; range", {"one", "three", "first"});
}

APP_TEST("time-outs, races and other gathers take a gather of a range, and its parts belong to the calling task") {
  const auto f = [this](int item) -> Coro<int> {
    if (item == 0) log(errand::current_task().name());
    co_await errand::sleep(1s);
    co_return item;
  };
  const auto work = [&]() -> Coro<> {
    co_await end_of(wait_for(gather(std::views::iota(0, 100), f, 2), 10s), log);
    log(now(), app.all_tasks().size());
    const auto nested = [&](int item) { return gather(std::views::iota(item, item + 3), f, 2); };
    const auto all = co_await gather(std::views::iota(1, 4), nested, 2);
    log(all.size(), all[2][2]);
    const auto first = co_await errand::race(gather(std::views::iota(1, 10), f, 2), errand::sleep(1s));
    log(first.index());
  };
  co_await add(work(), "worker");
  expect("worker ; TimeoutError ; 10 2 ; 3 5 ; 1");
}

APP_TEST("an aborted gather of a range is destroyed with all its Coros, and so is one whose time is over") {
  Count count;
  const auto f = [&](int) -> Coro<> {
    const Counted counted(count);
    co_await errand::sleep(1h);
  };
  auto task = add([&]() -> Coro<> { co_await gather(std::views::iota(0, 1000), f, 100); });
  co_await errand::yield();
  co_await errand::yield();
  log(count.now);
  task.abort();
  log(count.now, count.all);
  co_await end_of(wait_for(gather_settled(std::views::iota(0, 1000), f, 100), 1s), log);
  log(count.now, count.all);
  expect("100 ; 0 100 ; TimeoutError ; 0 200");
}

TEST_CASE("a gather of a range is destroyed with the App, begun or not") {
  Count count;
  {
    App app;
    const auto f = [&](int) -> Coro<> {
      const Counted counted(count);
      co_await errand::sleep(1h);
    };
    const auto work = [&](bool settles) -> Coro<> {
      if (settles) {
        co_await gather_settled(std::views::iota(0, 1000), f, 100);
      } else {
        co_await gather(std::views::iota(0, 1000), f, 100);
      }
    };
    app.add_task(work(false));
    app.add_task(work(true));
    for (int i = 0; i < 3; ++i) app.poll();
    CHECK(count.now == 200);
    app.add_task(work(false));
  }
  CHECK(count.now == 0);
}

APP_TEST("a hundred thousand items, one or ten thousand at once, suspending or not") {
  constexpr int items = 100'000;
  const auto suspends = [](int item) -> Coro<int> {
    co_await errand::sleep(1ms * (item % 7));
    co_return item;
  };
  const auto goes_on = [](int item) -> Coro<int> { co_return item; };
  for (const int limit : {1, 10'000}) {
    const auto slow = co_await gather(std::views::iota(0, items), suspends, limit);
    CHECK(std::ranges::equal(slow, std::views::iota(0, items)));
    const auto fast = co_await gather_settled(std::views::iota(0, items), goes_on, limit);
    CHECK(fast.size() == items);
  }
  const auto fails_last = [](int item) -> Coro<> {
    co_await errand::sleep(1s);
    if (item == 10'000 - 1) throw runtime_error("last");
    co_await errand::sleep(1h);
  };
  co_await end_of(gather(std::views::iota(0, items), fails_last, 10'000), log);
  expect("last");
}

APP_TEST("the table of an App shows a gather of a range by its name") {
  const auto f = [](int) -> Coro<> { co_await errand::sleep(1h); };
  auto task = add([&]() -> Coro<> { co_await gather_settled(std::views::iota(0, 9), f, 2); });
  co_await errand::yield();
  co_await errand::yield();
  std::ostringstream table;
  app.dump_tasks(table);
  CHECK(table.str().find("gather_settled") != std::string::npos);
  CHECK(table.str().find("gather_each_test.cpp") != std::string::npos);
  task.cancel();
  co_await errand::wait_all(task);
}
