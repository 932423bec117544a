// SPDX-License-Identifier: MIT
#include <memory>
#include <set>
#include <thread>

#include "real_fixture.hpp"

using support::Notes;
using Numbers = std::vector<unsigned>;

namespace {

/// Notes the thread on which it is copied, and whether it is destroyed on the thread on which it was called.
class Tracked {
 public:
  Tracked(Notes<std::thread::id>& copied, Notes<bool>& destroyed) : copied_(copied), destroyed_(destroyed) {}
  Tracked(const Tracked& other) : copied_(other.copied_), destroyed_(other.destroyed_) {
    copied_(std::this_thread::get_id());
  }
  ~Tracked() {
    if (called_in_ != std::thread::id()) destroyed_(called_in_ == std::this_thread::get_id());
  }
  void operator()() { called_in_ = std::this_thread::get_id(); }

 private:
  Notes<std::thread::id>& copied_;
  Notes<bool>& destroyed_;
  std::thread::id called_in_;
};

}  // namespace

REAL_PLAIN_TEST("each worker has an App of its own, of the same name, with own tasks and an own ctx") {
  Notes<unsigned> workers;
  Notes<App*> apps;
  Notes<std::thread::id> threads;
  Notes<bool> right;
  app.add_task(
      [&](App& own) {
        workers(own.worker());
        apps(&own);
        threads(std::this_thread::get_id());
        own.ctx().emplace<unsigned>(own.worker());
        right(&App::current() == &own && own.name() == "app" && own.get_task("t") == current_task());
      },
      "t");
  app.run({.workers = 3});
  CHECK(workers.sorted() == Numbers{0, 1, 2});
  const auto all_apps = apps.all();
  CHECK(std::set(all_apps.begin(), all_apps.end()).size() == 3);
  CHECK(std::count(all_apps.begin(), all_apps.end(), &app) == 1);
  const auto all_threads = threads.all();
  CHECK(std::set(all_threads.begin(), all_threads.end()).count(std::this_thread::get_id()) == 1);
  CHECK(right.all() == std::vector(3, true));
  CHECK(app.ctx().get<unsigned>() == 0);
}

TEST_CASE("callables are copied in the calling thread, and each copy is destroyed on its worker") {
  Notes<std::thread::id> copied;
  Notes<bool> destroyed;
  {
    App app("app");
    const Tracked tracked(copied, destroyed);
    app.add_task(tracked);
    app.after_server_start(tracked);
    app.add_signal("server.init.after", tracked);
    app.run({.workers = 3});
  }
  const auto threads = copied.all();
  CHECK(threads.size() >= 9);
  CHECK(std::set(threads.begin(), threads.end()) == std::set{std::this_thread::get_id()});
  CHECK(destroyed.all() == std::vector(9, true));
}

REAL_PLAIN_TEST("once is for worker 0 alone, and takes what cannot be copied") {
  Notes<unsigned> tasks, listeners, handlers;
  const auto noting = [](Notes<unsigned>& notes) {
    return errand::once([&notes, owned = std::make_unique<int>(1)] { notes(App::current().worker()); });
  };
  app.add_task(noting(tasks));
  app.before_server_start(noting(listeners));
  app.after_server_stop(noting(listeners));
  app.add_signal("server.init.after", noting(handlers));
  app.run({.workers = 3});
  CHECK(tasks.all() == Numbers{0});
  CHECK(listeners.all() == Numbers{0, 0});
  CHECK(handlers.all() == Numbers{0});
}

REAL_PLAIN_TEST("a task that cannot be copied runs on worker 0 alone") {
  Notes<unsigned> workers;
  app.add_task([&workers, owned = std::make_unique<int>(1)](App& own) { workers(own.worker()); });
  app.run({.workers = 3});
  CHECK(workers.all() == Numbers{0});
}

TEST_CASE("a listener or a handler that cannot be copied is InvalidState with several workers, and runs with one") {
  int called = 0;
  auto listener = [&called, owned = std::make_unique<int>(1)] { ++called; };
  auto handler = [&called, owned = std::make_unique<int>(1)] { ++called; };
  App with_listener, with_handler;
  with_listener.before_server_start(std::move(listener));
  with_handler.add_signal("server.init.after", std::move(handler));
  for (App* app : {&with_listener, &with_handler}) {
    CHECK_THROWS_AS(app->run({.workers = 2}), InvalidState);
    CHECK(called == 0);
    app->run();
    CHECK(std::exchange(called, 0) == 1);
  }
}

REAL_PLAIN_TEST("handlers are each worker's own") {
  Notes<unsigned> called;
  Notes<int> counts;
  app.add_signal("a.b.c", [&, count = 0]() mutable {
    called(App::current().worker());
    counts(++count);
  });
  app.after_server_start([](App& own) { own.dispatch("a.b.c"); });
  app.run({.workers = 3});
  CHECK(called.sorted() == Numbers{0, 1, 2});
  CHECK(counts.all() == std::vector{1, 1, 1});
}

TEST_CASE("0 workers, and several with a ManualClock or a Reactor, are InvalidState") {
  struct NoReactor : errand::Reactor {
    void wait(std::optional<errand::Clock::time_point>) override {}
    void wake() noexcept override {}
  } reactor;
  errand::ManualClock clock;
  App plain("plain"), manual("manual", {.clock = &clock}), reacting("reacting", {.reactor = &reactor});
  CHECK_THROWS_AS(plain.run({.workers = 0}), InvalidState);
  CHECK_THROWS_AS(manual.run({.workers = 2}), InvalidState);
  CHECK_THROWS_AS(reacting.run({.workers = 2}), InvalidState);
  for (App* app : {&plain, &manual, &reacting}) {
    auto task = app->add_task([] { return 1; });
    app->run({.workers = 1});
    CHECK(task.result() == 1);
  }
}

REAL_PLAIN_TEST("run returns when all workers have ended, main_process_stop comes after them, and it may be repeated") {
  Notes<unsigned> slept, ended_before;
  app.before_server_start([&](App& own) {
    own.add_task([&slept, worker = own.worker()]() -> Coro<> {
      co_await errand::sleep(worker * 10ms);
      slept(worker);
    });
  });
  app.main_process_stop([&] { ended_before(unsigned(slept.all().size())); });
  app.run({.workers = 3});
  app.run({.workers = 2});
  CHECK(slept.sorted() == Numbers{0, 0, 1, 1, 2});
  CHECK(ended_before.all() == Numbers{3, 5});
}

REAL_PLAIN_TEST("on_failure is never called by two workers at once") {
  app.before_server_start([](App& own) {
    for (int i = 0; i < 100; ++i) own.add_task([] { throw runtime_error("task"); });
  });
  app.run({.workers = 3});
  CHECK(reports.size() == 300);
}

TEST_CASE("Apps that several threads make and destroy at once enter and leave the list of all loops") {
  using Place = errand::detail::Loops::Place;
  const auto places = [] {
    std::vector<const Place*> all;
    for (const Place* each = errand::detail::all_loops.first; each; each = each->next) {
      CHECK((each->prev ? each->prev->next : errand::detail::all_loops.first) == each);
      all.push_back(each);
    }
    return all;
  };
  const auto before = places();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 50; ++n) {
        const App first, second;
        const auto third = std::make_unique<App>();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(places() == before);
  {
    const App one, other;
    CHECK(places().size() == before.size() + 2);
  }
  CHECK(places() == before);
}
