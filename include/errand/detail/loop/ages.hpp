// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

/// Tells from the id of a task when the task was added, because ids are given in the order of time. The loop notes its
/// last id and the time now and then, and before each sleep. A task was added before the first note whose id is not
/// lower than its own.
class Ages {
 public:
  /// Returns true if the last note has this id, and so no task was added since.
  bool knows(std::uint64_t last_id) const noexcept { return size_ > 0 && notes_[size_ - 1].id == last_id; }
  /// Notes that all ids up to this one have been given by now.
  void note(std::uint64_t last_id, Clock::time_point now) noexcept {
    if (knows(last_id)) return;
    if (size_ == most) thin_out(now);
    notes_[size_++] = {last_id, now};
  }
  /// Returns how old the task with this id is. The result is never too large. It is too small by an eighth at most, or
  /// by the time between two notes.
  Nanoseconds age(std::uint64_t id, Clock::time_point now) const noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      if (notes_[i].id >= id) return now - notes_[i].time;
    }
    return Nanoseconds::zero();
  }

 private:
  static constexpr std::size_t most = 512;
  struct Note {
    std::uint64_t id;
    Clock::time_point time;
  };

  /// Drops notes: the older they are, the fewer stay. The first note stays, because it is that of the tasks with which
  /// a program begins. Even after three hundred years, for which the clock lasts, no more than 440 notes are left.
  ERRAND_COLD void thin_out(Clock::time_point now) noexcept {
    constexpr Nanoseconds least = std::chrono::milliseconds(1);
    size_ = 1;
    for (std::size_t i = 1; i + 1 < most; ++i) {
      const Clock::time_point next = notes_[i + 1].time;
      const Nanoseconds part = (now - next) / 7;
      if (next - notes_[size_ - 1].time > (part < least ? least : part)) notes_[size_++] = notes_[i];
    }
    notes_[size_++] = notes_[most - 1];
  }

  Note notes_[most];
  std::size_t size_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
