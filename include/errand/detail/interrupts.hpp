// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <csignal>

#include <errand/errors.hpp>

namespace errand::detail {

/// Counts SIGINT and SIGTERM while it lives, and puts back the handlers that were there. The handler does nothing but
/// count; the loop looks. Only one can live at a time in a program.
class Interrupts {
 public:
  Interrupts() {
    if (in_use().exchange(true)) throw InvalidState("another App handles signals at the moment");
    count().store(0);
    old_interrupt_ = std::signal(SIGINT, &on_signal);
    old_terminate_ = std::signal(SIGTERM, &on_signal);
  }
  ~Interrupts() {
    std::signal(SIGINT, old_interrupt_);
    std::signal(SIGTERM, old_terminate_);
    in_use().store(false);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int seen() const noexcept { return count().load(); }

 private:
  static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only use lock-free atomics");

  static std::atomic<int>& count() noexcept {
    static std::atomic<int> count = 0;
    return count;
  }
  static std::atomic<bool>& in_use() noexcept {
    static std::atomic<bool> in_use = false;
    return in_use;
  }
  static void on_signal(int signal) {
    std::signal(signal,
                &on_signal);  // some systems take the handler away when it is called
    ++count();
  }

  void (*old_interrupt_)(int);
  void (*old_terminate_)(int);
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
