// SPDX-License-Identifier: MIT
// Tests of SIGINT and SIGTERM. Their effect on a whole program is tested in tests/programs/interrupts.sh.
#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "real_fixture.hpp"

#if !defined(_WIN32) && __has_include(<unistd.h>)
#include <signal.h>
#define HAS_SIGACTION 1
#else
#define HAS_SIGACTION 0
#endif

using errand::Phase;

namespace {

constexpr Phase all_phases[] = {Phase::main_process_start, Phase::before_server_start, Phase::after_server_start,
                                Phase::before_server_stop, Phase::after_server_stop,   Phase::main_process_stop};

bool is_deadlock(const errand::TaskFailure& failure) {
  try {
    std::rethrow_exception(failure.exception());
  } catch (const errand::Deadlock&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// Sleeps for ever, and swallows every request to end.
Coro<> stubborn() {
  for (;;) {
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
  }
}

/// Yields for ever, and swallows every request to end.
Coro<> restless() {
  for (;;) {
    try {
      co_await errand::yield();
    } catch (const Cancelled&) {
    }
  }
}

}  // namespace

TEST_CASE("a second signal in whatever phase ends the waiting there and in all phases that follow") {
  for (const Phase second_in : all_phases) {
    for (const bool has_main : {false, true}) {
      CAPTURE(static_cast<int>(second_in), has_main);
      support::RealFixture test({.graceful_timeout = 1h});
      App& app = test.app;
      std::vector<Phase> begun;
      bool is_first_run = true;
      for (const Phase phase : all_phases) {
        app.add_listener(phase, [&, phase]() -> Coro<> {
          if (!is_first_run) co_return;
          begun.push_back(phase);
          if (phase == Phase::after_server_start && second_in > phase) app.call_later(1ms, [&] { app.stop(); });
          if (phase == second_in) {
            std::raise(SIGINT);
            std::raise(SIGTERM);
          }
          if (phase >= second_in) co_await stubborn();
        });
      }
      const bool tasks_run_then = second_in <= Phase::before_server_stop;
      if (tasks_run_then) app.add_task(stubborn());
      if (tasks_run_then) app.add_task(restless());
      if (has_main) {
        CHECK_THROWS_AS(app.run(tasks_run_then ? stubborn() : support::Fixture::bad(1h, ""), {.handle_signals = true}),
                        TaskCancelled);
      } else {
        app.run({.handle_signals = true});
      }
      CHECK(app.all_tasks().empty());
      CHECK(begun.back() == Phase::main_process_stop);
      is_first_run = false;
      CHECK(app.run(support::Fixture::after(0ms, 7)) == 7);
    }
  }
}

TEST_CASE("a second signal while tasks clean up ends them, what they have added, and what destructors add") {
  support::RealFixture test({.graceful_timeout = 1h});
  App& app = test.app;
  struct Adds {
    explicit Adds(App& its_app) : app(its_app) {}
    Adds(const Adds&) = delete;
    ~Adds() { app.add_task(stubborn()); }
    App& app;
  };
  app.add_task([&]() -> Coro<> {
    const Adds adds(app);
    app.call_soon([] { std::raise(SIGINT); });
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      std::raise(SIGINT);
    }
    app.add_task(stubborn());
    co_await stubborn();
  });
  app.run({.handle_signals = true});
  CHECK(app.all_tasks().empty());
}

#if defined(_WIN32)

TEST_CASE("on Windows, SIGBREAK is a signal like SIGINT") {
  support::RealFixture test({.graceful_timeout = 1h});
  test.app.add_task([&]() -> Coro<> {
    test.app.call_soon([] { std::raise(SIGBREAK); });
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      test.log("cleans up");
      std::raise(SIGBREAK);
    }
    co_await stubborn();
  });
  test.app.run({.handle_signals = true});
  CHECK(test.log.text() == "cleans up");
}

#endif

TEST_CASE("a second signal ends the waiting of all workers") {
  support::RealFixture test({.graceful_timeout = 1h});
  std::atomic<int> started = 0, cleaning = 0;
  test.app.add_task([&]() -> Coro<> {
    ++started;
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
      ++cleaning;
    }
    co_await stubborn();
  });
  test.app.after_server_stop(&stubborn);
  std::thread user([&] {
    while (started < 3) std::this_thread::yield();
    std::raise(SIGINT);
    while (cleaning < 3) std::this_thread::yield();
    std::raise(SIGINT);
  });
  test.app.run({.workers = 3, .handle_signals = true});
  user.join();
  CHECK(test.reports.size() >= 3);
}

TEST_CASE("if only a signal can wake the tasks, that is reported once, and the run goes on") {
  std::atomic<int> deadlocks = 0, others = 0;
  std::string name, what;
  App app("waits", {.on_failure = [&](const errand::TaskFailure& failure) {
            ++(is_deadlock(failure) ? deadlocks : others);
            name = failure.name();
            what = failure.what();
          }});
  errand::Event never;
  app.add_task([&]() -> Coro<> { co_await never.wait(); }, "stuck");
  std::thread user([&] {
    while (deadlocks == 0) std::this_thread::yield();
    app.post([] {});  // wakes the loop, which then finds again that only a signal can wake the task
    std::this_thread::sleep_for(20ms);
    std::raise(SIGINT);
  });
  app.run({.handle_signals = true});
  user.join();
  CHECK(deadlocks == 1);
  CHECK(others == 0);
  CHECK(name == "waits");
  CHECK(what.find("stuck") != std::string::npos);
}

TEST_CASE("a stall of any worker is reported once, and the run goes on") {
  std::atomic<int> deadlocks = 0;
  App app("app", {.on_failure = [&](const errand::TaskFailure& failure) { deadlocks += is_deadlock(failure); }});
  app.add_task([]() -> Coro<> {
    errand::Event never;
    co_await never.wait();
  });
  std::thread user([&] {
    while (deadlocks < 3) std::this_thread::yield();
    std::raise(SIGTERM);
  });
  app.run({.workers = 3, .handle_signals = true});
  user.join();
  CHECK(deadlocks == 3);
}

TEST_CASE("what is told of a stall may end it, and one in the next run is reported again") {
  int stalls = 0;
  errand::Event* event = nullptr;
  App app("app", {.on_failure = [&](const errand::TaskFailure&) {
            ++stalls;
            event->set();
          }});
  for (int run = 1; run <= 2; ++run) {
    errand::Event stuck;
    event = &stuck;
    app.add_task([&]() -> Coro<> { co_await stuck.wait(); });
    app.run({.handle_signals = true});
    CHECK(stalls == run);
  }
}

TEST_CASE(
    "nothing is reported if something can wake the tasks, and a stop that only its time-out ends is over at once") {
  support::RealFixture test({.graceful_timeout = 1h});
  errand::Event never, soon;
  test.app.add_task([&]() -> Coro<> {
    co_await soon.wait();
    std::raise(SIGINT);
    try {
      co_await errand::sleep(1h);
    } catch (const Cancelled&) {
    }
    co_await never.wait();
  });
  test.app.call_later(20ms, [&] { soon.set(); });
  test.app.run({.handle_signals = true});
  CHECK(test.reports.size() == 1);
  CHECK(test.reports[0].find("still standing") != std::string::npos);
}

namespace {

/// Counts how often it is asked to sleep, and how often with a limit. A wait whose limit has passed does not sleep, and
/// is not counted.
class Sleeper : public errand::Reactor {
 public:
  explicit Sleeper(errand::ClockSource* clock) : clock_(clock) {}
  void wait(std::optional<errand::Clock::time_point> until) override {
    if (until && *until <= (clock_ ? clock_->now() : errand::Clock::now())) return;
    std::unique_lock lock(mutex_);
    ++sleeps;
    if (until) ++limited;
    woken_.wait_for(lock, 20s, [this] { return is_woken_; });
    is_woken_ = false;
  }
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    woken_.notify_all();
  }
  std::atomic<int> sleeps = 0, limited = 0;

 private:
  errand::ClockSource* const clock_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool is_woken_ = false;
};

}  // namespace

#if HAS_SIGACTION && !defined(__APPLE__) && !defined(__EMSCRIPTEN__)

TEST_CASE("an idle loop that handles signals sleeps until one comes, by whatever clock") {
  errand::ManualClock held(errand::ManualClock::held), jumping;
  for (errand::ManualClock* const clock : {static_cast<errand::ManualClock*>(nullptr), &held, &jumping}) {
    Sleeper reactor(clock);
    support::RealFixture test({.clock = clock, .reactor = &reactor});
    std::thread user([&] {
      while (reactor.sleeps == 0) std::this_thread::yield();
      std::this_thread::sleep_for(120ms);
      std::raise(SIGINT);
    });
    test.app.run({.handle_signals = true, .keep_alive = true});
    user.join();
    CHECK(reactor.sleeps <= 2);
    CHECK(reactor.limited == 0);
  }
}

namespace {
std::atomic<int> signals_seen = 0;
void own_handler(int, siginfo_t* info, void*) {
  if (info) ++signals_seen;
}
}  // namespace

TEST_CASE("the handlers of before are back at the end of a run, with flags and mask, however it ended") {
  struct sigaction own{};
  struct sigaction at_first{};
  own.sa_sigaction = &own_handler;
  own.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
  sigaddset(&own.sa_mask, SIGTERM);
  sigaction(SIGINT, &own, &at_first);
  for (const int signals : {0, 1, 2}) {
    support::RealFixture test;
    test.app.call_soon([signals] {
      for (int i = 0; i < signals; ++i) std::raise(SIGINT);
    });
    test.app.run({.handle_signals = true});
    struct sigaction now{};
    sigaction(SIGINT, nullptr, &now);
    CHECK(now.sa_sigaction == &own_handler);
    CHECK((now.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER)) == (SA_SIGINFO | SA_RESTART | SA_NODEFER));
    CHECK(sigismember(&now.sa_mask, SIGTERM) == 1);
    CHECK(sigismember(&now.sa_mask, SIGHUP) == 0);
    CHECK(signals_seen == 0);
    std::raise(SIGINT);
    CHECK(signals_seen.exchange(0) == 1);
  }
  sigaction(SIGINT, &at_first, nullptr);
}

TEST_CASE("signals that come while runs end change no handler, and do not stop the run after the next") {
  struct sigaction own{};
  struct sigaction at_first{};
  own.sa_sigaction = &own_handler;
  own.sa_flags = SA_SIGINFO;
  sigaction(SIGINT, &own, &at_first);
  std::atomic<int> runs = 0, raised = 0;
  std::atomic<bool> over = false;
  std::thread user([&] {
    for (int seen = 0; !over;) {
      if (seen == runs) continue;
      seen = runs;
      for (int i = 0; i < seen % 500; ++i) (void)raised.load();
      std::raise(SIGINT);
      ++raised;
    }
  });
  for (int i = 0; i < 100; ++i) {
    ++runs;
    {
      App app("app");
      app.call_soon([] {});
      app.run({.handle_signals = true});
    }
    while (raised < runs) std::this_thread::yield();
    struct sigaction now{};
    sigaction(SIGINT, nullptr, &now);
    REQUIRE(now.sa_sigaction == &own_handler);
  }
  over = true;
  user.join();
  sigaction(SIGINT, &at_first, nullptr);
}

#endif

TEST_CASE("of two Apps that handle signals the second gets InvalidState, and may do so afterwards") {
  App first("first");
  first.call_soon([] {
    std::thread([] {
      App second("second");
      CHECK_THROWS_AS(second.run({.handle_signals = true}), InvalidState);
    }).join();
  });
  first.run({.handle_signals = true});
  App third("third");
  third.run({.handle_signals = true});
}
