// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <chrono>
#include <thread>

namespace errand::detail {

/// Locks a flag while it lives. A flag has no destructor, unlike a mutex, so it can be part of a global object that is
/// used until the program ends. It is held for a few instructions only.
class FlagLock {
 public:
  explicit FlagLock(std::atomic_flag& flag) noexcept : flag_(flag) {
    // Not by std::atomic_flag::wait: without a futex, as on Windows, that of libstdc++ 12 may miss the notify.
    for (int tries = 0; flag_.test_and_set(std::memory_order_acquire); ++tries) {
      if (tries < 100) {
        std::this_thread::yield();
      } else {  // a thread of lower priority has the flag, and runs only if this one sleeps
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }
  FlagLock(const FlagLock&) = delete;
  FlagLock& operator=(const FlagLock&) = delete;
  ~FlagLock() { flag_.clear(std::memory_order_release); }

 private:
  std::atomic_flag& flag_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
