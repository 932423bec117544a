// SPDX-License-Identifier: MIT
// Tests of expressions in which an await would fail, but another part of the expression throws first.
#include "support.hpp"

namespace {

int fails() { throw runtime_error("the other part"); }
int second(int, int n) { return n; }

Coro<int> failing() {
  co_await errand::yield();
  throw runtime_error("the Coro");
  co_return 1;
}

errand::AsyncGenerator<int> failing_generator() {
  co_await errand::yield();
  throw runtime_error("the generator");
  co_yield 1;
}

/// Awaits the Coro that `make` returns, and then sleeps. Logs how both awaits ended.
template <class Make>
Coro<> try_out(support::Log& log, Make make) {
  try {
    co_await make();
  } catch (const std::exception&) {
    log("error");
  } catch (const Cancelled&) {
    log("cancelled");
  }
  try {
    co_await errand::sleep(2s);
    log("slept");
  } catch (const Cancelled& e) {
    log("cancelled", e.reason());
  }
}

}  // namespace

APP_TEST("an error of a Coro or a generator does not come out of a later await if another part has thrown") {
  const auto coro = []() -> Coro<> { second(fails(), co_await failing()); };
  const auto next = []() -> Coro<> {
    auto generator = failing_generator();
    second(fails(), (co_await generator.next()).value_or(0));
  };
  co_await try_out(log, coro);
  co_await try_out(log, next);
  expect("error ; slept ; error ; slept");
}

APP_TEST("a request that ended a wait is thrown there, or is pending again if another part has thrown") {
  const auto get = []() -> Coro<> {
    errand::Queue<int> queue;
    const int sum = co_await queue.get() + fails();
    (void)sum;
  };
  const auto future = []() -> Coro<> {
    errand::Future<int> never;
    const int sum = fails() + co_await never;
    (void)sum;
  };
  const auto tick = []() -> Coro<> {
    auto interval = errand::every(1h);
    co_await interval.tick();
    (void)(co_await interval.tick() + std::chrono::seconds(fails()));
  };
  const auto ask = [this](auto make) -> Coro<> {
    log.clear();
    auto task = add(try_out(log, make));
    later(1s, [task]() mutable { task.cancel("why"); });
    co_await wait_all(task);
    const std::string text = log.text();  // compilers differ in which part they evaluate first
    CHECK((text == "cancelled ; slept" || text == "error ; cancelled why"));
  };
  co_await ask(get);
  co_await ask(future);
  co_await ask(tick);
}

APP_TEST("an await that is refused behind one that a request has ended leaves nothing behind") {
  Coro<int> empty;
  const auto sum = [&]() -> Coro<> {
    errand::Queue<int> queue;
    second(co_await queue.get(), co_await std::move(empty));
  };
  auto task = add(try_out(log, sum));
  later(1s, [&] { task.cancel("why"); });
  co_await task;
  expect("cancelled ; slept");
}
