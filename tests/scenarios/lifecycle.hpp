// SPDX-License-Identifier: MIT
#pragma once

#include <any>

#include "world.hpp"

namespace scenarios {

/// Listeners of every phase, functions and coroutines, and tasks that were added before the run.
inline void listeners(World& world) {
  using errand::Phase;
  App& app = world.app();
  for (const Phase phase : {Phase::main_process_start, Phase::before_server_start, Phase::after_server_start,
                            Phase::before_server_stop, Phase::after_server_stop, Phase::main_process_stop}) {
    app.add_listener(phase, [held = Tracked()] { held.use(); });
    app.add_listener(
        phase,
        [held = Tracked()](App& its_app) -> Coro<> {
          const Tracked local;
          its_app.add_task(hold({}, 1ms));
          co_await errand::sleep(2ms);
          held.use();
        },
        1);
  }
  for (const char* event :
       {"server.init.before", "server.init.after", "server.shutdown.before", "server.shutdown.after"}) {
    app.add_signal(event, [held = Tracked()]() -> Coro<> {
      co_await errand::yield();
      held.use();
    });
  }
  app.add_task(tidy({}, 1h), names[0]);
  app.add_task(
      [held = Tracked()](App& its_app) -> Coro<> {
        co_await errand::sleep(20ms);
        its_app.stop();
        held.use();
      },
      names[1]);
}

/// A start listener that fails after an await.
inline void failing_start(World& world) {
  App& app = world.app();
  app.before_server_start([held = Tracked()] { held.use(); });
  app.after_server_start([held = Tracked()]() -> Coro<> {
    co_await errand::sleep(1ms);
    held.use();
    throw std::runtime_error("a start that fails");
  });
  app.before_server_stop([held = Tracked()]() -> Coro<> {
    co_await errand::sleep(1ms);
    held.use();
  });
  app.add_task(tidy({}, 1h), names[0]);
}

/// Two listeners that fail while the App stops.
inline void failing_stop(World& world) {
  App& app = world.app();
  app.before_server_stop([held = Tracked()]() -> Coro<> {
    co_await errand::sleep(1ms);
    held.use();
    throw std::runtime_error("a stop that fails");
  });
  app.main_process_stop([held = Tracked()] {
    held.use();
    throw std::runtime_error("another one");
  });
  app.add_task(hold({}, 5ms));
}

inline Coro<> stubborn(Tracked argument) {
  for (;;) {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    argument.use();
  }
}
/// Tasks and a listener that do not end in time.
inline void tasks_that_do_not_end(World& world) {
  App& app = world.app();
  app.add_task(stubborn(Tracked()), names[0]);
  app.add_task(stubborn(Tracked()), names[1]);
  app.before_server_stop([held = Tracked()]() -> Coro<> { co_await stubborn(held); });
  app.after_server_stop([held = Tracked()](App& its_app) { its_app.add_task(hold(held, 1ms)); });
  app.call_later(5ms, [&app, held = Tracked()] { app.stop(); });
}

/// A start listener that does not end in time when it is asked to.
inline void standing_start(World& world) {
  App& app = world.app();
  app.before_server_start([held = Tracked()]() -> Coro<> {
    bool was_asked = false;
    try {
      co_await errand::sleep(10ms);
    } catch (const Cancelled&) {
      was_asked = true;
    }
    if (was_asked) co_await stubborn(held);
  });
  app.before_server_stop([held = Tracked()]() -> Coro<> {
    co_await errand::sleep(1ms);
    held.use();
  });
  app.add_task(tidy({}, 1h), names[0]);
  app.call_later(5ms, [&app, held = Tracked()] { app.stop(); });
}

/// Nothing can wake the tasks that are left.
inline void deadlocked(World& world) {
  App& app = world.app();
  auto& event = world.keep<errand::Event>();
  auto& lock = world.keep<errand::Lock>();
  app.add_task([&event, held = Tracked()]() -> Coro<> { co_await event.wait(); }, names[0]);
  app.add_task(
      [&lock, held = Tracked()]() -> Coro<> {
        const auto guard = co_await lock.acquire();
        const auto twice = co_await lock.acquire();
      },
      names[1]);
  // A host that polls is not told of a deadlock, so this callback stops the App.
  app.call_later(1h, [&app] { app.stop(); });
}
inline void run_to_deadlock(World& world) {
  world.clock.advance(2h);
  try {
    world.app().run();
  } catch (const errand::Deadlock&) {
  }
}

/// The main task ends while other tasks are at work.
inline void has_main(World& world) {
  App& app = world.app();
  app.add_task(tidy({}, 1h), names[0]);
  app.before_server_stop([held = Tracked()] { held.use(); });
}
inline void run_main(World& world) {
  auto main = [](App& app, Tracked argument) -> Coro<Heavy> {
    const auto task = app.add_task(hold(argument, 1h), names[1]);
    co_await errand::sleep(5ms);
    const auto never_begun = app.add_task(hold(argument, 1h));
    co_return Heavy();
  };
  world.app().run(main(world.app(), Tracked()));
}

/// Handlers and waiters, for exact events and for patterns, and payloads that are copied.
inline void signals(World& world) {
  App& app = world.app();
  app.add_signal("a.long.event_with_a_name_that_needs_memory",
                 [held = Tracked()](const errand::Signal& signal) -> Coro<> {
                   const Tracked local;
                   co_await errand::yield();
                   expect(signal.get<Heavy>().value() == 1, "signals: a wrong payload");
                   held.use();
                 });
  app.add_signal("a.long.<what>", [held = Tracked()](const errand::Signal& signal) {
    held.use();
    expect(!signal.parameter.empty(), "signals: no parameter");
  });
  const auto wait = [held = Tracked()](App& its_app, std::string_view event, nanoseconds timeout) -> Coro<> {
    try {
      const errand::Signal signal = co_await its_app.event(event, timeout);
      expect(signal.payload.has_value(), "signals: no payload");
    } catch (const errand::TimeoutError&) {
    }
    held.use();
  };
  auto& waits = world.keep<std::decay_t<decltype(wait)>>(wait);
  app.add_task(waits(app, "a.long.event_with_a_name_that_needs_memory", 1h));
  app.add_task(waits(app, "a.long.*", 1h));
  app.add_task(waits(app, "a.long.*", 2ms));
  app.add_task(waits(app, "a.long.event_with_a_name_that_needs_memory", 1h));
  auto cancelled = app.add_task(waits(app, "a.long.*", 1h));
  app.call_later(3ms, [cancelled]() mutable { cancelled.cancel(); });
  app.call_later(5ms, [&app, held = Tracked()] {
    held.use();
    app.dispatch("a.long.event_with_a_name_that_needs_memory", Heavy());
    app.dispatch("nobody.listens.here");
  });
}

/// A handler that fails, and so its dispatch fails.
inline void failing_handler(World& world) {
  App& app = world.app();
  app.add_signal("a.b.c", [held = Tracked()]() -> Coro<> {
    co_await errand::sleep(1ms);
    held.use();
    throw std::runtime_error("a handler that fails");
  });
  app.add_signal("a.b.c", [held = Tracked()] { complain("failing_handler: the one after it runs"); });
  app.add_task([&world, held = Tracked()](App& its_app) -> Coro<> {
    const auto dispatched = its_app.dispatch("a.b.c", std::string(100, 'x'));
    co_await settle(world, dispatched);
    its_app.dispatch("a.b.c");
    held.use();
  });
}

}  // namespace scenarios
