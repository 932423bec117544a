// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <errand/errand.hpp>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "memory.hpp"

namespace scenarios {

using namespace std::chrono_literals;
using errand::App;
using errand::Cancelled;
using errand::Coro;
using errand::Task;
using std::chrono::nanoseconds;

/// What is wrong with the pass that is under way, as many as there are.
inline std::atomic<int> complaints = 0;
inline void complain(const char* what) {
  ++complaints;
  std::printf("  %s\n", what);
}

/// The same of what only a lack of memory may bring about.
inline void expect(bool as_expected, const char* what) {
  if (!as_expected && memory::refused == 0) complain(what);
}

/// An object that has to be destroyed exactly once, in the thread that made it unless it may travel. It holds memory,
/// so that a copy can fail, and a lost one is a leak.
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

  /// Looks at it, so that a sanitizer sees whether it is there.
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

/// The same, but its move is a copy, and can fail.
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

/// The names that scenarios give, too long to stand in a string without memory.
inline const char* const names[] = {"the first of the tasks that have a name",
                                    "the second of the tasks that have a name",
                                    "the third of the tasks that have a name"};
inline const char* const why = "a reason that is too long to stand in a string without memory";

/// What a scenario is built in: an App, not there at first, and what the work shares.
class World {
 public:
  explicit World(bool on_real_clock) : on_real_clock_(on_real_clock) {}
  World(const World&) = delete;

  void make_app() {
    errand::AppConfig config;
    if (!on_real_clock_) config.clock = &clock;
    config.graceful_timeout = on_real_clock_ ? 5s : 1s;
    config.on_failure = [this](const errand::TaskFailure& failure) { saw(failure.exception()); };
    if (is_watched) {
      config.slow_step = 1ns;
      config.on_slow_step = [](const errand::SlowStep&) {};
      config.purge_when_done = true;
    }
    app_.emplace("the App of a scenario, under a long name", std::move(config));
    app_->main_process_start([this] { began = true; }, 1000);
  }
  void end_app() { app_.reset(); }
  bool has_app() const { return app_.has_value(); }
  App& app() { return *app_; }

  /// Something that the work shares: it outlives the App, or ends before it, as the pass has it.
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

  /// An error came out where it should: a lack of memory counts.
  void saw(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
      ++out_of_memory;
    } catch (...) {
    }
  }
  void saw() { saw(std::current_exception()); }

  errand::ManualClock clock;
  bool began = false;       // the run
  bool is_watched = false;  // every step is reported as slow, and done tasks are forgotten at once
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

  const bool on_real_clock_;
  std::optional<App> app_;
  std::vector<std::unique_ptr<Base>> kept_;
};

/// What goes first at the end: the App, what its tasks share, or either.
enum class Ends { app, kept, either };

struct Scenario {
  struct Options {
    bool has_threads = false;
    bool fails = false;             // run throws something of the scenario's own
    void (*run)(World&) = nullptr;  // instead of App::run
    Ends ends = Ends::app;
    /// A lack of memory may stay untold: the reason of a request goes missing, or what failed is then aborted.
    bool may_be_quiet = false;
  };

  const char* name;
  void (*build)(World&);
  Options options = {};
};

// What scenarios are made of

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
/// Cleans up at some length when it is asked to end.
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
/// Awaits it, whatever it ends with.
template <class A>
Coro<> settle(World& world, A awaitable) {
  const Tracked local;
  try {
    co_await std::move(awaitable);
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    world.saw();
  }
  local.use();
}

}  // namespace scenarios
