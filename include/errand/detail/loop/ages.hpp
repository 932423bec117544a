// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

/// When tasks were added, told from their ids, which are given in the order of time: a note of the clock, now and then
/// and before each sleep, tells when all ids up to there had been given.
class Ages {
 public:
  bool knows(std::uint64_t last_id) const noexcept { return size_ > 0 && notes_[size_ - 1].id == last_id; }
  void note(std::uint64_t last_id, Clock::time_point now) noexcept {
    if (knows(last_id)) return;
    if (size_ == most) thin_out(now);
    notes_[size_++] = {last_id, now};
  }
  /// Never too much, and too little by an eighth at most, or by what one note is apart from the next.
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

  /// The older, the coarser; but the first one stays, which is that of the tasks a program begins with. In three
  /// hundred years, which is all that the clock has, no more than 440 are left.
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
