// SPDX-License-Identifier: MIT
// Programs as users write them, and the checks that each of them must pass: see natural_test.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "support.hpp"

namespace natural {

using support::Log;

/// The base of a program's objects, and a local of its functions. The checks count how many are alive.
class Counted {
 public:
  Counted() noexcept { ++alive; }
  Counted(const Counted& other) noexcept : Counted() { other.use(); }
  Counted& operator=(const Counted& other) noexcept {
    use();
    other.use();
    return *this;
  }
  ~Counted() {
    use();
    state_ = dead;
    --alive;
  }
  /// Programs call this when they use the object. May be called on any thread.
  void use() const noexcept {
    if (state_ != live) ++misused;
  }

  inline static std::atomic<int> alive = 0;
  inline static std::atomic<int> misused = 0;  // how often an object was used before or after its life

 private:
  static constexpr std::uint32_t live = 0x600d, dead = 0xdead;
  std::atomic<std::uint32_t> state_ = live;
};

/// A program, and the effects that it has if nothing interrupts it.
struct Program {
  Coro<> (*main)(App&, Log&);
  std::string log;                                  // its whole log
  std::string error = {};                           // what() of the exception that main throws
  std::vector<std::string> reports = {};            // the failures that it leaves to on_failure
  std::vector<std::string> lost = {};               // failures that may also go to on_failure if it is interrupted
  void (*prepare)(App&, Log&) = nullptr;            // called before the App runs
  bool has_threads = false;                         // it makes thread calls
  bool is_timed_by_system = false;                  // the App has no ManualClock
  TaskStatus if_cancelled = TaskStatus::cancelled;  // how main may also end if it is cancelled
};

/// Runs the program in each of the ways of natural_test.cpp.
void check(const Program& program);

}  // namespace natural
