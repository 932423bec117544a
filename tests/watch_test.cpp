// SPDX-License-Identifier: MIT
#include <functional>

#include "waiting.hpp"

using errand::Watch;

namespace {

bool is_odd(int value) { return value % 2 == 1; }

/// Tasks that wait for a predicate. Each serve satisfies it once.
struct OfPredicate : waiting::ServesAll {
  static constexpr const char* name = "watch";
  explicit OfPredicate(std::size_t) {}
  auto wait() { return watch.wait(is_odd); }
  void keep(int value) { CHECK(is_odd(value)); }
  Coro<> serve() {
    watch.set(watch.get() + 1);
    watch.set(watch.get() + 1);
    co_return;
  }

  Watch<int> watch{0};
};

/// Tasks that read each change, all with one reader.
struct OfReader : waiting::ServesAll {
  static constexpr const char* name = "watch";
  explicit OfReader(std::size_t) {}
  auto wait() { return reader.next(); }
  void keep(int value) { CHECK(value == 1); }
  Coro<> serve() {
    watch.set(1);
    co_return;
  }

  Watch<int> watch{0};
  Watch<int>::Reader reader = watch.reader();
};

Coro<> log_next(Watch<int>::Reader& reader, support::Log& log) {
  try {
    log(co_await reader.next());
  } catch (const InvalidState& e) {
    log(e.what());
  }
}

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

/// A number whose copies call a function.
struct Copied {
  Copied(int its_value) : value(its_value) {}
  Copied(const Copied& other) : value(other.value) {
    if (!at_copy) return;
    const auto call = at_copy;
    call();
  }
  Copied(Copied&&) = default;
  Copied& operator=(Copied&&) = default;
  inline static std::function<void()> at_copy;
  int value;
};

}  // namespace

WAITING_TESTS(OfPredicate, "a Watch")
WAITING_TESTS(OfReader, "a reader of a Watch")

APP_TEST("a wait gives the value that satisfied its predicate, although it has changed again") {
  Watch<int> watch(0);
  const auto wait = [&](int least) -> Coro<int> {
    const auto is_enough = [least](int value) { return value >= least; };
    co_return co_await watch.wait(is_enough);
  };
  auto ten = add(wait(10)), twenty = add(wait(20)), none = add(wait(0));
  co_await errand::yield();
  CHECK(none.done());
  watch.set(15);
  watch.set(25);
  watch.set(0);
  const int a = co_await ten, b = co_await twenty, c = co_await none;
  CHECK(a == 15);
  CHECK(b == 25);
  CHECK(c == 0);
  CHECK(watch.get() == 0);
}

APP_TEST("a value that equals the old one is a change") {
  Watch<int> watch(1);
  auto reader = watch.reader();
  auto task = add(log_next(reader, log));
  co_await errand::yield();
  watch.set(1);
  co_await task;
  watch.update([](int&) {});
  co_await log_next(reader, log);
  expect("1 ; 1");
}

APP_TEST("a reader gives the newest value, once for all changes, and each reader reads for itself") {
  Watch<std::string> watch("a");
  auto one = watch.reader();
  watch.set("b");
  auto other = watch.reader();
  watch.set("c");
  watch.update([](std::string& value) { value += "d"; });
  const auto first = co_await one.next(), second = co_await other.next();
  CHECK(first == "cd");
  CHECK(second == "cd");
  auto task = add([](auto& reader) -> Coro<std::string> { co_return co_await reader.next(); }(one));
  co_await errand::sleep(1s);
  CHECK_FALSE(task.done());
  watch.set("e");
  watch.set("f");
  const auto third = co_await task, fourth = co_await one.next(), fifth = co_await other.next();
  CHECK(third == "e");
  CHECK(fourth == "f");
  CHECK(fifth == "f");
}

APP_TEST("a next that is cancelled, aborted or lost in a race loses no change") {
  Watch<int> watch(0);
  auto reader = watch.reader();
  auto cancelled = add(log_next(reader, log));
  co_await errand::yield();
  cancelled.cancel();
  watch.set(1);
  co_await errand::wait_all(cancelled);
  co_await log_next(reader, log);
  auto aborted = add(log_next(reader, log));
  co_await errand::yield();
  watch.set(2);
  aborted.abort();
  co_await log_next(reader, log);
  watch.set(3);
  errand::Event never;
  auto race = add([](auto& r, auto& e) -> Coro<> { co_await errand::race(e.wait(), r.next()); }(reader, never));
  co_await errand::yield();
  CHECK(race.abort());
  co_await log_next(reader, log);
  expect("1 ; 2 ; 3");
}

APP_TEST("two reads in one expression give two changes") {
  Watch<int> watch(0);
  auto reader = watch.reader();
  watch.set(1);
  auto task = add([](auto& r) -> Coro<int> { co_return 10 * co_await r.next() + co_await r.next(); }(reader));
  co_await errand::yield();
  CHECK_FALSE(task.done());
  watch.set(2);
  watch.set(3);
  const int both = co_await task;
  CHECK(both == 12);
}

APP_TEST("a reader may be moved and destroyed while a task awaits its next") {
  Watch<int> watch(0);
  auto reader = std::make_unique<Watch<int>::Reader>(watch.reader());
  auto task = add(log_next(*reader, log));
  co_await errand::yield();
  auto moved = std::make_unique<Watch<int>::Reader>(std::move(*reader));
  CHECK_THROWS_AS(reader->next(), InvalidState);
  reader.reset();
  moved.reset();
  watch.set(1);
  co_await task;
  expect("1");
}

APP_TEST("a reader may outlive its Watch, and a value that was handed over stays") {
  auto watch = std::make_unique<Watch<int>>(0);
  auto reader = watch->reader(), other = watch->reader();
  auto served = add(log_next(reader, log));
  co_await errand::yield();
  watch->set(1);
  auto waiting = add(log_next(reader, log));
  co_await errand::yield();
  watch.reset();
  co_await errand::wait_all(served, waiting);
  co_await log_next(other, log);
  expect("1 ; the watch that was waited for has been destroyed ; the Watch that is awaited has been destroyed");
}

APP_TEST("the value is destroyed with the Watch, although a reader is left") {
  std::weak_ptr<int> seen;
  std::optional<Watch<std::shared_ptr<int>>::Reader> reader;
  {
    Watch<std::shared_ptr<int>> watch(std::make_shared<int>(1));
    seen = watch.get();
    reader.emplace(watch.reader());
  }
  CHECK(seen.expired());
  co_return;
}

APP_TEST("a predicate that throws ends the wait of its task, and no other") {
  Watch<int> watch(0);
  const auto fails_at_two = [](int value) {
    if (value == 2) throw runtime_error("two");
    return value == 3;
  };
  const auto wait = [&]() -> Coro<int> { co_return co_await watch.wait(fails_at_two); };
  auto a = add(wait()), b = add([&]() -> Coro<int> { co_return co_await watch.wait(is_odd); });
  co_await errand::yield();
  watch.set(2);
  CHECK(watch.get() == 2);
  co_await errand::wait_all(a);
  CHECK(text_of(a.exception()) == "two");
  CHECK_FALSE(b.done());
  watch.set(1);
  co_await errand::wait_all(b);
  watch.set(2);
  auto at_once = add(wait());
  co_await errand::wait_all(at_once);
  CHECK(text_of(at_once.exception()) == "two");
}

APP_TEST("a copy that throws ends the wait, and a reader gives that change later") {
  Watch<Copied> watch(0);
  auto reader = watch.reader();
  const auto read = [](Watch<Copied>::Reader& from) -> Coro<int> { co_return (co_await from.next()).value; };
  auto task = add(read(reader));
  co_await errand::yield();
  Copied::at_copy = [] { throw runtime_error("copy"); };
  watch.set(1);
  co_await errand::wait_all(task);
  CHECK(text_of(task.exception()) == "copy");
  auto at_once = add(read(reader));
  co_await errand::wait_all(at_once);
  CHECK(text_of(at_once.exception()) == "copy");
  Copied::at_copy = nullptr;
  const int one = co_await read(reader);
  CHECK(one == 1);
}

APP_TEST("a Watch cannot be changed by a predicate, by a copy of its value, or inside an update") {
  Watch<Copied> watch(0);
  int thrown = 0;
  const auto change = [&] {
    try {
      watch.set(9);
    } catch (const InvalidState&) {
      ++thrown;
    }
    try {
      watch.update([](Copied&) {});
    } catch (const InvalidState&) {
      ++thrown;
    }
  };
  const auto is_met = [&](const Copied& value) {
    change();
    return value.value == 1;
  };
  auto task = add([&]() -> Coro<int> { co_return (co_await watch.wait(is_met)).value; });
  co_await errand::yield();
  CHECK(thrown == 2);
  Copied::at_copy = change;
  watch.set(1);
  CHECK(thrown == 6);
  const int one = co_await task;
  CHECK(one == 1);
  watch.update([&](Copied& value) {
    value.value = 2;
    change();
  });
  CHECK(thrown == 8);
  CHECK(watch.get().value == 2);
  Copied::at_copy = nullptr;
}

APP_TEST("an update that throws wakes nobody, and the next one works") {
  Watch<int> watch(0);
  auto reader = watch.reader();
  auto task = add(log_next(reader, log));
  co_await errand::yield();
  CHECK_THROWS_AS(watch.update([](int& value) {
    value = 1;
    throw runtime_error("no");
  }),
                  runtime_error);
  co_await errand::yield();
  CHECK_FALSE(task.done());
  watch.update([](int& value) { ++value; });
  co_await task;
  expect("2");
}

namespace {

/// Tasks wait for a Watch. The predicate of the second one, or the copy of the value for it, does `what`.
Coro<> while_judged(support::Fixture& test, bool in_copy, const std::function<void(std::vector<Task<>>&)>& what,
                    std::unique_ptr<Watch<Copied>>& watch) {
  watch = std::make_unique<Watch<Copied>>(0);
  std::vector<Task<>> tasks;
  int judged = 0;
  const auto wait = [&](int i, std::shared_ptr<int> held) -> Coro<> {
    const auto is_met = [&, i, in_copy, held](const Copied& value) {
      if (value.value == 0) return false;
      ++judged;
      if (i == 1 && !in_copy) what(tasks);
      if (i == 1 && in_copy) Copied::at_copy = [&] { what(tasks); };
      if (i == 2) Copied::at_copy = nullptr;
      return held != nullptr;
    };
    try {
      co_await watch->wait(is_met);
      test.log(i, "met");
    } catch (const InvalidState&) {
      test.log(i, "destroyed");
    }
  };
  for (int i = 0; i < 3; ++i) tasks.push_back(test.add(wait(i, std::make_shared<int>(i))));
  co_await errand::yield();
  watch->set(1);
  Copied::at_copy = nullptr;
  test.log(judged, "judged");
  co_await errand::yield();
  co_await errand::yield();
  for (auto& task : tasks) {
    if (!task.done()) test.log("left");
    task.abort();
  }
}

}  // namespace

APP_TEST("a predicate, and a copy of the value, may cancel and abort the tasks that wait, and destroy the Watch") {
  std::unique_ptr<Watch<Copied>> watch;
  for (const bool in_copy : {false, true}) {
    const auto play = [&](std::function<void(std::vector<Task<>>&)> what) -> Coro<> {
      log.clear();
      co_await while_judged(*this, in_copy, what, watch);
    };
    co_await play([](auto& tasks) { tasks[1].abort(); });
    expect("3 judged ; 0 met ; 2 met");
    co_await play([](auto& tasks) { tasks[1].cancel(); });
    expect("3 judged ; 0 met ; 2 met");
    co_await play([](auto& tasks) { tasks[2].abort(); });
    expect("2 judged ; 0 met ; 1 met");
    co_await play([](auto& tasks) { tasks[0].abort(); });
    expect("3 judged ; 1 met ; 2 met");
    co_await play([](auto& tasks) {
      for (auto& task : tasks) task.cancel();
    });
    expect("2 judged ; 0 met");
    co_await play([&](auto&) { watch.reset(); });
    expect("2 judged ; 0 met ; 1 destroyed ; 2 destroyed");
  }
}

APP_TEST("a predicate that destroys the Watch at once ends its own wait") {
  auto watch = std::make_unique<Watch<int>>(0);
  const auto destroy = [&](int) {
    watch.reset();
    return false;
  };
  bool thrown = false;
  try {
    co_await watch->wait(destroy);
  } catch (const InvalidState&) {
    thrown = true;
  }
  CHECK(thrown);
}

APP_TEST("a wait may be awaited again, and lives longer than the awaitable") {
  Watch<int> watch(1);
  auto wait = std::make_unique<decltype(watch.wait(is_odd))>(watch.wait(is_odd));
  const int one = co_await *wait;
  CHECK(one == 1);
  watch.set(2);
  auto task = add([](auto& awaitable) -> Coro<int> { co_return co_await awaitable; }(*wait));
  co_await errand::yield();
  wait.reset();
  watch.set(3);
  const int three = co_await task;
  CHECK(three == 3);
}

APP_TEST("a Watch of a value that cannot be copied can be set, read and updated") {
  Watch<std::unique_ptr<int>> watch(std::make_unique<int>(1));
  watch.set(std::make_unique<int>(2));
  watch.update([](std::unique_ptr<int>& value) { ++*value; });
  CHECK(*watch.get() == 3);
  co_return;
}
