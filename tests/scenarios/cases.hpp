// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <future>

#include "lifecycle.hpp"

namespace scenarios {

// Bugs that errand once had, by name. In a case that says "without memory", all allocations fail from a certain point
// on.

struct Case {
  const char* name;
  void (*check)(App& app, World& world);
};

/// While an object of this class lives, all allocations fail.
class NoMemory {
 public:
  NoMemory() { memory::refuse(1, 1L << 60); }
  ~NoMemory() { memory::refuse_none(); }
  NoMemory(const NoMemory&) = delete;
};

/// Calls a function when it is destroyed.
template <class F>
class AtEnd {
 public:
  explicit AtEnd(F f) : f_(std::move(f)) {}
  AtEnd(const AtEnd&) = delete;
  ~AtEnd() { f_(); }

 private:
  F f_;
};

template <class E, class F>
void expect_throw(F f, const char* what) {
  try {
    f();
    complain(what);
  } catch (const E&) {
  } catch (...) {
    complain("another exception than expected:");
    complain(what);
  }
}
inline void demand(bool as_expected, const char* what) {
  if (!as_expected) complain(what);
}

/// Its copy constructor throws.
struct Uncopied {
  Uncopied() = default;
  Uncopied(const Uncopied&) { throw std::runtime_error("an error of a copy"); }
};

/// The copies in another worker take a while to be destroyed. Counts those that are destroyed on another thread.
class SlowToEnd {
 public:
  explicit SlowToEnd(std::atomic<int>& ended) : ended_(ended) {}
  ~SlowToEnd() {
    if (home_ == std::this_thread::get_id()) return;
    std::this_thread::sleep_for(5ms);
    ++ended_;
  }
  SlowToEnd(const SlowToEnd&) = default;
  void operator()() const {}

 private:
  std::atomic<int>& ended_;
  inline static const std::thread::id home_ = std::this_thread::get_id();
};

inline const Case cases[] = {
    {"a run that gets no memory for its start throws bad_alloc, and the next one works",
     [](App& app, World&) {
       app.before_server_start([held = Tracked()] { held.use(); });
       const auto run = [&app] {
         const NoMemory none;
         app.run({.handle_signals = true});
       };
       expect_throw<std::bad_alloc>(run, "run should have thrown");
       demand(!app.running(), "it still runs");
       demand(app.run(give({}, 7, 1ms), {.handle_signals = true}) == 7, "the next run");
     }},
    {"a task that stands at the end of the graceful timeout is reported without memory for a message",
     [](App& app, World& world) {
       app.add_task(stubborn(Tracked()));
       app.call_later(1ms, [&app] { app.stop(); });
       app.call_later(1001ms, [] { memory::refuse(1, 1); });  // just before the timeout
       app.run();
       memory::refuse_none();
       demand(world.out_of_memory == 1, "the report");
     }},
    {"a request without memory for its reason cancels without one",
     [](App& app, World&) {
       auto task = app.add_task([]() -> Coro<> {
         try {
           co_await errand::sleep(1h);
         } catch (const Cancelled& cancelled) {
           memory::refuse_none();
           demand(cancelled.reason().empty(), "there should be no reason");
           throw;
         }
       });
       app.call_later(1ms, [&task] {
         task.cancel(why);
         memory::refuse(1, 1L << 60);
       });
       app.run();
       demand(task.cancelled(), "the task");
     }},
    {"a branch that is asked and never begins, without memory for the reason, leaves its race the result",
     [](App& app, World&) {
       auto task = app.add_task([]() -> Coro<> {
         const auto first = []() -> Coro<> {
           errand::current_task().cancel(why);
           memory::refuse(1, 1L << 60);
           co_return;
         };
         const AtEnd at_end([] { memory::refuse_none(); });
         co_await errand::race(first(), hold({}, 1h));
       });
       app.run();
       demand(task.status() == errand::TaskStatus::succeeded, "the task");
     }},
    {"the future of submitted work that is destroyed unrun, without memory, gives bad_alloc",
     [](App& app, World& world) {
       auto future = app.submit(give({}, 1, 0s), names[0]);
       {
         const NoMemory none;
         world.end_app();
       }
       expect_throw<std::bad_alloc>([&future] { future.get(); }, "the future");
     }},
    {"submitted work whose task cannot tell of its end, for lack of memory, does not run on",
     [](App&, World& world) {
       bool failed = true;
       for (long k = 1; failed; ++k) {
         world.end_app();
         world.make_app();
         App& app = world.app();
         int runs = 0;
         app.post([k] { memory::refuse(k, k); });
         auto future = app.submit([&runs] { ++runs; }, names[0]);
         app.post([] { memory::refuse_none(); });
         app.run();
         try {
           future.get();
           failed = false;
         } catch (const std::bad_alloc&) {
           demand(runs == 0, "it runs");
         }
       }
     }},
    {"a name that add_task cannot give for lack of memory stays with the task that has it",
     [](App& app, World&) {
       using errand::NameTaken;
       for (const NameTaken taken : {NameTaken::replace, NameTaken::cancel}) {
         const auto old = app.add_task(hold({}, 1h), names[0], NameTaken::replace);
         bool failed = true;
         for (long k = 1; failed; ++k) {
           try {
             memory::refuse(k, k);
             app.add_task(hold({}, 1h), names[0], taken);
             failed = false;
           } catch (const std::bad_alloc&) {
             memory::refuse_none();
             demand(app.find_task(names[0]) == old, "another has the name");
             demand(old.cancelling() == 0, "the old task is asked to end");
           }
         }
         memory::refuse_none();
         auto other = app.add_task(hold({}, 1h));
         const std::string own = other.name();
         failed = true;
         for (long k = 1; failed; ++k) {
           try {
             memory::refuse(k, k);
             app.add_task(other, names[1], NameTaken::replace);
             failed = false;
           } catch (const std::bad_alloc&) {
             memory::refuse_none();
             demand(other.name() == own, "the task has a name that is not registered");
           }
         }
         memory::refuse_none();
         demand(other.name() == names[1], "its name");
       }
     }},
    {"a plain clean-up of finally runs without memory",
     [](App& app, World&) {
       bool cleaned = false;
       app.add_task([&cleaned]() -> Coro<> {
         auto body = []() -> Coro<> {
           memory::refuse(1, 1L << 60);
           co_return;
         };
         auto cleanup = [&cleaned] {
           memory::refuse_none();
           cleaned = true;
         };
         co_await errand::finally(body, cleanup);
       });
       app.run();
       memory::refuse_none();
       demand(cleaned, "the clean-up");
     }},
    {"a Queue of items whose move may throw, made without memory, throws or works",
     [](App&, World&) {
       const NoMemory none;
       try {
         errand::Queue<Heavy> queue;
       } catch (const std::bad_alloc&) {
       }
     }},
    {"a dispatch whose payload cannot be copied throws, and wakes nobody",
     [](App& app, World&) {
       int woken = 0;
       const auto wait = [&woken](App& its_app, const char* event) -> Coro<> {
         const AtEnd at_end([&woken] { ++woken; });
         co_await its_app.event(event);
       };
       app.add_task(wait(app, "a.b.c"));
       app.add_task(wait(app, "a.b.*"));
       app.call_later(1ms, [&app] {
         std::any payload(std::in_place_type<Uncopied>);
         expect_throw<std::runtime_error>([&] { app.dispatch("a.b.c", std::move(payload)); }, "the dispatch");
       });
       app.call_later(2ms, [&app, &woken] {
         demand(woken == 0, "somebody is woken");
         app.stop();
       });
       app.run();
     }},
    {"a stop listener that cannot be waited for, for lack of memory, does not outlive the run",
     [](App&, World& world) {
       for (long k = 1; k < 10; ++k) {
         world.end_app();
         world.make_app();
         bool stands = false;
         world.app().before_server_stop([&stands, k] {
           auto work = [](bool& its_stands) -> Coro<> {
             its_stands = true;
             const AtEnd at_end([&its_stands] { its_stands = false; });
             co_await errand::sleep(10ms);
           };
           auto coro = work(stands);
           memory::refuse(k, k);
           return coro;
         });
         try {
           world.app().run();
         } catch (const std::bad_alloc&) {
         }
         memory::refuse_none();
         demand(!stands, "it still stands");
       }
     }},
    {"run returns when all workers have ended, also without memory to wait for them",
     [](App&, World& world) {
       App app("workers");
       std::atomic<int> ended = 0;
       app.after_server_start(SlowToEnd(ended));
       app.after_server_start(errand::once([&app] {
         memory::refuse(1, 1L << 60);
         app.stop();
       }));
       try {
         app.run({.workers = 2});
       } catch (const std::bad_alloc&) {
         world.count_error();
       }
       memory::refuse_none();
       demand(ended == 1, "a worker has not ended");
     }},
};

}  // namespace scenarios
