// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <exception>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/task/disposal.hpp>
#include <errand/detail/task/turn.hpp>

namespace errand::detail {

/// A task with the room for its result, or for the error with which it ended.
template <class T>
class TaskState : public TaskBase {
  static_assert(keeps_alignment<T>,
                "the alignment of a result may not be above the default one: return a std::unique_ptr");

 public:
  /// Makes a task of a coroutine, which belongs to the task from now on.
  TaskState(Loop& its_loop, Promise<T>& promise) noexcept : TaskBase(its_loop) { adopt(promise); }

  std::exception_ptr error() const noexcept final { return has_error ? storage_.error : nullptr; }
  bool is_a(const std::type_info& type) const noexcept final { return is_one_type(type, typeid(TaskState)); }

  /// Returns a reference to the result. The task must have succeeded. Throws `InvalidState` if the result was taken.
  decltype(auto) value() {
    check_not_taken();
    return storage_.get();
  }

  /// Returns the result for a handle that is given up. Moves the result out if no other handle and no registered name
  /// is left, or if the result cannot be copied; else copies it. Throws `InvalidState` if the result was taken.
  T take() {
    check_not_taken();
    if constexpr (std::is_lvalue_reference_v<T>) {
      return storage_.get();
    } else if constexpr (!std::is_void_v<T>) {
      if constexpr (can_be_taken) {
        taken = true;
        return T(std::move(storage_.get()));
      } else {
        if (may_move_result_out()) return T(std::move(storage_.get()));
        return T(std::as_const(storage_).value);
      }
    }
  }

 protected:
  explicit TaskState(Loop& its_loop) noexcept : TaskBase(its_loop) {}
  ~TaskState() = default;

  void dispose() noexcept override { dispose_of<sizeof(TaskState)>(); }
  /// Called by the `dispose` of the most derived class, with the size of that class.
  template <std::size_t size>
  ERRAND_INLINE void dispose_of() noexcept {
    if constexpr (value_runs_code) {
      const Disposal disposal(*this);
      if (!disposal.is_put_off()) free_of<size>();
    } else {
      free_of<size>();
    }
  }

  void adopt(Promise<T>& promise) noexcept {
    leaf = promise.begin_chain(storage_);
    promise.chain = this;
  }
  template <class... Args>
  void succeed(Args&&... args) {
    storage_.set_value(std::forward<Args>(args)...);
    status = TaskStatus::succeeded;
  }
  void fail(std::exception_ptr error, bool is_cancelled) noexcept {
    storage_.set_error(std::move(error));
    has_error = is_special = true;
    status = is_cancelled ? TaskStatus::cancelled : TaskStatus::failed;
  }

 private:
  static constexpr bool can_be_taken = std::is_object_v<T> && !std::is_copy_constructible_v<T>;
  static constexpr bool value_runs_code = !std::is_trivially_destructible_v<typename Storage<T>::Value>;

  template <std::size_t size>
  ERRAND_INLINE void free_of() noexcept {
    if (is_special || !loop->release_one_of_many()) [[unlikely]]
      return dispose_special<size>();
    if (status == TaskStatus::succeeded) storage_.destroy_value();
    operator delete(this, size);
  }

  void check_not_taken() const {
    if constexpr (can_be_taken) {
      if (taken) throw_taken();
    }
  }
  template <std::size_t size>
  ERRAND_NOINLINE void dispose_special() noexcept {
    if (is_special && is_still_needed()) return;
    if (has_error) {
      if constexpr (!value_runs_code) {  // if the value runs code, `dispose_of` has made a Disposal
        const Disposal disposal(*this);
        if (disposal.is_put_off()) return;
        storage_.destroy_error();
      } else {
        storage_.destroy_error();
      }
    }
    if (status == TaskStatus::succeeded) storage_.destroy_value();
    leave_loop();
    operator delete(this, size);
  }

  Storage<T> storage_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
