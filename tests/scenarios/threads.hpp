// SPDX-License-Identifier: MIT
#pragma once

#include <future>
#include <stop_token>
#include <thread>

#include "world.hpp"

namespace scenarios {

/// A thread that is joined by its destructor.
class Joined {
 public:
  template <class F>
  explicit Joined(F&& f) : thread_(std::forward<F>(f)) {}
  ~Joined() { thread_.join(); }

 private:
  std::thread thread_;
};

/// Tasks make thread calls that use an object, and the tasks end together with the object.
inline void scoped_calls(World& world) {
  App& app = world.app();
  app.add_task([held = Tracked()](App& on) -> Coro<> {
    for (const bool is_closed : {false, true}) {
      const Tracked used(Tracked::anywhere);
      errand::TaskScope scope(on);
      const auto call = [&used] {
        std::this_thread::sleep_for(2ms);
        used.use();
      };
      scope.add([&call]() -> Coro<> { co_await errand::to_thread(call); });
      auto aborted =
          scope.add([&call]() -> Coro<> { co_await errand::gather(errand::to_thread(call), errand::sleep(1h)); });
      const errand::ScopedTask scoped{on.add_task([&call]() -> Coro<> { co_await errand::to_thread(call); })};
      co_await errand::sleep(1ms);
      aborted.abort(why);
      if (is_closed) co_await scope.close(why);
    }
    held.use();
  });
}

/// Calls on threads: with results, with errors, asked to end, timed out, aborted, and abandoned.
inline void thread_calls(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()]() -> Coro<> {
    const Tracked travels(Tracked::anywhere);
    const auto call = [travels](Tracked argument) {
      argument.use();
      return argument.value();
    };
    expect(co_await errand::to_thread(call, travels) == 1, "thread_calls: a wrong result");
    const auto fails = [held]() -> Heavy {
      held.use();
      throw std::runtime_error("an error of a thread");
    };
    co_await settle(world, errand::to_thread(fails));
    held.use();
  });
  const auto slow = [](const Tracked& local, bool fails) {
    return [&local, fails] {
      std::this_thread::sleep_for(2ms);
      local.use();
      if (fails) throw std::runtime_error("an error of a thread after a request");
    };
  };
  auto asked = app.add_task([&world, slow]() -> Coro<> {
    const Tracked local(Tracked::anywhere);
    const auto call = slow(local, true);
    co_await settle(world, errand::gather(errand::to_thread(call), errand::sleep(3ms)));
    co_await settle(world, errand::wait_for(errand::to_thread(call), 1ms));
  });
  auto aborted = app.add_task([slow]() -> Coro<> {
    const Tracked local(Tracked::anywhere);
    const auto body = [&](errand::TaskGroup& group) -> Coro<> {
      group.add([&]() -> Coro<> { co_await errand::to_thread(slow(local, false)); });
      group.add(give(Tracked(), 1, 3ms));
      co_return;
    };
    co_await errand::TaskGroup::run(body);
  });
  auto abandoned = app.add_task([held = Tracked()]() -> Coro<> {
    const auto call = [held](const Tracked& argument) {
      std::this_thread::sleep_for(2ms);
      argument.use();
      held.use();
    };
    co_await errand::to_thread(errand::abandon, call, Tracked(Tracked::anywhere));
  });
  app.call_later(1ms, [asked, aborted, abandoned]() mutable {
    asked.cancel(why);
    aborted.abort(why);
    abandoned.cancel(why);
  });
}

/// Work that another thread submits and posts, while a KeepAlive holds the App.
inline void submitted(World& world) {
  App& app = world.app();
  auto& alive = world.keep<errand::KeepAlive>(app.keep_alive());
  world.keep<Joined>([&app, &alive, &world] {
    try {
      auto future = app.submit(
          [held = Tracked(Tracked::anywhere)]() -> Coro<int> {
            co_await errand::yield();
            held.use();
            co_return 1;
          },
          names[0]);
      app.submit(give(Tracked(Tracked::anywhere), 2, 1h), names[1]);
      app.post([held = Tracked(Tracked::anywhere)] { held.use(); });
    } catch (...) {
      world.count_error();
    }
    alive.release();
  });
  app.call_later(5ms, [&app] { app.stop(); });
}

/// A future that another thread sets, and one whose last setter goes with that thread.
inline void shared_future(World& world) {
  App& app = world.app();
  const auto future = errand::Future<Heavy>::shared();
  const auto never = errand::Future<>::shared();
  const auto given_up = errand::Future<Heavy>::shared();
  auto& thread = world.keep<std::optional<Joined>>();
  app.add_task([&world, &thread, future, never, given_up, held = Tracked()]() -> Coro<> {
    thread.emplace([&world, future, setter = given_up.setter()]() mutable {
      try {
        expect(future.set_result(Heavy()), "shared_future: done already");
      } catch (...) {
        world.count_error();
        future.cancel();
      }
      const auto last = std::move(setter);
    });
    co_await settle(world, future);
    co_await settle(world, given_up);
    co_await settle(world, errand::wait_for(never, 1ms));
    held.use();
  });
}

/// Two workers. A listener, a handler and a task are copied for each of them.
inline void workers(World& world) {
  App& app = world.app();
  app.before_server_start([held = Tracked(Tracked::anywhere)] { held.use(); });
  app.add_signal("a.b.c", [held = Tracked(Tracked::anywhere)] { held.use(); });
  app.before_server_stop(errand::once([held = Tracked()] { held.use(); }));
  app.add_task(
      [held = Tracked(Tracked::anywhere)](App& its_app) -> Coro<> {
        const Tracked local;
        its_app.dispatch("a.b.c");
        co_await errand::sleep(1ms);
        held.use();
        its_app.stop();
      },
      names[0]);
}
inline void run_workers(World& world) { world.app().run({.workers = 2}); }

}  // namespace scenarios
