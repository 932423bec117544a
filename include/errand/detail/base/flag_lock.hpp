// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>

namespace errand::detail {

/// Locks a flag while it lives. A flag has no destructor, unlike a mutex, so it can be part of a global object that is
/// used until the program ends. It is held for a few instructions only.
class FlagLock {
 public:
  explicit FlagLock(std::atomic_flag& flag) noexcept : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) flag_.wait(true, std::memory_order_relaxed);
  }
  FlagLock(const FlagLock&) = delete;
  FlagLock& operator=(const FlagLock&) = delete;
  ~FlagLock() {
    flag_.clear(std::memory_order_release);
    flag_.notify_one();
  }

 private:
  std::atomic_flag& flag_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
