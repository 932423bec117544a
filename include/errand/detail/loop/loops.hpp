// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <cstdint>

#include <errand/detail/base/flag_lock.hpp>

namespace errand::detail {

class Loop;

/// All loops of the process. Only a debugger reads this list: it is where errand/gdb.py begins, because in a process
/// that hangs, or in a core file, it can call no function. The list has no destructor, so that an App in a global
/// variable can still leave it.
class Loops {
 public:
  /// The place of a loop, which stands in the list while this object lives.
  struct Place {
    explicit Place(Loop& its_loop) noexcept;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    Loop& loop;
    std::uint64_t number = 0;  // loops are numbered from 1, in the order in which they are made
    Place* prev = nullptr;     // that of a loop that was made later
    Place* next = nullptr;     // that of a loop that was made before
  };

  /// Called on any thread.
  void add(Place& place) noexcept {
    const FlagLock lock(flag_);
    place.number = ++count_;
    place.next = first;
    if (first) first->prev = &place;
    first = &place;
  }
  /// Called on any thread.
  void remove(Place& place) noexcept {
    const FlagLock lock(flag_);
    (place.prev ? place.prev->next : first) = place.next;
    if (place.next) place.next->prev = place.prev;
  }

  Place* first = nullptr;         // that of the loop that was made last
  const char* header = __FILE__;  // by this path a debugger knows which coroutines are errand's own

 private:
  std::atomic_flag flag_;
  std::uint64_t count_ = 0;
};

/// The only object of this class. A program and its plug-ins share it, like every inline variable of errand.
inline constinit Loops all_loops;

inline Loops::Place::Place(Loop& its_loop) noexcept : loop(its_loop) { all_loops.add(*this); }
inline Loops::Place::~Place() { all_loops.remove(*this); }

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
