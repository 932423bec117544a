// SPDX-License-Identifier: MIT
// Tests of all members that only the App's thread may call. If another thread calls one of them while the App runs, the
// member throws WrongThread and changes nothing.
#include <functional>
#include <thread>

#include "real_fixture.hpp"

using errand::WrongThread;

namespace {

/// A list of calls. `failed` makes them on another thread, and returns the names of the calls that did not throw
/// WrongThread.
class Table {
 public:
  void add(std::string name, std::function<void()> call) { rows_.push_back({std::move(name), std::move(call)}); }
  std::string failed() {
    std::string names;
    std::thread([&] {
      for (const Row& row : rows_) {
        if (!is_refused(row.call)) names += row.name + " ";
      }
    }).join();
    return names;
  }

 private:
  struct Row {
    std::string name;
    std::function<void()> call;
  };
  static bool is_refused(const std::function<void()>& call) {
    try {
      call();
    } catch (const WrongThread&) {
      return true;
    } catch (...) {
    }
    return false;
  }

  std::vector<Row> rows_;
};

Coro<int> five() { co_return 5; }

/// A primitive of each kind, and for each primitive a task that waits for it.
struct Waited {
  explicit Waited(App& app) {
    full.try_put(1);
    joined.try_put(1);
    app.add_task([this]() -> Coro<> { co_await event.wait(); });
    app.add_task([this]() -> Coro<> { co_await empty.get(); });
    app.add_task([this]() -> Coro<> { co_await full.put(2); });
    app.add_task([this]() -> Coro<> { co_await joined.join(); });
    app.add_task([this]() -> Coro<> { const auto taken = co_await lock.acquire(); });
    app.add_task([this]() -> Coro<> { const auto taken = co_await semaphore.acquire(); });
    app.add_task([this]() -> Coro<> { co_await condition.wait(); });
    app.add_task([this]() -> Coro<> { co_await barrier.wait(); });
    app.add_task([this]() -> Coro<> { co_await future; });
    app.add_task([this]() -> Coro<> { co_await subscription.next(); });
    app.add_task([this]() -> Coro<> { co_await watch.wait([](int value) { return value > 1; }); });
  }

  errand::Event event;
  errand::Queue<int> empty, full{1}, joined;
  errand::Lock lock;
  std::optional<errand::Lock::Guard> guard = lock.try_acquire();
  errand::Semaphore semaphore{1};
  std::optional<errand::Semaphore::Permit> permit = semaphore.try_acquire();
  errand::Condition condition;
  errand::Barrier barrier{2};
  errand::Future<int> future;
  errand::Broadcast<int> broadcast;
  errand::Subscription<int> subscription = broadcast.subscribe();
  errand::Watch<int> watch{1};
  errand::Watch<int>::Reader reader = watch.reader();
};

}  // namespace

REAL_APP_TEST("every member of an App throws WrongThread on another thread") {
  app.add_task(five(), "five");
  Table table;
  table.add("add_task", [this] { app.add_task(five()); });
  table.add("add_task with a name", [this] { app.add_task(five(), "new"); });
  table.add("add_task of a callable", [this] { app.add_task([] { return 1; }); });
  table.add("get_task", [this] { app.get_task("five"); });
  table.add("find_task", [this] { app.find_task("five"); });
  table.add("cancel_task", [this] { (void)app.cancel_task("five"); });
  table.add("purge_tasks", [this] { app.purge_tasks(); });
  table.add("tasks", [this] { app.tasks(); });
  table.add("all_tasks", [this] { app.all_tasks(); });
  table.add("shutdown_tasks", [this] { (void)app.shutdown_tasks(1s); });
  table.add("run", [this] { app.run(); });
  table.add("run with options", [this] { app.run({.keep_alive = true}); });
  table.add("run of a main", [this] { app.run(five()); });
  table.add("poll", [this] { app.poll(); });
  table.add("next_deadline", [this] { (void)app.next_deadline(); });
  table.add("keep_alive", [this] { (void)app.keep_alive(); });
  table.add("call_soon", [this] { app.call_soon([] {}); });
  table.add("call_later", [this] { app.call_later(1s, [] {}); });
  table.add("call_at", [this] { app.call_at(errand::Clock::now(), [] {}); });
  table.add("add_listener", [this] { app.add_listener(errand::Phase::before_server_stop, [] {}); });
  table.add("before_server_start", [this] { app.before_server_start([] {}); });
  table.add("add_signal", [this] { app.add_signal("a.b.c", [] {}); });
  table.add("dispatch", [this] { app.dispatch("a.b.c"); });
  table.add("event", [this] { (void)app.event("a.b.c"); });
  table.add("event with a time-out", [this] { (void)app.event("a.b.c", 1s); });
  auto subscription = app.subscribe("a.b.c");
  table.add("subscribe", [this] { (void)app.subscribe("a.b.c"); });
  table.add("Subscription::next", [&] { (void)subscription.next(); });
  table.add("Subscription::try_next", [&] { (void)subscription.try_next(); });
  table.add("Subscription::lost", [&] { (void)subscription.lost(); });
  table.add("dump_tasks", [this] {
    std::ostringstream out;
    app.dump_tasks(out);
  });
  table.add("snapshot", [this] { app.snapshot(); });
  table.add("ctx().emplace", [this] { app.ctx().emplace<int>(1); });
  table.add("ctx().get", [this] { app.ctx().get<int>(); });
  table.add("ctx().find", [this] { app.ctx().find<int>(); });
  CHECK(table.failed().empty());
  CHECK(app.ctx().find<int>() == nullptr);
  CHECK(app.find_task("new") == Task<>());
  co_return;
}

REAL_APP_TEST("every member of a TaskScope throws WrongThread on another thread") {
  errand::TaskScope scope;
  scope.add([]() -> Coro<> { co_await errand::sleep(1h); });
  Table table;
  table.add("add", [&] { scope.add([] {}); });
  table.add("size", [&] { (void)scope.size(); });
  table.add("empty", [&] { (void)scope.empty(); });
  table.add("cancel", [&] { scope.cancel(); });
  CHECK(table.failed().empty());
  CHECK(scope.size() == 1);
  co_return;
}

REAL_APP_TEST("every member of a Timeout throws WrongThread on another thread") {
  errand::Timeout timeout(1h);
  Table table;
  table.add("reset", [&] { timeout.reset(); });
  table.add("reset with a duration", [&] { timeout.reset(0s); });
  table.add("expired", [&] { (void)timeout.expired(); });
  CHECK(table.failed().empty());
  CHECK(!timeout.expired());
  co_return;
}

REAL_APP_TEST("every member of a Task, a CallHandle and a TaskGroup throws WrongThread on another thread") {
  auto done = app.add_task(five());
  co_await done;
  auto pending = app.add_task([]() -> Coro<int> { co_return co_await errand::sleep(1h), 5; });
  auto handle = app.call_later(1h, [] {});
  const auto body = [&](errand::TaskGroup& group) -> Coro<> {
    Table table;
    table.add("id", [&] { (void)done.id(); });
    table.add("name", [&] { (void)done.name(); });
    table.add("status", [&] { (void)done.status(); });
    table.add("done", [&] { (void)done.done(); });
    table.add("cancelled", [&] { (void)done.cancelled(); });
    table.add("cancel of a done one", [&] { done.cancel(); });
    table.add("cancel", [&] { pending.cancel(); });
    table.add("abort", [&] { pending.abort(); });
    table.add("cancelling", [&] { (void)pending.cancelling(); });
    table.add("uncancel", [&] { pending.uncancel(); });
    table.add("result", [&] { (void)done.result(); });
    table.add("result of a pending one", [&] { (void)pending.result(); });
    table.add("result, moved out", [&] { (void)std::move(done).result(); });
    table.add("exception", [&] { (void)done.exception(); });
    table.add("what", [&] { (void)done.what(); });
    table.add("note", [&] { (void)pending.note(); });
    table.add("set_note", [&] { pending.set_note("no"); });
    table.add("add_done_callback", [&] { pending.add_done_callback([](Task<int>) {}); });
    table.add("CallHandle::cancel", [&] { handle.cancel(); });
    table.add("CallHandle::cancelled", [&] { (void)handle.cancelled(); });
    table.add("TaskGroup::add", [&] { group.add(five()); });
    CHECK(table.failed().empty());
    co_return;
  };
  co_await errand::TaskGroup::run(body);
  CHECK(done.result() == 5);
  CHECK(pending.cancelling() == 0);
  CHECK(pending.note().empty());
  CHECK_FALSE(handle.cancelled());
  CHECK(handle.cancel());
  pending.abort();
}

REAL_APP_TEST("every member of a primitive that a task waits for throws WrongThread on another thread") {
  Waited waited(app);
  co_await errand::sleep(1ms);
  Table table;
  table.add("Event::is_set", [&] { (void)waited.event.is_set(); });
  table.add("Event::set", [&] { waited.event.set(); });
  table.add("Event::clear", [&] { waited.event.clear(); });
  table.add("Event::wait", [&] { (void)waited.event.wait(); });
  table.add("Queue::try_put beside a getter", [&] { waited.empty.try_put(1); });
  table.add("Queue::try_put beside a putter", [&] { waited.full.try_put(1); });
  table.add("Queue::try_get beside a getter", [&] { waited.empty.try_get(); });
  table.add("Queue::try_get beside a putter", [&] { waited.full.try_get(); });
  table.add("Queue::size", [&] { (void)waited.empty.size(); });
  table.add("Queue::capacity", [&] { (void)waited.empty.capacity(); });
  table.add("Queue::full", [&] { (void)waited.empty.full(); });
  table.add("Queue::empty", [&] { (void)waited.full.empty(); });
  table.add("Queue::closed", [&] { (void)waited.joined.closed(); });
  table.add("Queue::close", [&] { waited.empty.close(); });
  table.add("Queue::task_done", [&] { waited.joined.task_done(); });
  table.add("Queue::join", [&] { (void)waited.joined.join(); });
  table.add("Lock::locked", [&] { (void)waited.lock.locked(); });
  table.add("Lock::acquire", [&] { (void)waited.lock.acquire(); });
  table.add("Lock::try_acquire", [&] { (void)waited.lock.try_acquire(); });
  table.add("Lock::Guard::release", [&] { waited.guard->release(); });
  table.add("Semaphore::acquire", [&] { (void)waited.semaphore.acquire(); });
  table.add("Semaphore::try_acquire", [&] { (void)waited.semaphore.try_acquire(); });
  table.add("Semaphore::release", [&] { waited.semaphore.release(); });
  table.add("Semaphore::Permit::release", [&] { waited.permit->release(); });
  table.add("Semaphore::available", [&] { (void)waited.semaphore.available(); });
  table.add("Semaphore::Permit::forget", [&] { waited.permit->forget(); });
  table.add("Condition::wait", [&] { (void)waited.condition.wait(); });
  table.add("Condition::wait for", [&] { (void)waited.condition.wait([] { return true; }); });
  table.add("Condition::notify_one", [&] { waited.condition.notify_one(); });
  table.add("Condition::notify_all", [&] { waited.condition.notify_all(); });
  table.add("Barrier::wait", [&] { (void)waited.barrier.wait(); });
  table.add("Future::set_result", [&] { waited.future.set_result(1); });
  table.add("Future::set_exception", [&] { waited.future.set_exception(runtime_error("no")); });
  table.add("Future::cancel", [&] { waited.future.cancel(); });
  table.add("Future::done", [&] { (void)waited.future.done(); });
  table.add("Future::cancelled", [&] { (void)waited.future.cancelled(); });
  table.add("Future::result", [&] { (void)waited.future.result(); });
  table.add("Future::result, moved out", [&] { (void)std::move(waited.future).result(); });
  table.add("Future::exception", [&] { (void)waited.future.exception(); });
  table.add("Broadcast::send", [&] { waited.broadcast.send(1); });
  table.add("Broadcast::subscribe", [&] { (void)waited.broadcast.subscribe(); });
  table.add("Broadcast::close", [&] { waited.broadcast.close(); });
  table.add("Subscription::next", [&] { (void)waited.subscription.next(); });
  table.add("Subscription::try_next", [&] { (void)waited.subscription.try_next(); });
  table.add("Subscription::lost", [&] { (void)waited.subscription.lost(); });
  table.add("Watch::get", [&] { (void)waited.watch.get(); });
  table.add("Watch::set", [&] { waited.watch.set(2); });
  table.add("Watch::update", [&] { waited.watch.update([](int& value) { value = 2; }); });
  table.add("Watch::wait", [&] { (void)waited.watch.wait([](int) { return true; }); });
  table.add("Watch::reader", [&] { (void)waited.watch.reader(); });
  table.add("Watch::Reader::next", [&] { (void)waited.reader.next(); });
  table.add("the await of a next", [&] {
    App other;
    other.run(
        [](errand::Subscription<int>& subscription) -> Coro<> { co_await subscription.next(); }(waited.subscription));
  });
  table.add("the await of a Watch", [&] {
    App other;
    other.run([](errand::Watch<int>& watch) -> Coro<> { co_await watch.wait([](int) { return true; }); }(waited.watch));
  });
  table.add("the await of a put", [&] {
    App other;
    other.run([](errand::Queue<int>& queue) -> Coro<> { co_await queue.put(1); }(waited.empty));
  });
  table.add("the await of a get", [&] {
    App other;
    other.run([](errand::Queue<int>& queue) -> Coro<> { co_await queue.get(); }(waited.full));
  });
  table.add("the await of a get beside another", [&] {
    App other;
    other.run([](errand::Queue<int>& queue) -> Coro<> { co_await queue.get(); }(waited.empty));
  });
  table.add("the await of a next", [&] {
    App other;
    other.run([](errand::Queue<int>& queue) -> Coro<> { co_await queue.next(); }(waited.full));
  });
  table.add("the await of a next beside a getter", [&] {
    App other;
    other.run([](errand::Queue<int>& queue) -> Coro<> { co_await queue.next(); }(waited.empty));
  });
  CHECK(table.failed().empty());

  CHECK_FALSE(waited.event.is_set());
  CHECK(waited.full.size() == 1);
  CHECK_FALSE(waited.empty.closed());
  CHECK(waited.lock.locked());
  CHECK_FALSE(waited.semaphore.try_acquire());
  CHECK_FALSE(waited.future.done());
  CHECK_FALSE(waited.subscription.try_next());
  CHECK(waited.watch.get() == 1);
  for (Task<>& task : app.all_tasks()) {
    if (task != current_task()) task.abort();
  }
}

REAL_APP_TEST("what was handed over and not picked up yet belongs to the App's thread too") {
  errand::Semaphore semaphore(0);
  errand::Queue<int> queue;
  auto permit = app.add_task([&]() -> Coro<> { const auto taken = co_await semaphore.acquire(); });
  auto item = app.add_task([&]() -> Coro<int> { co_return co_await queue.get(); });
  errand::Broadcast<int> broadcast;
  auto mine = broadcast.subscribe();
  auto news = app.add_task([&]() -> Coro<int> {
    const auto sent = co_await mine.next();
    co_return sent.value();
  });
  co_await errand::sleep(1ms);
  semaphore.release();
  queue.try_put(1);
  broadcast.send(3);
  Table table;
  table.add("Semaphore::release", [&] { semaphore.release(); });
  table.add("Queue::try_put", [&] { queue.try_put(2); });
  table.add("Broadcast::send", [&] { broadcast.send(2); });
  CHECK(table.failed().empty());
  co_await permit;
  const int one = co_await item, three = co_await news;
  CHECK(one == 1);
  CHECK(three == 3);
}

TEST_CASE("while no App is inside run or poll, any single thread may use handles and primitives") {
  App app;
  Waited waited(app);
  auto done = app.add_task(five());
  while (!done.done()) app.poll();
  auto handle = app.call_later(1h, [] {});
  int result = 0;
  bool cancelled = false;
  std::thread([&] {
    result = done.result();
    waited.event.set();
    waited.broadcast.send(1);
    waited.watch.set(2);
    waited.semaphore.release();
    cancelled = handle.cancel() && handle.cancelled();
    app.add_task(five(), "five");
  }).join();
  CHECK(result == 5);
  CHECK(cancelled);
  CHECK(app.find_task("five"));
}

TEST_CASE("a CallHandle that outlives its App can still be read") {
  errand::CallHandle handle;
  {
    App app;
    handle = app.call_later(1h, [] {});
  }
  CHECK(handle.cancelled());
  CHECK_FALSE(handle.cancel());
}
