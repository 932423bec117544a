// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <string>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/base/list.hpp>

namespace errand::detail {

/// What few tasks have.
struct TaskDetails {
  std::uint64_t id = 0;
  std::string name;
  std::string request_reason;
  std::string end_reason;
  List names;  // those under which it is registered: the registry links its
               // entries here
  std::uint32_t registrations = 0;
  bool is_report = false;  // it dispatches a failure: its own is not dispatched again
};

/// Gives the ids, which count from 1: each as the word of an `Identity`.
class Ids {
 public:
  std::uint64_t next() noexcept { return word_ += 2; }
  /// The id that was given last; 0 before the first.
  std::uint64_t last() const noexcept { return word_ >> 1; }

 private:
  std::uint64_t word_ = 1;
};

/// The id of a task and its details, in one word: the id, shifted, with the lowest bit set, or the address of the
/// details, which have the id then.
class Identity {
 public:
  Identity() noexcept = default;
  Identity(const Identity&) = delete;
  /// Instead of a destructor.
  void clear() noexcept {
    if (details()) delete_details();
  }

  /// The next.
  void take_id(Ids& ids) noexcept { word_ = ids.next(); }
  std::uint64_t id() const noexcept {
    const TaskDetails* const has = details();
    return has ? has->id : word_ >> 1;
  }
  TaskDetails* details() const noexcept {
    return word_ & 1 ? nullptr : reinterpret_cast<TaskDetails*>(static_cast<std::uintptr_t>(word_));
  }
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
