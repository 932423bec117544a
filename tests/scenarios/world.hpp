// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <errand/errand.hpp>
#include <errand/posix.hpp>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "../observed.hpp"
#include "memory.hpp"

namespace scenarios {

using namespace std::chrono_literals;
using errand::App;
using errand::Cancelled;
using errand::Coro;
using errand::Task;
using std::chrono::nanoseconds;

/// The number of errors in the current pass.
inline std::atomic<int> complaints = 0;
inline void complain(const char* what) {
  ++complaints;
  std::printf("  %s\n", what);
}

/// Complains if something is not as expected, unless an allocation was refused: the lack of memory may be the reason
/// then.
inline void expect(bool as_expected, const char* what) {
  if (!as_expected && memory::refused == 0) complain(what);
}

/// An object that must be destroyed exactly once, on the thread that made it unless it may travel. It allocates memory,
/// so that a copy can fail, and so that an object that is lost is a leak.
class Tracked {
 public:
  enum Home { here, anywhere };

  Tracked() : Tracked(here) {}
  explicit Tracked(Home home) : memory_(std::make_unique<int>(1)), travels_(home == anywhere) { enter(); }
  Tracked(const Tracked& other) : memory_(std::make_unique<int>(other.value())), travels_(other.travels_) { enter(); }
  Tracked(Tracked&& other) noexcept : memory_(std::move(other.memory_)), home_(other.home_), travels_(other.travels_) {
    enter();
  }
  Tracked& operator=(Tracked other) noexcept {
    memory_.swap(other.memory_);
    return *this;
  }
  ~Tracked() {
    if (state_ != alive) complain("an object is destroyed twice");
    if (!travels_ && home_ != std::this_thread::get_id()) complain("an object is destroyed in another thread");
    state_ = dead;
    --count;
  }

  /// Reads the object, so that a sanitizer sees if it has been destroyed.
  void use() const {
    if (state_ != alive) complain("an object is used after its end");
    (void)value();
  }
  int value() const { return memory_ ? *memory_ : 0; }

  inline static std::atomic<long> count = 0;

 private:
  static constexpr std::uint32_t alive = 0xa11fe, dead = 0xdead;
  static void enter() noexcept { ++count; }

  std::unique_ptr<int> memory_;
  std::thread::id home_ = std::this_thread::get_id();
  bool travels_;
  std::uint32_t state_ = alive;
};

/// A Tracked object whose move is a copy, and so can fail.
class Heavy {
 public:
  Heavy() = default;
  Heavy(const Heavy&) = default;
  Heavy(Heavy&& other) : tracked_(std::as_const(other.tracked_)) {}
  Heavy& operator=(const Heavy&) = default;
  int value() const { return tracked_.value(); }

 private:
  Tracked tracked_{Tracked::anywhere};
};

/// The names that scenarios give. They are too long for a string that does not allocate.
inline const char* const names[] = {"the first of the tasks that have a name",
                                    "the second of the tasks that have a name",
                                    "the third of the tasks that have a name"};
inline const char* const why = "a reason that is too long to stand in a string without memory";

/// The observer of an App. The checks always have memory, but the trace, which ends without it, does not.
class WatchingObserver final : public errand::Observer {
 public:
  ~WatchingObserver() override { trace_has_lost_events(); }  // before the trace reports it
  /// Closes the trace. Returns true if it has lost events, because there was no memory.
  bool trace_has_lost_events() {
    try {
      trace_.close();
      return false;
    } catch (const std::system_error& error) {
      return error.code() == std::errc::not_enough_memory;
    }
  }
  const CheckingObserver& checks() const { return checks_; }

  void task_added(const errand::TaskEvent& event) override { pass_on(&Observer::task_added, event); }
  void step_began(const errand::TaskEvent& event) override { pass_on(&Observer::step_began, event); }
  void step_ended(const errand::TaskEvent& event) override { pass_on(&Observer::step_ended, event); }
  void woken(const errand::TaskEvent& event) override { pass_on(&Observer::woken, event); }
  void task_ended(const errand::TaskEvent& event) override { pass_on(&Observer::task_ended, event); }
  void slept(errand::Clock::time_point from, errand::Clock::time_point to) override { checks_.slept(from, to); }

 private:
  void pass_on(void (Observer::*member)(const errand::TaskEvent&), const errand::TaskEvent& event) {
    (static_cast<Observer&>(trace_).*member)(event);
    const memory::Spare spare;
    (checks_.*member)(event);
  }

  errand::Trace trace_{"/dev/null"};
  CheckingObserver checks_;
};

/// The surroundings of a scenario: an App, which is made later, and the objects that its tasks share.
class World {
 public:
  World(bool on_real_clock, bool has_io) : on_real_clock_(on_real_clock), has_io_(has_io) {}
  World(const World&) = delete;

  void make_app() {
    errand::AppConfig config;
    if (has_io_) config.reactor = &reactor_.emplace();
    if (!on_real_clock_) config.clock = &clock;
    config.graceful_timeout = on_real_clock_ ? 5s : 1s;
    config.on_failure = [this](const errand::TaskFailure& failure) { count_error(failure.exception()); };
    if (is_watched) {
      config.slow_step = 1ns;
      config.on_slow_step = [](const errand::SlowStep&) {};
      config.purge_when_done = true;
      config.observer = &observer;
    }
    app_.emplace("the App of a scenario, under a long name", std::move(config));
    app_->main_process_start([this] { began = true; }, 1000);
  }
  void end_app() { app_.reset(); }
  bool has_app() const { return app_.has_value(); }
  /// Called between two polls of the App: looks for input.
  void look_for_input() {
    if (reactor_) reactor_->wait(errand::Clock::time_point());
  }
  App& app() { return *app_; }

  /// Makes an object that the tasks share. The pass decides if it is destroyed before the App or after it.
  template <class T, class... Args>
  T& keep(Args&&... args) {
    auto made = std::make_unique<Kept<T>>(std::forward<Args>(args)...);
    T& object = made->object;
    kept_.push_back(std::move(made));
    return object;
  }
  void end_kept() {
    while (!kept_.empty()) kept_.pop_back();
  }

  /// Called when an error has come out as it should. Counts the error if it is a lack of memory.
  void count_error(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
      ++out_of_memory;
    } catch (...) {
    }
  }
  void count_error() { count_error(std::current_exception()); }

  errand::ManualClock clock;
  bool began = false;       // the run has begun
  bool is_watched = false;  // every step is reported as slow, done tasks are forgotten at once, and all is observed
  WatchingObserver observer;
  std::atomic<int> out_of_memory = 0;

 private:
  struct Base {
    virtual ~Base() = default;
  };
  template <class T>
  struct Kept final : Base {
    template <class... Args>
    explicit Kept(Args&&... args) : object(std::forward<Args>(args)...) {}
    T object;
  };

  const bool on_real_clock_, has_io_;
  std::optional<errand::PosixReactor> reactor_;
  std::optional<App> app_;
  std::vector<std::unique_ptr<Base>> kept_;
};

/// The object that is destroyed first at the end: the App, the objects that its tasks share, or either of them.
enum class DestroyedFirst { app, kept, either };

struct Scenario {
  struct Options {
    bool has_threads = false;
    bool has_io = false;            // the App has a PosixReactor
    bool fails = false;             // run throws an error of the scenario's own
    void (*run)(World&) = nullptr;  // called instead of App::run
    DestroyedFirst destroyed_first = DestroyedFirst::app;
    /// A lack of memory may stay unreported: a request loses its reason, or the task that fails is aborted afterwards.
    bool may_be_quiet = false;
  };

  const char* name;
  void (*build)(World&);
  Options options = {};
};

// Coroutines of which scenarios are made

inline Coro<> hold(Tracked argument, nanoseconds delay) {
  const Tracked local;
  co_await errand::sleep(delay);
  argument.use();
  local.use();
}
inline Coro<int> give(Tracked argument, int n, nanoseconds delay) {
  const Tracked local;
  if (delay > 0s) co_await errand::sleep(delay);
  argument.use();
  co_return n;
}
template <class T>
Coro<T> make(nanoseconds delay) {
  const Tracked local;
  if (delay > 0s) co_await errand::sleep(delay);
  co_return T();
}
inline Coro<> fail(Tracked argument, nanoseconds delay) {
  const Tracked local;
  if (delay > 0s) co_await errand::sleep(delay);
  argument.use();
  throw std::runtime_error("an error that says at some length what went wrong");
}
/// Takes a while to clean up if it is asked to end.
inline Coro<> tidy(Tracked argument, nanoseconds delay) {
  const Tracked local;
  bool asked = false;
  std::string reason;
  try {
    co_await errand::sleep(delay);
  } catch (const Cancelled& cancelled) {
    asked = true;
    reason = cancelled.reason();
  }
  if (!asked) co_return;
  const Tracked other;
  co_await errand::sleep(10ms);
  argument.use();
  throw Cancelled(reason);
}
/// Awaits the awaitable and swallows its error, but not a Cancelled.
template <class A>
Coro<> settle(World& world, A awaitable) {
  const Tracked local;
  try {
    co_await std::move(awaitable);
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    world.count_error();
  }
  local.use();
}

}  // namespace scenarios
