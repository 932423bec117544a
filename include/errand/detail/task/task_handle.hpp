// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <utility>

#include <errand/detail/task/task_base.hpp>

namespace errand::detail {

/// A counted pointer to the state of a task. A `Task<T>` holds one, and knows the type of the result.
class TaskHandle {
 public:
  TaskHandle() noexcept = default;
  explicit TaskHandle(TaskBase& state) noexcept : state_(&state) { state.retain(); }
  explicit TaskHandle(TaskBase* state) noexcept : state_(state) {
    if (state_) state_->retain();
  }
  TaskHandle(const TaskHandle& other) noexcept : TaskHandle(other.state_) {}
  TaskHandle(TaskHandle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  TaskHandle& operator=(const TaskHandle& other) noexcept { return *this = TaskHandle(other); }
  TaskHandle& operator=(TaskHandle&& other) noexcept {
    TaskHandle taken(std::move(other));
    std::swap(state_, taken.state_);
    return *this;
  }
  ERRAND_INLINE ~TaskHandle() {
    if (state_) state_->release();
  }

  TaskBase* state() const noexcept { return state_; }
  /// Returns the state. Throws `InvalidState` if the handle is empty.
  TaskBase& get() const {
    if (!state_) empty();
    return *state_;
  }

 private:
  [[noreturn]] static void empty();

  TaskBase* state_ = nullptr;
};

#if ERRAND_DEFINES

ERRAND_NOINLINE ERRAND_ONCE void TaskHandle::empty() { throw InvalidState("this Task handle is empty"); }

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
