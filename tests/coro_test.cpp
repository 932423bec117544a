// SPDX-License-Identifier: MIT
#include <memory>
#include <string>
#include <vector>

#include "support.hpp"

using errand::AsyncGenerator;

namespace {

constexpr int many = 100'000;

Coro<> holding(Coro<>, std::shared_ptr<int>) { co_return; }
Coro<> holding_all(std::vector<Coro<>>, std::shared_ptr<int>) { co_return; }
AsyncGenerator<int> relaying(AsyncGenerator<int> inner, std::shared_ptr<int>) {
  while (const auto n = co_await inner.next()) co_yield *n;
}

Coro<> nest(const std::shared_ptr<int>& held) {
  Coro<> coro;
  for (int i = 0; i < many; ++i) coro = holding(std::move(coro), held);
  return coro;
}

}  // namespace

PLAIN_TEST("100,000 Coros that hold each other as arguments can be dropped, given to a task or not") {
  const auto held = std::make_shared<int>();
  {
    const Coro<> dropped = nest(held);
  }
  CHECK(held.use_count() == 1);

  auto cancelled = add(nest(held));
  auto aborted = add(nest(held));
  auto unawaited = add(nest(held));
  add([&] { CHECK(cancelled.done()); });
  cancelled.cancel();
  aborted.abort();
  app.run();
  CHECK(held.use_count() == 1);
  CHECK(unawaited.status() == TaskStatus::succeeded);

  Coro<> tree;
  for (int i = 0; i < many / 10; ++i) {
    std::vector<Coro<>> inner;
    inner.push_back(holding(Coro<>(), held));
    inner.push_back(std::move(tree));
    inner.push_back(holding(holding(Coro<>(), held), held));
    tree = holding_all(std::move(inner), held);
  }
  tree = {};
  CHECK(held.use_count() == 1);
}

PLAIN_TEST("100,000 generators that hold each other as arguments can be dropped, before and after they gave a value") {
  const auto held = std::make_shared<int>();
  const auto one = []() -> AsyncGenerator<int> { co_yield 1; };
  for (const bool is_started : {false, true}) {
    auto generator = one();
    for (int i = 0; i < many; ++i) generator = relaying(std::move(generator), held);
    if (is_started) {
      add([&]() -> Coro<> {
        const auto first = co_await generator.next();
        CHECK(first == 1);
      });
    }
    app.run();
    generator = {};
    CHECK(held.use_count() == 1);
  }
}

APP_TEST("a dropped Coro is gone when the drop is over, and so are those that it holds") {
  const auto says = [](Coro<>, std::unique_ptr<support::LogsAtEnd>) -> Coro<> { co_return; };
  Coro<> coro;
  for (const char* name : {"c", "b", "a"}) {
    coro = says(std::move(coro), std::make_unique<support::LogsAtEnd>(log, name));
  }
  coro = {};
  log("over");
  // Compilers differ in the order in which they destroy the arguments of a coroutine.
  CHECK((log.text() == "a ; b ; c ; over" || log.text() == "c ; b ; a ; over"));
  co_return;
}

// std::construct_at makes no const object.
APP_TEST("a result may be of a const type") {
  const auto text = []() -> Coro<const std::string> {
    co_await errand::yield();
    co_return "a";
  };
  log(co_await text());
  const Task<const std::string> task = app.add_task(text());
  const std::string& shared = co_await task;
  log(shared, task.result());
  log(co_await app.add_task(text()));
  log(co_await errand::to_thread([]() -> const std::string { return "b"; }));
  log(co_await errand::wait_for(text(), 1s));
  const auto both = co_await errand::gather(text(), text());
  log(std::get<0>(both));
  const auto first = co_await errand::race(text(), errand::sleep(1h));
  log(std::get<0>(first.value()));
  errand::Future<const int> future;
  future.set_result(3);
  log(co_await future);
  expect("a ; a a ; a ; b ; a ; a ; a ; 3");
}
