// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <string>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/base/list.hpp>
#include <errand/detail/base/names.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/base/pool.hpp>
#include <errand/detail/loop/locals.hpp>

namespace errand::detail {

class TaskBase;

struct NameOrderLink : Link {};  // in the order in which the names were added
struct NameDoneLink : Link {};   // among the names of the tasks that are done

/// A name under which the registry knows a task.
struct TaskName : Names::Entry, NameOrderLink, NameDoneLink {
  explicit TaskName(const std::string& its_name) noexcept : Names::Entry(its_name) {}
  TaskBase* task = nullptr;

  bool is_registered() const noexcept { return NameOrderLink::linked(); }
};

/// Members that most tasks with a name do not need either.
struct TaskExtras : Pooled {
  Owner<std::string> reason;  // of the first request to end or, if the task was aborted, of that; null if empty
  Owner<std::string> note;    // for people; null if empty
  Owner<TaskLocals> locals;   // null if the task has none
};

/// Members that few tasks need. They are allocated when the first of them is needed.
struct TaskDetails : Pooled {
  std::uint64_t id = 0;
  std::string name;
  Owner<TaskExtras> extras;         // null until one of them is needed
  List aliases;                     // further names under which the task is registered
  std::uint32_t registrations = 0;  // how many names the task is registered under
  bool is_report = false;           // the task dispatches a failure, and so its own failure is not dispatched
  TaskName own{name};               // the entry of `name` in the registry, if it is registered
};

/// Numbers the tasks of a loop, from 1. Each id is given as the word of an `Identity`.
class Ids {
 public:
  std::uint64_t next() noexcept { return word_ += 2; }
  /// Returns the id that was given last; 0 if none was given.
  std::uint64_t last() const noexcept { return word_ >> 1; }

 private:
  std::uint64_t word_ = 1;
};

/// The id of a task and its details, in one word. If the lowest bit is set, the other bits are the id. Else the word is
/// the address of the details, and the id is a member of the details.
class Identity {
 public:
  Identity() noexcept = default;
  Identity(const Identity&) = delete;
  /// Frees the details. Called by `TaskBase::leave_loop`, because a task is freed without a call of its destructor.
  void clear() noexcept {
    if (details()) delete_details();
  }

  /// Takes the next id.
  void take_id(Ids& ids) noexcept { word_ = ids.next(); }
  std::uint64_t id() const noexcept {
    const TaskDetails* const has = details();
    return has ? has->id : word_ >> 1;
  }
  /// Returns true if there is an id: a hidden task has none.
  bool is_numbered() const noexcept { return id() != 0; }
  /// Returns the details; null if there are none.
  TaskDetails* details() const noexcept {
    return word_ & 1 ? nullptr : reinterpret_cast<TaskDetails*>(static_cast<std::uintptr_t>(word_));
  }
  /// Returns the details, which are made if there are none. Throws `std::bad_alloc`.
  TaskDetails& make_details() {
    if (TaskDetails* has = details()) return *has;
    return new_details();
  }

 private:
  ERRAND_NOINLINE TaskDetails& new_details() {
    auto* made = new TaskDetails;
    made->id = id();
    word_ = reinterpret_cast<std::uintptr_t>(made);
    return *made;
  }
  ERRAND_NOINLINE void delete_details() noexcept { delete details(); }

  std::uint64_t word_ = 1;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
