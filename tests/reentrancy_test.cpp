// SPDX-License-Identifier: MIT
// Tests of code of the user's that runs in the middle of a call of the library: the copy, the move and the destructor
// of a value, an item or a callable. This code may use the future or the queue that is about to take the value.
#include <functional>
#include <thread>

#include "support.hpp"

using errand::Future;
using errand::Queue;

namespace {

/// Calls its hook, if it has one, when it is copied or moved. A copy has no hook. Counts how many objects exist.
class Hooked {
 public:
  explicit Hooked(int its_number, std::function<void()> hook = {}) : number(its_number), hook_(std::move(hook)) {
    ++alive;
  }
  Hooked(const Hooked& other) : number(other.number) {
    ++alive;
    other.call();
  }
  ~Hooked() { --alive; }
  Hooked& operator=(const Hooked&) = delete;

  const int number;
  static inline int alive = 0;

 private:
  void call() const {
    if (const auto hook = std::exchange(hook_, {})) {
      try {
        hook();
      } catch (...) {
        --alive;
        throw;
      }
    }
  }
  mutable std::function<void()> hook_;
};

Coro<> sleeps() { co_await errand::sleep(1h); }

struct NoValuesLeft {
  ~NoValuesLeft() { CHECK(Hooked::alive == 0); }
};

}  // namespace

APP_TEST("of two setters of a future, one in the copy of the other's value, the outer one sets it") {
  const NoValuesLeft check;
  Future<Hooked> future;
  auto shared = Future<Hooked>::shared();
  const Hooked inner(2);
  const Hooked outer(1, [&] {
    log(future.set_result(inner), future.set_exception(runtime_error("no")), future.cancel(), future.done());
  });
  const Hooked shared_outer(3, [&] {
    log(shared.set_result(inner), shared.set_exception(runtime_error("no")), shared.cancel(), shared.done());
  });
  log(future.set_result(outer));
  log(shared.set_result(shared_outer));
  log((co_await future).number, (co_await shared).number);
  expect("false false false false ; true ; false false false false ; true ; 1 3");
}

APP_TEST("a future whose value's copy throws is not set, and can be set again") {
  const NoValuesLeft check;
  Future<Hooked> future;
  auto shared = Future<Hooked>::shared();
  const Hooked bad(1, [] { throw runtime_error("copy"); }), shared_bad(1, [] { throw runtime_error("copy"); }), good(2);
  CHECK_THROWS_WITH(future.set_result(bad), "copy");
  CHECK_THROWS_WITH(shared.set_result(shared_bad), "copy");
  log(future.done(), shared.done());
  log(future.set_result(good), shared.set_result(good));
  log((co_await future).number, (co_await shared).number);
  expect("false false ; true true ; 2 2");
}

APP_TEST("the copy of a value may end the tasks that wait for it") {
  const NoValuesLeft check;
  Future<Hooked> future;
  auto shared = Future<Hooked>::shared();
  Task<> one = add([&]() -> Coro<> { co_await future; }), other = add([&]() -> Coro<> { co_await shared; });
  co_await errand::yield();
  const Hooked value(1, [&] { one.abort(); }), shared_value(2, [&] { other.abort(); });
  log(future.set_result(value), shared.set_result(shared_value));
  log(one.cancelled(), other.cancelled());
  expect("true true ; true true");
}

TEST_CASE("a thread that sets a shared future waits for the one that is setting it") {
  auto future = Future<Hooked>::shared();
  std::thread thread;
  int set = 0;
  const Hooked other(2);
  const Hooked slow(1, [&] {
    thread = std::thread([&] { set += future.set_result(other); });
    std::this_thread::sleep_for(5ms);
    throw runtime_error("copy");
  });
  CHECK_THROWS_WITH(future.set_result(slow), "copy");
  thread.join();
  CHECK(set == 1);
  CHECK(future.done());
}

APP_TEST("a null exception_ptr is refused, and the future can still be set") {
  Future<int> future;
  const auto shared = Future<int>::shared();
  CHECK_THROWS_AS(future.set_exception(std::exception_ptr()), InvalidState);
  CHECK_THROWS_AS(future.set_exception(nullptr), InvalidState);
  CHECK_THROWS_AS(shared.set_exception(std::exception_ptr()), InvalidState);
  log(future.done(), shared.done());
  log(future.set_result(1), shared.set_result(2));
  CHECK_THROWS_AS(future.set_exception(std::exception_ptr()), InvalidState);
  log(co_await future, co_await shared);
  expect("false false ; true true ; 1 2");
}

APP_TEST("a handle of a shared future that was moved from throws InvalidState") {
  auto future = Future<int>::shared();
  const auto other = std::move(future);
  CHECK_THROWS_AS(future.set_result(1), InvalidState);
  CHECK_THROWS_AS(future.done(), InvalidState);
  bool refused = false;
  try {
    co_await future;
  } catch (const InvalidState&) {
    refused = true;
  }
  CHECK(refused);
  CHECK(other.set_result(1));
}

APP_TEST("the move of an item may use its queue") {
  const NoValuesLeft check;
  Queue<Hooked> queue;
  queue.try_put(Hooked(1, [&] { queue.try_put(Hooked(2)); }));  // runs in the middle of a put
  queue.try_put(Hooked(3));
  log(queue.size());
  for (int i = 0; i < 3; ++i) log(queue.try_get()->number);

  struct Item {
    Item(int n, std::function<void()>& f) : number(n), moved(&f) {}
    Item(Item&& other) : number(other.number), moved(other.moved) {
      if (const auto hook = std::exchange(*moved, {})) hook();
    }
    int number;
    std::function<void()>* moved;
  };
  Queue<Item> items;
  std::function<void()> in_move;
  items.try_put(Item(4, in_move));
  items.try_put(Item(5, in_move));
  in_move = [&] { log("inner", items.try_get()->number); };  // runs in the middle of a get
  log("outer", items.try_get()->number);
  log(items.size());
  expect("3 ; 2 ; 1 ; 3 ; inner 5 ; outer 4 ; 0");
  co_return;
}

APP_TEST("the move of an item to a waiting getter, or out of a waiting putter, may use the queue") {
  const NoValuesLeft check;
  Queue<Hooked> queue;
  const auto get = [&](int getter) -> Coro<> {
    const Hooked item = co_await queue.get();
    log("getter", getter, item.number);
  };
  auto one = add(get(1)), two = add(get(2));
  co_await errand::yield();
  queue.try_put(Hooked(1, [&] { queue.try_put(Hooked(2)); }));
  co_await one;
  co_await two;

  Queue<Hooked> full(1);
  full.try_put(Hooked(3));
  const Hooked fourth(4, [&] { log("inner", full.try_get()->number); });
  auto putter = add([&]() -> Coro<> { co_await full.put(fourth); });
  co_await errand::yield();
  log(full.try_get().has_value());
  log(full.size());
  co_await putter;
  CHECK(log.text().find("getter 1") != std::string::npos);
  CHECK(log.text().find("getter 2") != std::string::npos);
}

APP_TEST("the destructor of an item that is left in a queue may use the queue, which is closed then") {
  struct Item {
    explicit Item(std::function<void()> its_end) : end(std::move(its_end)) {}
    Item(Item&& other) noexcept : end(std::exchange(other.end, {})) {}
    ~Item() {
      if (end) end();
    }
    std::function<void()> end;
  };
  {
    Queue<Item> queue;
    queue.try_put(Item([&] {
      queue.task_done();
      log("first", queue.closed(), queue.size());
      log(queue.try_put(Item([&] { log("refused"); })));
    }));
    queue.try_put(Item([&] { log("second", queue.size()); }));
  }
  expect("first true 1 ; false ; refused ; second 0");
  co_return;
}

APP_TEST("the constructor of what goes into the context may emplace others, and of the same type only one stays") {
  struct Twice {
    Twice(App& app, int depth) {
      if (depth > 0) app.ctx().emplace<Twice>(app, depth - 1);
    }
  };
  CHECK_THROWS_AS(app.ctx().emplace<Twice>(app, 1), InvalidState);
  CHECK(app.ctx().find<Twice>() != nullptr);
  co_return;
}

APP_TEST("a name that the move of the callable has given away is in use") {
  struct Work {
    explicit Work(App& its_app) : app(&its_app) {}
    Work(const Work& other) : app(other.app) { app->add_task(sleeps(), "name"); }
    Work(Work&& other) noexcept : app(other.app) {}
    int operator()() const { return 1; }
    App* app;
  };
  const Work work(app);
  CHECK_THROWS_AS(app.add_task(work, "name"), errand::TaskNameInUse);
  app.get_task("name").abort();
  co_return;
}

APP_TEST("a generator that is dropped while it runs gives the value all the same") {
  struct Value {
    explicit Value(Task<>& its_task) : task(&its_task) {}
    Value(Value&& other) noexcept : task(other.task) {
      if (*task) task->abort();
    }
    Task<>* task;
  };
  Task<> other = add([]() -> Coro<> { co_await errand::sleep(1h); });
  std::optional<errand::AsyncGenerator<Value>> generator;
  const auto values = [&]() -> errand::AsyncGenerator<Value> {
    generator.reset();
    co_yield Value(other);
    log("not reached");
  };
  co_await errand::yield();
  generator.emplace(values());
  const auto value = co_await generator->next();
  log(value.has_value(), other.cancelled());
  expect("true true");
}

APP_TEST("the move of an item may end the getter that it is for, and a putter: the item goes to the next") {
  struct Item {
    Item(int its_number, std::function<void()> its_act) : number(its_number), act(std::move(its_act)) {}
    Item(Item&& other) noexcept : number(other.number), act(std::exchange(other.act, nullptr)) {
      if (const auto run = std::exchange(act, nullptr)) run();
    }
    int number;
    std::function<void()> act;
  };
  enum class Way { cancel, abort, scope };
  for (const Way way : {Way::cancel, Way::abort, Way::scope}) {
    log.clear();
    errand::Queue<Item> queue;
    auto scope = std::make_unique<errand::TaskScope>();
    const auto get = [&]() -> Coro<> { log((co_await queue.get()).number); };
    auto first = scope->add(get);
    const auto second = add(get);
    co_await errand::yield();
    co_await errand::yield();
    queue.try_put(Item(1, [&] {
      if (way == Way::cancel) first.cancel();
      if (way == Way::abort) first.abort();
      if (way == Way::scope) scope.reset();
    }));
    co_await second;
    co_await errand::wait_all(first);
    log(first.status());
    expect("1 ; cancelled");
  }
}
