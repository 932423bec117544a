// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/base/owner.hpp>
#include <errand/task.hpp>

namespace errand {

/// A variable that has a value of its own in each task, for example the id of the request that the task works on. Make
/// it a global, or another object that outlives the tasks that use it. Any thread and any App may use it.
///
/// A new task begins with copies of the values of the task that adds it: by `add_task`, `create_task`, `shield` or
/// `dispatch`, or to a group or a scope of the same App. What either of them sets later, the other does not see. The
/// branches of combinators belong to the calling task, and share its values. Callbacks and thread calls belong to no
/// task: they have no values. When a task ends, its values are destroyed with its locals.
///
///     errand::TaskLocal<std::string> request_id;
///     request_id.set("r1");
///     app.add_task(audit());   // *request_id.get() is "r1" there, too
template <class T>
class TaskLocal {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a TaskLocal has an object as its value");
  static_assert(std::is_copy_constructible_v<T>,
                "a task begins with copies of the values: make it a TaskLocal of a std::shared_ptr");

 public:
  /// Makes a variable that has no value in any task.
  TaskLocal() noexcept : id_(detail::next_local_id()) {}
  TaskLocal(const TaskLocal&) = delete;
  TaskLocal& operator=(const TaskLocal&) = delete;

  /// Sets the value in the running task. Throws `InvalidState` outside a task, `std::bad_alloc`, and what the move of
  /// the value throws; the old value stays then.
  void set(T value);
  /// Returns the value that the running task has; null if it has none, and outside a task. The pointer is good until
  /// this task sets the value again, or ends.
  const T* get() const noexcept;

 private:
  class Value;
  static detail::TaskBase* running_task() noexcept {
    detail::Loop* const loop = detail::this_thread().loop;
    return loop && loop->current ? &static_cast<detail::TaskBase&>(loop->current->root()) : nullptr;
  }

  const std::size_t id_;
};

// Implementation

template <class T>
class TaskLocal<T>::Value final : public detail::LocalValue {
 public:
  template <class U>
  explicit Value(std::in_place_t, U&& from) : value(std::forward<U>(from)) {}
  std::shared_ptr<const detail::LocalValue> copy() const override {
    return std::make_shared<const Value>(std::in_place, value);
  }

  const T value;
};

template <class T>
void TaskLocal<T>::set(T value) {
  detail::TaskBase* const task = running_task();
  if (!task) throw InvalidState("a TaskLocal can be set only inside a task");
  task->set_local(id_, std::make_shared<const Value>(std::in_place, std::move(value)));
}

template <class T>
const T* TaskLocal<T>::get() const noexcept {
  const detail::TaskBase* const task = running_task();
  const detail::LocalValue* const found = task ? task->find_local(id_) : nullptr;
  return found ? &static_cast<const Value*>(found)->value : nullptr;
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
