// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/base/owner.hpp>

namespace errand::detail {

/// The value that a `TaskLocal` has in one task. It never changes: a new value is a new object.
class LocalValue {
 public:
  LocalValue() = default;
  LocalValue(const LocalValue&) = delete;
  virtual ~LocalValue() = default;
  virtual std::shared_ptr<const LocalValue> copy() const = 0;
};

/// Returns the id of a new `TaskLocal`. No id is used again, because a task may still have a value for a `TaskLocal`
/// that is gone.
inline std::size_t next_local_id() noexcept {
  static std::atomic<std::size_t> last = 0;
  return ++last;
}

/// The values that the `TaskLocal`s have in one task. Copies and destructors of the values run code of the user's,
/// which may set values of the same task. So nothing here is used after such code, and values are counted.
class TaskLocals {
 public:
  TaskLocals() = default;
  TaskLocals(const TaskLocals&) = delete;
  /// Destroys the values, the last one first.
  ERRAND_COLD ERRAND_NOINLINE ~TaskLocals() {
    while (!entries_.empty()) entries_.pop_back();
  }

  /// Returns the value for the `TaskLocal` with this id; null if there is none.
  const LocalValue* find(std::size_t id) const noexcept {
    for (const Entry& entry : entries_) {
      if (entry.id == id) return entry.value.get();
    }
    return nullptr;
  }
  /// Sets the value for the `TaskLocal` with this id, and then destroys the old value. Throws `std::bad_alloc`.
  void set(std::size_t id, std::shared_ptr<const LocalValue> value) {
    for (Entry& entry : entries_) {
      if (entry.id != id) continue;
      entry.value.swap(value);
      return;
    }
    entries_.push_back({id, std::move(value)});
  }
  /// Returns copies of all values. Throws what a copy throws, and `std::bad_alloc`.
  Owner<TaskLocals> copy() const {
    const std::vector<Entry> all = entries_;
    Owner<TaskLocals> copies(new TaskLocals);
    for (const Entry& entry : all) copies->entries_.push_back({entry.id, entry.value->copy()});
    return copies;
  }

 private:
  struct Entry {
    std::size_t id;
    std::shared_ptr<const LocalValue> value;
  };

  std::vector<Entry> entries_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
