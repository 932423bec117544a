// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>

#include "world.hpp"

namespace scenarios {

/// Tasks that wait for each other.
inline void meetings(World& world) {
  App& app = world.app();
  auto& event = world.keep<errand::Event>();
  auto& condition = world.keep<errand::Condition>();
  auto& barrier = world.keep<errand::Barrier>(3u);
  auto& ready = world.keep<int>(0);
  const auto work = [&event, &condition, &barrier, &ready, held = Tracked()]() -> Coro<> {
    const Tracked local;
    co_await event.wait();
    co_await barrier.wait();
    ++ready;
    condition.notify_one();
    const auto all = [&ready] { return ready == 3; };
    co_await condition.wait(all);
    condition.notify_all();
    held.use();
  };
  for (int i = 0; i < 3; ++i) app.add_task(work);
  auto cancelled = app.add_task([&condition, held = Tracked()]() -> Coro<> { co_await condition.wait(); });
  auto aborted = app.add_task([&event, held = Tracked()]() -> Coro<> { co_await event.wait(); });
  app.call_later(1ms, [cancelled, aborted, &event, held = Tracked()]() mutable {
    cancelled.cancel(why);
    event.set();
    aborted.abort();
  });
}

/// Guards and permits, which are held, handed on, forgotten, and dropped early. Some tasks want several permits.
inline void permits(World& world) {
  App& app = world.app();
  auto& lock = world.keep<errand::Lock>();
  auto& semaphore = world.keep<errand::Semaphore>(1u);
  auto& several = world.keep<errand::Semaphore>(3u);
  const auto work = [&lock, &semaphore, &several, held = Tracked()](nanoseconds delay) -> Coro<> {
    auto guard = co_await lock.acquire();
    const Tracked local;
    co_await errand::sleep(delay);
    const auto permit = co_await semaphore.acquire();
    guard.release();
    co_await errand::sleep(delay);
    auto two = co_await errand::race(several.acquire(2), errand::sleep(delay));
    if (two.index() == 0) std::get<0>(two.value()).forget();
    held.use();
  };
  const auto acquire = [&several, held = Tracked()](std::size_t n) -> Coro<> {
    const auto permits = co_await several.acquire(n);
    const Tracked local;
    co_await errand::sleep(1ms);
    held.use();
  };
  auto& acquires = world.keep<std::decay_t<decltype(acquire)>>(acquire);
  std::vector<Task<>> waits;
  for (const std::size_t n : {2u, 3u, 1u, 9u, 1u}) waits.push_back(app.add_task(acquires(n)));
  app.call_later(5ms, [waits]() mutable {
    waits[1].cancel(why);
    waits[3].abort();
  });
  auto& works = world.keep<std::decay_t<decltype(work)>>(work);
  std::vector<Task<>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(app.add_task(works(2ms)));
  app.call_later(1ms, [aborted = tasks[0], cancelled = tasks[2]]() mutable {
    cancelled.cancel();
    aborted.abort();
  });
  app.call_later(4ms, [cancelled = tasks[3]]() mutable { cancelled.cancel(why); });
}

/// A bounded queue of items whose move can fail. It is closed in the end.
inline void bounded_queue(World& world) {
  App& app = world.app();
  auto& queue = world.keep<errand::Queue<Heavy>>(2u);
  const auto put = [&world, &queue, held = Tracked()](int n) -> Coro<> {
    try {
      for (int i = 0; i < n; ++i) co_await queue.put(Heavy());
    } catch (const std::exception&) {
      world.count_error();
    }
    held.use();
  };
  const auto get = [&world, &queue, held = Tracked()]() -> Coro<> {
    try {
      for (;;) {
        const Heavy item = co_await queue.get();
        co_await errand::sleep(1ms);
        queue.task_done();
      }
    } catch (const std::exception&) {
      world.count_error();
    }
    held.use();
  };
  app.add_task([&queue, held = Tracked()]() -> Coro<> {
    while (const std::optional<Heavy> item = co_await queue.next()) {
      co_await errand::sleep(1ms);
      queue.task_done();
    }
    held.use();
  });
  auto& puts = world.keep<std::decay_t<decltype(put)>>(put);
  app.add_task(puts(4));
  app.add_task(puts(3));
  app.add_task(get);
  auto cancelled = app.add_task(puts(9));
  app.call_later(2ms, [cancelled]() mutable { cancelled.cancel(); });
  auto joiner = app.add_task([&queue, held = Tracked()]() -> Coro<> { co_await queue.join(); });
  app.call_later(20ms, [&queue, joiner, held = Tracked()]() mutable {
    queue.close();
    joiner.cancel();
  });
}

/// An unbounded queue. Its getters are aborted while an item is on its way to them.
inline void unbounded_queue(World& world) {
  App& app = world.app();
  auto& queue = world.keep<errand::Queue<Tracked>>();
  auto& heavy = world.keep<errand::Queue<Heavy>>();
  std::vector<Task<>> getters;
  for (int i = 0; i < 3; ++i) {
    getters.push_back(app.add_task([&queue, &heavy, held = Tracked()]() -> Coro<> {
      for (int n = 0; n < 3; ++n) {
        (co_await queue.get()).use();
        co_await heavy.next();
      }
    }));
  }
  app.call_later(1ms, [&queue, &heavy, getters, held = Tracked()]() mutable {
    for (int i = 0; i < 6; ++i) {
      queue.try_put(held);
      heavy.try_put(Heavy());
    }
    getters[0].abort();
    getters[1].cancel();
  });
  app.call_later(2ms, [&queue, &heavy, held = Tracked()] {
    queue.close();
    heavy.close();
  });
}

/// A Broadcast of items whose copy can fail, and signals, to subscribers with and without a capacity. One is aborted
/// when an item is on its way to it, and one ends while its task waits.
inline void subscriptions(World& world) {
  App& app = world.app();
  auto& broadcast = world.keep<errand::Broadcast<Heavy>>();
  const auto hear = [&world, &broadcast, held = Tracked()](std::size_t capacity, nanoseconds delay) -> Coro<> {
    try {
      auto mine = broadcast.subscribe(capacity);
      while (auto item = co_await mine.next()) {
        expect(item->value() == 1, "subscriptions: a wrong value");
        co_await errand::sleep(delay);
      }
    } catch (const std::exception&) {
      world.count_error();
    }
    held.use();
  };
  auto& hears = world.keep<std::decay_t<decltype(hear)>>(hear);
  std::vector<Task<>> tasks;
  for (std::size_t i = 0; i < 4; ++i) tasks.push_back(app.add_task(hears(i / 2, i % 2 * 3ms)));
  auto& late = world.keep<std::optional<errand::Subscription<errand::Signal>>>(app.subscribe("a.b.*"));
  app.add_task([&world, &late, held = Tracked()]() -> Coro<> {
    try {
      while (co_await late->next()) continue;
    } catch (const std::exception&) {
      world.count_error();
    }
    held.use();
  });
  app.add_task([&world, &app, &broadcast, &late, tasks, held = Tracked()]() mutable -> Coro<> {
    for (int i = 0; i < 4; ++i) {
      co_await errand::sleep(1ms);
      try {
        broadcast.send(Heavy());
        app.dispatch("a.b.c", held);
      } catch (const std::exception&) {
        world.count_error();
      }
      if (i == 1) tasks[0].abort();
      if (i == 2) tasks[1].cancel(why);
    }
    co_await errand::sleep(1ms);
    late.reset();
    broadcast.close();
  });
}

/// A Watch of a value whose copy can fail: tasks wait for a predicate that can fail, and a reader outlives it.
inline void watches(World& world) {
  App& app = world.app();
  auto& watch = world.keep<std::optional<errand::Watch<std::vector<Heavy>>>>(std::in_place, std::vector<Heavy>(1));
  std::vector<Task<>> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(app.add_task([&world, &watch, i, held = Tracked()]() -> Coro<> {
      try {
        int left = i;
        const auto is_met = [&left, held](const std::vector<Heavy>& value) {
          held.use();
          return value.at(0).value() == 1 && left-- == 0;
        };
        co_await watch->wait(is_met);
        if (!watch) co_return;
        auto reader = watch->reader();
        for (;;) co_await reader.next();
      } catch (const std::exception&) {
        world.count_error();
      }
      held.use();
    }));
  }
  app.add_task([&world, &watch, tasks, held = Tracked()]() mutable -> Coro<> {
    for (int i = 0; i < 4; ++i) {
      co_await errand::sleep(1ms);
      try {
        watch->set(std::vector<Heavy>(1));
      } catch (const std::exception&) {
        world.count_error();
      }
      if (i == 2) tasks[0].abort();
      if (i == 3) tasks[1].cancel(why);
    }
    watch.reset();
  });
}

/// Tasks that begin with copies of what the task has that adds them. The copies can fail.
inline void locals(World& world) {
  App& app = world.app();
  auto& local = world.keep<errand::TaskLocal<Heavy>>();
  auto& other = world.keep<errand::TaskLocal<Tracked>>();
  app.add_signal("a.b.c", [&local, held = Tracked()] {
    expect(local.get()->value() == 1, "locals: a wrong value in a handler");
    held.use();
  });
  app.add_task([&world, &app, &local, &other, held = Tracked()]() -> Coro<> {
    try {
      local.set(Heavy());
      other.set(held);
      const auto work = [&local, &other, held]() -> Coro<> {
        expect(local.get()->value() == 1, "locals: a wrong value");
        other.get()->use();
        other.set(held);
        co_await errand::sleep(1ms);
        held.use();
      };
      auto a = app.add_task(work), b = app.add_task(work, names[0]);
      auto c = errand::create_task(work);
      a.abort();
      b.cancel();
      co_await errand::wait_all(a, b, c);
      // Not a copy, whose move may throw: see tests/programs/throwing_argument.cpp.
      const auto of_group = [&work](errand::TaskGroup& group) -> Coro<> {
        group.add(work);
        group.add(work());
        co_return;
      };
      co_await errand::TaskGroup::run(of_group);
      errand::TaskScope scope(app);
      scope.add(work);
      app.dispatch("a.b.c");
      co_await errand::sleep(500us);
    } catch (const std::exception&) {
      world.count_error();
    }
  });
}

/// Futures that are set, that fail, that are cancelled, and that are destroyed while they are awaited.
inline void futures(World& world) {
  App& app = world.app();
  auto& value = world.keep<errand::Future<Heavy>>();
  auto& error = world.keep<errand::Future<>>();
  auto& cancelled = world.keep<errand::Future<int>>();
  auto& ended = world.keep<std::optional<errand::Future<>>>(std::in_place);
  for (int i = 0; i < 2; ++i) {
    app.add_task([&world, &value, &error, &cancelled, &ended, held = Tracked()]() -> Coro<> {
      expect((co_await value).value() == 1, "futures: a wrong value");
      try {
        co_await error;
      } catch (const std::exception&) {
        world.count_error();
      }
      try {
        co_await cancelled;
      } catch (const std::exception&) {
        world.count_error();
      }
      try {
        if (ended) co_await *ended;
      } catch (const std::exception&) {
        world.count_error();
      }
      held.use();
    });
  }
  app.add_task([&value, &cancelled, &ended, &error, held = Tracked()]() -> Coro<> {
    co_await errand::sleep(1ms);
    value.set_result(Heavy());
    co_await errand::sleep(1ms);
    error.set_exception(std::runtime_error("an error of a future, told at some length"));
    co_await errand::sleep(1ms);
    cancelled.cancel(why);
    co_await errand::sleep(1ms);
    ended.reset();
  });
}

/// All ways to wait for a time.
inline void times(World& world) {
  App& app = world.app();
  app.add_task([held = Tracked()]() -> Coro<> {
    auto interval = errand::every(2ms, errand::MissedTick::burst);
    for (int i = 0; i < 3; ++i) {
      co_await interval.tick();
      co_await errand::sleep(3ms);
    }
    co_await errand::sleep_until(errand::Clock::time_point(50ms));
    co_await errand::sleep(-1s);
    held.use();
  });
  std::vector<Task<>> sleepers;
  for (int i = 0; i < 40; ++i) sleepers.push_back(app.add_task(hold({}, std::chrono::milliseconds(i % 7))));
  app.call_later(3ms, [sleepers, held = Tracked()]() mutable {
    for (std::size_t i = 0; i < sleepers.size(); i += 3) sleepers[i].cancel();
  });
}

/// The wait that needs the 33rd timer. There is room for 32 timers from the start, so the 33rd one allocates.
enum class Crowd { sleep, callback, wait_for, event, wait_any, interval };
template <Crowd last>
void crowded(World& world) {
  App& app = world.app();
  std::vector<Task<>> tasks;
  const auto sleep = []() -> Coro<> { co_await errand::sleep(1h); };
  for (int i = 0; i < 32; ++i) tasks.push_back(app.add_task(sleep()));
  app.add_task([tasks, held = Tracked()](App& its_app) mutable -> Coro<> {
    const Tracked local;
    if constexpr (last == Crowd::sleep) {
      co_await errand::sleep(1ms);
    } else if constexpr (last == Crowd::callback) {
      its_app.call_later(1ms, [held] { held.use(); });
    } else if constexpr (last == Crowd::wait_for) {
      errand::Event never;
      try {
        co_await errand::wait_for(never.wait(), 1ms);
      } catch (const errand::TimeoutError&) {
      }
    } else if constexpr (last == Crowd::event) {
      try {
        co_await its_app.event("a.b.c", 1ms);
      } catch (const errand::TimeoutError&) {
      }
    } else if constexpr (last == Crowd::wait_any) {
      co_await errand::wait_any(tasks, 1ms);
    } else {
      auto interval = errand::every(1ms);
      co_await interval.tick();
      co_await interval.tick();
    }
    for (Task<>& task : tasks) task.cancel();
  });
}

/// An awaitable that does not belong to the library. A call of `resume` ends all waits for it.
class Foreign {
 public:
  Foreign() = default;
  Foreign(const Foreign&) = delete;
  ~Foreign() { resume(); }

  class Wait {
   public:
    explicit Wait(Foreign& foreign) : foreign_(foreign) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      held_.use();
      foreign_.waiting_.push_back(handle);
    }
    Heavy await_resume() const {
      held_.use();
      return Heavy();
    }

   private:
    Foreign& foreign_;
    Tracked held_;
  };
  Wait wait() { return Wait(*this); }
  void resume() {
    while (!waiting_.empty()) {
      const auto handle = waiting_.back();
      waiting_.pop_back();
      handle.resume();
    }
  }

 private:
  std::vector<std::coroutine_handle<>> waiting_;
};
inline void foreign(World& world) {
  App& app = world.app();
  auto& other = world.keep<Foreign>();
  const auto work = [&other, held = Tracked()]() -> Coro<> {
    const Tracked local;
    expect((co_await other.wait()).value() == 1, "foreign: a wrong value");
    held.use();
  };
  auto& tasks = world.keep<std::vector<Task<>>>();
  app.call_later(1ms, [&tasks] {
    if (tasks.size() < 3) return;
    tasks[1].abort();
    tasks[2].cancel(why);
  });
  app.call_later(3ms, [&other, held = Tracked()] {
    other.resume();
    held.use();
  });
  for (int i = 0; i < 3; ++i) tasks.push_back(app.add_task(work));
}

}  // namespace scenarios
