// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>
#include <errand/detail/loop/node.hpp>

namespace errand::detail {

/// A timer that is armed. Of timers with equal deadlines, the one that was armed first comes first.
struct TimerEntry {
  Clock::time_point when;
  std::uint64_t sequence;  // numbers the timers in the order in which they were armed
  TimerNode* node;

  /// Memory for so many entries, which are not set. (`new TimerEntry[n]` would set each deadline.)
  static TimerEntry* allocate(std::size_t n) {
    return static_cast<TimerEntry*>(::operator new(n * sizeof(TimerEntry)));
  }
  static void deallocate(TimerEntry* entries) noexcept { ::operator delete(entries); }

  bool operator<(const TimerEntry& other) const noexcept {
    return when != other.when ? when < other.when : sequence < other.sequence;
  }
};

/// Timers in a 4-ary heap. Each node knows its place in it, so that it can leave in O(log n).
class TimerHeap {
 public:
  TimerHeap() { grow(); }
  ~TimerHeap() { TimerEntry::deallocate(entries_); }
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;

  bool empty() const noexcept { return size_ == 0; }
  /// The earliest timer. There must be one.
  const TimerEntry& first() const noexcept { return entries_[0]; }

  /// Adds a timer. If it throws `std::bad_alloc`, nothing is changed.
  void add(TimerEntry entry) {
    if (size_ == room_) [[unlikely]]
      grow();
    rise(size_++, entry);
  }
  /// Makes room for `more` timers. If it throws `std::bad_alloc`, nothing is lost.
  void reserve(std::size_t more) {
    while (room_ - size_ < more) grow();
  }
  /// Removes the timer at this place, which its node knows.
  void remove(std::size_t place) noexcept {
    if (place != --size_) fill(place);
  }

 private:
  /// Fills a hole with the entry at `size_`, which was the last one.
  ERRAND_NOINLINE void fill(std::size_t hole) noexcept { rise(sink(hole), entries_[size_]); }

  static std::size_t parent(std::size_t i) noexcept { return (i - 1) / 4; }

  void put(std::size_t i, const TimerEntry& entry) noexcept {
    entries_[i] = entry;
    entry.node->timer = static_cast<std::uint32_t>(i);
  }

  /// Puts an entry at place `i`, or as far above it as its deadline requires.
  void rise(std::size_t i, TimerEntry entry) noexcept {
    while (i > 0) {
      const std::size_t above = parent(i);
      if (!(entry < entries_[above])) break;
      put(i, entries_[above]);
      i = above;
    }
    put(i, entry);
  }

  /// Moves a hole down to a leaf: on each level, the earliest child moves up into the hole. Returns the place of the
  /// hole. The entry that then fills the hole was the last one, and so seldom has to rise far from there.
  std::size_t sink(std::size_t hole) noexcept {
    const std::size_t size = size_;
    const TimerEntry* const heap = entries_;
    for (;;) {
      const std::size_t first = 4 * hole + 1;
      std::size_t least = first;
      if (first + 4 <= size) [[likely]] {
        const TimerEntry* const child = heap + first;
        const std::size_t left = child[1] < child[0] ? 1 : 0;
        const std::size_t right = child[3] < child[2] ? 3 : 2;
        least += child[right] < child[left] ? right : left;
      } else {
        if (first >= size) return hole;
        for (std::size_t i = first + 1; i < size; ++i) {
          if (heap[i] < heap[least]) least = i;
        }
      }
      put(hole, heap[least]);
      hole = least;
    }
  }

  ERRAND_NOINLINE void grow() {
    const std::size_t room = room_ > 0 ? 2 * room_ : 32;
    TimerEntry* const entries = TimerEntry::allocate(room);
    for (std::size_t i = 0; i < size_; ++i) entries[i] = entries_[i];
    TimerEntry::deallocate(entries_);
    entries_ = entries;
    room_ = room;
  }

  TimerEntry* entries_ = nullptr;
  std::size_t size_ = 0;
  std::size_t room_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
