// SPDX-License-Identifier: MIT
#pragma once

#include "world.hpp"

namespace scenarios {

/// Gathers coroutines, tasks and awaitables. One of them fails.
inline void gathers(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()](App& its_app) -> Coro<> {
    auto task = its_app.add_task(give({}, 3, 5ms));
    const auto [a, b, c] = co_await errand::gather(give({}, 1, 1ms), make<Heavy>(2ms), task);
    expect(a + b.value() + c == 5, "gathers: a wrong sum");
    co_await settle(world, errand::gather(tidy({}, 1h), fail({}, 1ms), hold({}, 1h), errand::sleep(1h)));
    std::vector<Coro<int>> many;
    for (int i = 0; i < 4; ++i) many.push_back(give({}, i, 1ms * i));
    const std::vector<int> all = co_await errand::gather(std::move(many));
    expect(all.back() == 3, "gathers: a wrong order");
    held.use();
  });
  auto cancelled = app.add_task([held = Tracked()]() -> Coro<> {
    co_await errand::gather(tidy({}, 1h), errand::gather(tidy({}, 1h), hold({}, 1h)), give({}, 1, 1h));
  });
  app.call_later(3ms, [cancelled]() mutable { cancelled.cancel(why); });
  auto before_it_starts = app.add_task([held = Tracked()]() -> Coro<> {
    errand::current_task().cancel(why);
    co_await errand::gather(tidy({}, 1h), give({}, 1, 1h));
  });
  world.keep<Task<>>(before_it_starts);
}

/// gather_settled, with results and errors, and asked to end.
inline void settled(World& world) {
  App& app = world.app();
  auto work = app.add_task([&world, held = Tracked()]() -> Coro<> {
    auto [a, b, c] = co_await errand::gather_settled(give({}, 1, 1ms), fail({}, 2ms), make<Heavy>(0s));
    if (b.exception()) world.count_error(b.exception());
    if (a.exception()) world.count_error(a.exception());
    if (c.exception()) world.count_error(c.exception());
    std::vector<Coro<>> many;
    many.push_back(tidy({}, 1h));
    many.push_back(fail({}, 1ms));
    many.push_back(hold({}, 1h));
    co_await errand::gather_settled(std::move(many));
    held.use();
  });
  app.call_later(10ms, [work]() mutable { work.cancel(why); });
}

/// Races: the first branch decides. The others may still give a value or throw.
inline void races(World& world) {
  App& app = world.app();
  auto& queue = world.keep<errand::Queue<Heavy>>();
  auto& event = world.keep<errand::Event>();
  app.add_task([&world, &queue, &event, held = Tracked()](App& its_app) -> Coro<> {
    const auto first = co_await errand::race(tidy({}, 1h), give({}, 1, 1ms));
    expect(first.index() == 1, "races: another winner");
    its_app.call_later(1ms, [&queue] { queue.try_put(Heavy()); });
    const auto decided = co_await errand::race(queue.get(), event.wait(), its_app.event("a.b.c"));
    expect(decided.index() == 0, "races: the queue should have won");
    std::vector<Coro<Heavy>> many;
    for (int i = 0; i < 3; ++i) many.push_back(make<Heavy>(1ms * (3 - i)));
    const auto last = co_await errand::race(std::move(many));
    expect(last.index() == 2, "races: another winner of many");
    const auto loser = []() -> Coro<> {
      try {
        co_await errand::sleep(1h);
      } catch (const Cancelled&) {
        throw std::runtime_error("a loser that fails in its clean-up");
      }
    };
    co_await settle(world, errand::race(loser(), hold({}, 1ms), loser()));
    held.use();
  });
}

/// Combinators that only observe tasks.
inline void observers(World& world) {
  App& app = world.app();
  auto a = app.add_task(give({}, 1, 2ms));
  auto b = app.add_task(fail({}, 4ms));
  auto c = app.add_task(tidy({}, 1h), names[0]);
  app.add_task([&world, a, b, c, held = Tracked()]() mutable -> Coro<> {
    auto any = co_await errand::wait_any(a, b, c);
    expect(!any.done.empty(), "observers: nothing is done");
    std::vector<Task<>> some{a, b, c};
    auto late = co_await errand::wait_all(some, 5ms);
    auto generator = errand::as_completed(some);
    co_await generator.next();
    c.cancel(why);
    while (auto task = co_await generator.next()) {
      auto one = *task;
      co_await settle(world, one);
    }
    held.use();
  });
}

/// A group with groups inside. One of them fails.
inline void groups(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()]() -> Coro<> {
    auto inner = [held](errand::TaskGroup& group) -> Coro<int> {
      const Tracked local;
      group.add(hold({}, 2ms));
      group.add([held] { held.use(); }, "a member that has a long name of its own");
      auto member = group.add(give({}, 1, 1ms));
      co_return co_await member;
    };
    expect(co_await errand::TaskGroup::run(inner) == 1, "groups: a wrong result");
    const auto failing = [held, inner](errand::TaskGroup& group) -> Coro<> {
      group.add(tidy({}, 1h));
      group.add([inner]() -> Coro<> {
        auto body = inner;
        co_await errand::TaskGroup::run(body);
        throw std::runtime_error("a member that fails");
      });
      group.add(hold({}, 1h));
      const Tracked local;
      co_await errand::sleep(1h);
    };
    try {
      co_await errand::TaskGroup::run(failing);
    } catch (...) {
      world.count_error();
    }
    held.use();
  });
}

/// Groups inside a group and inside a gather, which are ended from outside.
inline void cancelled_groups(World& world) {
  App& app = world.app();
  const auto group_of = [held = Tracked()](int depth, const auto& self) -> Coro<> {
    const auto body = [&self, depth, held](errand::TaskGroup& group) -> Coro<> {
      group.add(tidy({}, 1h));
      if (depth > 0) group.add(self(depth - 1, self));
      if (depth > 0) co_await errand::gather(self(depth - 1, self), hold({}, 1h));
      held.use();
    };
    co_await errand::TaskGroup::run(body);
  };
  auto& make_group = world.keep<std::decay_t<decltype(group_of)>>(group_of);
  auto asked = app.add_task(make_group(1, make_group));
  auto aborted = app.add_task(make_group(1, make_group));
  app.call_later(2ms, [asked]() mutable { asked.cancel(why); });
  app.call_later(3ms, [aborted]() mutable { aborted.abort(why); });
}

/// An object with tasks, written as users write it.
class Connection {
 public:
  explicit Connection(App& app) : tasks_(app) {
    tasks_.add([this] { return use(1h); }, names[0], errand::NameTaken::replace);
    tasks_.add(use(2ms));
  }
  template <class Work>
  auto add(Work&& work) {
    return tasks_.add(std::forward<Work>(work));
  }
  Coro<> close() { co_await tasks_.close(why); }
  Coro<> join() { co_await tasks_.join(); }
  std::size_t size() const { return tasks_.size(); }

 private:
  Coro<> use(std::chrono::nanoseconds time) {
    const Tracked local;
    co_await errand::sleep(time);
    state_.use();
  }

  Tracked state_;
  errand::TaskScope tasks_;
};

/// Objects with tasks, which are closed, joined and destroyed. One of them is kept alive by its own task, and one is
/// destroyed by its own task.
inline void scopes(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()](App& on) -> Coro<> {
    Connection closed(on);
    closed.add(tidy(held, 1h));
    const auto joins = on.add_task(closed.join());
    co_await errand::sleep(1ms);
    {
      Connection left(on);
      left.add(tidy(held, 1h));
      co_await errand::sleep(3ms);
      expect(left.size() == 2, "scopes: a task that is pending does not count, or one that is not");
    }
    co_await settle(world, errand::wait_for(closed.close(), 1ms));
    co_await closed.close();
    expect(closed.size() == 0, "scopes: a task is left behind a close");
    co_await settle(world, joins);
  });
  app.add_task([held = Tracked()](App& on) -> Coro<> {
    const auto keeps_itself = std::make_shared<Connection>(on);
    keeps_itself->add([keeps_itself, held]() -> Coro<> {
      const Tracked local;
      co_await errand::sleep(2ms);
    });
    auto ends_itself = std::make_unique<Connection>(on);
    const auto resets = [&ends_itself, held]() -> Coro<> {
      const Tracked local;
      ends_itself.reset();
      co_await errand::sleep(1h);
    };
    co_await errand::wait_all(ends_itself->add(resets));
  });
}

/// Clean-ups that await, work that is shielded, and tasks that end with a scope.
inline void cleanups(World& world) {
  App& app = world.app();
  auto& cleaned = world.keep<int>(0);
  const auto work = [&world, &cleaned, held = Tracked()](bool fails) -> Coro<> {
    const errand::ScopedTask scoped{errand::create_task(tidy(held, 1h))};
    auto body = [held, fails]() -> Coro<Heavy> {
      co_await errand::sleep(2ms);
      if (fails) throw std::runtime_error("a body that fails");
      co_return Heavy();
    };
    auto cleanup = [&cleaned, held]() -> Coro<> {
      co_await errand::sleep(1ms);
      ++cleaned;
      held.use();
    };
    auto plain = [&cleaned, held] {
      ++cleaned;
      held.use();
    };
    try {
      co_await errand::finally(body, cleanup);
      co_await errand::finally(hold(held, 1ms), plain);
      co_await errand::shield(hold(held, 1ms));
    } catch (const std::exception&) {
      world.count_error();
    }
  };
  auto& works = world.keep<std::decay_t<decltype(work)>>(work);
  app.add_task(works(false));
  app.add_task(works(true));
  auto asked = app.add_task(works(false));
  app.call_later(1ms, [asked]() mutable { asked.cancel(why); });
}

/// Time-outs inside time-outs.
inline void timeouts(World& world) {
  App& app = world.app();
  auto& queue = world.keep<errand::Queue<Heavy>>(1u);
  app.add_task([&world, &queue, held = Tracked()](App& its_app) -> Coro<> {
    expect(co_await errand::wait_for(give({}, 1, 1ms), 5ms) == 1, "timeouts: a wrong result");
    co_await settle(world, errand::wait_for(errand::wait_for(tidy({}, 1h), 5ms), 5ms));
    co_await settle(world, errand::wait_for(queue.get(), 1ms));
    co_await settle(world, errand::wait_for(hold({}, 1h), 0s));
    const auto task = its_app.add_task(hold({}, 5ms));
    co_await settle(world, errand::wait_for(task, 1ms));
    queue.try_put(Heavy());
    co_await errand::wait_for(queue.get(), 1ms);
    held.use();
  });
}

/// Gathers of ranges with a limit. One fails, one settles, one is asked to end.
inline void items(World& world) {
  App& app = world.app();
  const auto give_after = [held = Tracked()](int item) { return give(held, item, 1ms * (item % 3)); };
  auto& each = world.keep<std::decay_t<decltype(give_after)>>(give_after);
  app.add_task([&world, &each, held = Tracked()]() -> Coro<> {
    const std::vector<int> range{4, 1, 3, 2, 5};
    const auto all = co_await errand::gather(range, each, 2);
    expect(all == range, "items: a wrong order");
    const auto fails = [held](int item) -> Coro<Heavy> {
      co_await errand::sleep(1ms * item);
      if (item == 3) co_await fail(held, 1ms);
      co_return Heavy();
    };
    const auto outcomes = co_await errand::gather_settled(range, fails, 3);
    expect(outcomes.size() == 5, "items: too few outcomes");
    for (const auto& outcome : outcomes) {
      if (outcome.exception()) world.count_error(outcome.exception());
    }
    co_await settle(world, errand::gather(range, fails, 3));
    held.use();
  });
  auto asked = app.add_task([held = Tracked()]() -> Coro<> {
    const auto cleans_up = [held](int) { return tidy(held, 1h); };
    co_await errand::gather(std::vector<int>(9), cleans_up, 3);
  });
  app.call_later(3ms, [asked]() mutable { asked.cancel(why); });
}

/// Work that is tried again, and services that are restarted.
inline void attempts(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()]() -> Coro<> {
    int count = 0;
    const auto flaky = [&count, held]() -> Coro<int> {
      co_await errand::sleep(1ms);
      if (++count % 3 != 0) throw std::runtime_error("an attempt that fails");
      co_return count;
    };
    const auto result = co_await errand::settled(errand::retry(flaky, {.first = 1ms, .attempts = 3}));
    if (result.exception()) world.count_error(result.exception());
    const auto never = [held]() -> Coro<> { co_await fail(held, 1ms); };
    co_await settle(world, errand::retry(never, {.first = 1ms, .jitter = 0.5, .attempts = 2}));
    held.use();
  });
  auto service = app.add_task([&world, held = Tracked()]() -> Coro<> {
    int restarts = 0;
    const auto serve = [&restarts, held]() -> Coro<> {
      if (++restarts % 3 != 0) co_await fail(held, 1ms);
      co_await tidy(held, 1h);
    };
    co_await settle(world, errand::supervise(serve, {.first = 1ms, .most = 2ms}));
  });
  app.call_later(20ms, [service]() mutable { service.cancel(why); });
}

/// Time-outs that are moved, destroyed, and used by turns.
inline void moved_timeouts(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()](App& its_app) -> Coro<> {
    auto timeout = std::make_shared<std::optional<errand::Timeout>>(std::in_place, 2ms);
    its_app.call_later(1ms, [timeout, held] { (*timeout)->reset(); });
    co_await settle(world, errand::wait_for(tidy(held, 1h), **timeout));
    (*timeout)->reset(5ms);
    if (const auto heavy = co_await errand::move_on_after(make<Heavy>(1ms), **timeout)) (void)heavy->value();
    its_app.call_later(1ms, [timeout, held] { timeout->reset(); });
    co_await settle(world, errand::move_on_after(hold(held, 1h), **timeout));
    const auto callable = [held] { return give(held, 1, 1ms); };
    if (!co_await errand::move_on_after(callable, 0s)) held.use();
  });
}

/// Timeouts that outlive their waits, or are destroyed before these have ended: with time left, and during a clean-up.
inline void shared_timeouts(World& world) {
  App& app = world.app();
  auto& timeouts = world.keep<std::vector<std::unique_ptr<errand::Timeout>>>();
  app.add_task([&world, &timeouts, held = Tracked()](App& its_app) -> Coro<> {
    try {
      for (int i = 0; i < 4; ++i) timeouts.push_back(std::make_unique<errand::Timeout>(2ms));
      std::vector<Task<>> waits;
      for (const auto& timeout : timeouts) {
        for (int i = 0; i < 2; ++i) {
          // The second wait with a Timeout fails, because the first is under way.
          waits.push_back(its_app.add_task(settle(world, errand::wait_for(tidy(held, 1h), *timeout))));
        }
      }
      co_await errand::sleep(1ms);
      timeouts[0]->reset();
      timeouts[1].reset();
      timeouts[2]->reset(1h);
      waits[4].abort();
      co_await errand::sleep(3ms);
      timeouts[3].reset();  // its time is over
      co_await errand::gather_settled(std::move(waits));
    } catch (const std::exception&) {
      world.count_error();
    }
    held.use();
  });
}

inline errand::AsyncGenerator<Heavy> numbers(Tracked argument, int n) {
  const Tracked local;
  for (int i = 0; i < n; ++i) {
    co_await errand::sleep(1ms);
    argument.use();
    co_yield Heavy();
  }
  throw std::runtime_error("a generator that fails");
}
/// Generators that fail, that are dropped, and whose task is asked to end inside them.
inline void generators(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()]() -> Coro<> {
    auto generator = numbers(held, 2);
    try {
      while (auto one = co_await generator.next()) held.use();
    } catch (...) {
      world.count_error();
    }
    auto dropped = numbers(held, 2);
    co_await dropped.next();
  });
  auto asked = app.add_task([held = Tracked()]() -> Coro<> {
    auto generator = numbers(held, 100);
    while (auto one = co_await generator.next()) held.use();
  });
  app.call_later(5ms, [asked]() mutable { asked.cancel(why); });
}

}  // namespace scenarios
