// SPDX-License-Identifier: MIT
#pragma once

#include <sstream>

#include "world.hpp"

namespace scenarios {

/// Every kind of work, with and without a name.
inline void kinds_of_work(World& world) {
  App& app = world.app();
  const auto a = app.add_task(give({}, 1, 10ms));
  const auto b = app.add_task(
      [held = Tracked()]() -> Coro<int> {
        co_await errand::yield();
        held.use();
        co_return 2;
      },
      names[0]);
  const auto c = app.add_task([held = Tracked()](App&) { return held.value(); }, names[1]);
  app.add_task(a, names[2]);
  app.add_task([held = Tracked(), a, b, c](App& its_app) -> Coro<> {
    const Tracked local;
    const int sum = co_await a + co_await b + co_await c;
    expect(sum == 4, "kinds_of_work: a wrong sum");
    auto child = errand::create_task(hold({}, 5ms), "a child that is not registered, with a long name");
    co_await child;
    its_app.purge_tasks();
    expect(!its_app.find_task(names[0]), "kinds_of_work: still registered");
  });
}

/// add_task with a name that is taken, with each NameTaken.
inline void taken_names(World& world) {
  App& app = world.app();
  const auto work = [&world, held = Tracked()](App& its_app) -> Coro<> {
    using errand::NameTaken;
    for (const NameTaken taken : {NameTaken::fail, NameTaken::replace, NameTaken::keep, NameTaken::cancel}) {
      try {
        its_app.add_task(tidy({}, 20ms), names[0], taken);
        const auto second = its_app.add_task(tidy({}, 30ms), names[0], taken);
        its_app.add_task(second, names[1], NameTaken::replace);
        expect(bool(its_app.find_task(names[0])), "taken_names: nobody has the name");
        expect(its_app.find_task(names[1]) == second, "taken_names: another has the name");
      } catch (const errand::TaskNameInUse&) {
      } catch (...) {
        world.count_error();
      }
      try {
        its_app.add_task(give({}, 1, 1ms), names[0], NameTaken::keep);
      } catch (const errand::TaskTypeMismatch&) {
      } catch (...) {
        world.count_error();
      }
      co_await errand::sleep(15ms);
      held.use();
      if (taken == NameTaken::replace) its_app.purge_tasks();
    }
  };
  app.add_task(work);
}

/// Tasks that are asked to end: before and after their start, once and twice, with a reason.
inline void cancelled_tasks(World& world) {
  App& app = world.app();
  app.add_task(tidy({}, 1h), names[0]);
  app.add_task(hold({}, 1h), names[1]);
  auto early = app.add_task([held = Tracked()]() -> Coro<> { co_return held.use(); });
  early.cancel(why);
  app.add_task([&world, held = Tracked()](App& its_app) -> Coro<> {
    co_await errand::yield();
    auto wait = its_app.cancel_task(names[0], why);
    co_await errand::sleep(1ms);
    if (auto other = its_app.find_task(names[0])) other.cancel("once more");
    expect(co_await wait, "cancelled_tasks: not cancelled");
    auto held_up = its_app.get_task<>(names[1]);
    held_up.cancel(why);
    held_up.uncancel();
    held_up.cancel(why);
    try {
      co_await held_up;
    } catch (const errand::TaskCancelled& cancelled) {
      expect(cancelled.reason() == why, "cancelled_tasks: another reason");
    } catch (...) {
      world.count_error();
    }
    held.use();
  });
}

/// Tasks that are aborted.
inline void aborted_tasks(World& world) {
  App& app = world.app();
  auto task = app.add_task(hold({}, 1h), names[0]);
  auto awaiter = app.add_task(settle(world, task));
  auto not_begun = app.add_task([held = Tracked()] { held.use(); });
  app.add_task([task, awaiter, not_begun, held = Tracked()]() mutable -> Coro<> {
    not_begun.abort();
    co_await errand::yield();
    task.abort(why);
    expect(task.cancelled(), "aborted_tasks: not cancelled");
    co_await awaiter;
    auto other = errand::create_task(tidy({}, 1h));
    co_await errand::sleep(1ms);
    other.abort();
    held.use();
  });
}

/// Errors that somebody sees, and errors that nobody can see.
inline void failures(World& world) {
  App& app = world.app();
  app.add_signal("server.exception.report", [&world, held = Tracked()](const errand::Signal& signal) {
    held.use();
    world.count_error(signal.get<errand::TaskFailure>().exception());
  });
  auto seen = app.add_task(fail({}, 0s), names[0]);
  app.add_task(fail({}, 5ms), names[1]);
  app.add_task(fail({}, 6ms));
  app.add_task(settle(world, seen));
  app.add_task([held = Tracked()] {
    held.use();
    throw std::runtime_error("an error of a plain function");
  });
  world.keep<Task<>>(app.add_task(fail({}, 7ms)));
}

/// Callbacks of all kinds. Some of them throw, and some are cancelled.
inline void callbacks(World& world) {
  App& app = world.app();
  auto& handles = world.keep<std::vector<errand::CallHandle>>();
  handles.push_back(app.call_soon([held = Tracked()] { held.use(); }));
  handles.push_back(app.call_later(10ms, [held = Tracked()] {
    held.use();
    throw std::runtime_error("an error of a callback");
  }));
  handles.push_back(app.call_at(errand::Clock::time_point(20ms), [held = Tracked()] { held.use(); }));
  handles.push_back(app.call_later(1h, [held = Tracked()] { held.use(); }));
  auto task = app.add_task(give({}, 1, 15ms));
  handles.push_back(task.add_done_callback([&world, held = Tracked()](Task<int> done) {
    held.use();
    try {
      expect(done.result() == 1, "callbacks: a wrong result");
    } catch (...) {
      world.count_error();
    }
  }));
  handles.push_back(
      task.add_done_callback([held = Tracked()](const Task<int>&) { throw std::runtime_error("again"); }));
  task.add_done_callback([held = Tracked()](const Task<int>&) { held.use(); }).cancel();
  app.call_later(30ms, [&handles, &app, task, held = Tracked()]() mutable {
    for (auto& handle : handles) handle.cancel();
    task.add_done_callback([held](const Task<int>&) { held.use(); });
    app.call_soon([held] { held.use(); });
  });
}

/// Results of all kinds, which are moved out and copied.
inline void results(World& world) {
  App& app = world.app();
  app.add_task([&world, held = Tracked()](App& its_app) -> Coro<> {
    auto moved = its_app.add_task(make<std::unique_ptr<Tracked>>(1ms));
    co_await std::move(moved);
    auto heavy = its_app.add_task(make<Heavy>(2ms), names[0]);
    const Heavy copy = co_await heavy;
    auto once_more = heavy;
    const Heavy other = co_await std::move(once_more);
    expect(copy.value() + other.value() == 2, "results: a wrong value");
    Tracked there;
    auto refers = [&there]() -> Coro<Tracked&> { co_return there; };
    (co_await refers()).use();
    auto reference = its_app.add_task(refers);
    (co_await reference).use();
    try {
      const Heavy inner = co_await make<Heavy>(1ms);
      const auto value = its_app.add_task([held] { return Heavy(); });
      const Heavy outer = co_await value;
    } catch (...) {
      world.count_error();
    }
    world.keep<Task<Heavy>>(heavy);
  });
}

inline Coro<int> nest(Tracked argument, int depth) {
  const Tracked local;
  if (depth == 0) {
    co_await errand::sleep(1h);
  } else {
    co_return co_await nest(argument, depth - 1);
  }
  co_return 0;
}
/// Coroutines that await each other, many levels deep, and are ended from outside.
inline void nested(World& world) {
  App& app = world.app();
  auto task = app.add_task(nest({}, 8), names[0]);
  auto aborted = app.add_task(nest({}, 8));
  app.call_later(1ms, [task]() mutable { task.cancel(why); });
  app.call_later(2ms, [aborted]() mutable { aborted.abort(why); });
  app.add_task(settle(world, task));
}

inline Coro<> adds_more(App& app, Tracked argument) {
  bool asked = false;
  try {
    co_await errand::sleep(1h);
  } catch (const Cancelled&) {
    asked = true;
  }
  if (asked) app.add_task(hold(argument, 1ms), names[1]);
}
/// shutdown_tasks, while tasks clean up and add more tasks.
inline void shut_down(World& world) {
  App& app = world.app();
  app.add_task(adds_more(app, Tracked()));
  app.add_task(tidy({}, 1h), names[0]);
  app.add_task([held = Tracked()](App& its_app) -> Coro<> {
    co_await errand::sleep(1ms);
    const std::size_t left = co_await its_app.shutdown_tasks(5ms);
    expect(left == 1, "shut_down: another number is left");
    co_await its_app.shutdown_tasks(1s);
    held.use();
  });
}

/// Things that people look at: the context, the table of the tasks, and the lists of tasks.
inline void tables_and_lists(World& world) {
  App& app = world.app();
  app.ctx().emplace<Tracked>();
  app.ctx().emplace<Heavy>();
  app.add_task(nest({}, 2), names[0]);
  app.add_task(hold({}, 5ms), names[1]);
  app.add_task([held = Tracked()](App& its_app) -> Coro<> {
    its_app.ctx().get<Tracked>().use();
    co_await errand::sleep(1ms);
    std::ostringstream text;
    for (auto& task : its_app.all_tasks()) task.set_note("a note, and not a short one");
    its_app.dump_tasks(text);
    const std::vector<errand::TaskInfo> infos = its_app.snapshot();
    expect(infos.size() == its_app.all_tasks().size(), "tables_and_lists: another number of tasks in the snapshot");
    expect(errand::to_json(infos).ends_with("]}]"), "tables_and_lists: the JSON does not end");
    for (auto& task : its_app.all_tasks()) {
      if (task.id() == 1) task.cancel();
    }
    expect(its_app.tasks().size() == 2, "tables_and_lists: another number of tasks");
    held.use();
  });
}

}  // namespace scenarios
