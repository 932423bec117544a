// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>
#include <errand/detail/loop/node.hpp>
#include <errand/detail/loop/timer_heap.hpp>

namespace errand::detail {

/// Timers in the order in which they were armed, each of them due no earlier than the one before it: the time-outs of
/// one constant delay, for example. They stand in a ring, a circular buffer. Adding a timer and removing the first or
/// the last one take O(1) on average. A timer that is removed from the middle leaves a gap, which is an entry without a
/// node. There are no gaps at the two ends.
class TimerLane {
 public:
  TimerLane() { make_room(); }
  ~TimerLane() { TimerEntry::deallocate(ring_); }
  TimerLane(const TimerLane&) = delete;
  TimerLane& operator=(const TimerLane&) = delete;

  bool empty() const noexcept { return begin_ == end_; }
  /// The number of entries, gaps included.
  std::size_t length() const noexcept { return end_ - begin_; }
  /// The earliest timer. There must be one.
  const TimerEntry& first() const noexcept { return at(begin_); }
  /// Returns true if a timer with this deadline, armed now, belongs behind all others.
  bool takes(Clock::time_point when) const noexcept { return when >= last_; }

  /// Adds a timer that the lane `takes`. If it throws `std::bad_alloc`, nothing is changed.
  ERRAND_INLINE void add(TimerEntry entry) {
    if (end_ - begin_ == room_) [[unlikely]]
      make_room();
    put(end_++, entry);
    last_ = entry.when;
  }
  /// Removes the timer with this place, which its node knows.
  void remove(std::uint32_t place) noexcept {
    if (stands_at(place, begin_)) [[likely]] {
      ++begin_;
      for (; begin_ != end_ && !first().node; ++begin_) --gaps_;
      if (begin_ == end_) last_ = Clock::time_point::min();
    } else if (stands_at(place, end_ - 1)) {
      --end_;
      for (; !at(end_ - 1).node; --end_) --gaps_;
      last_ = at(end_ - 1).when;
    } else {
      at(place).node = nullptr;
      ++gaps_;
    }
  }
  /// Moves all timers to the heap. If it throws `std::bad_alloc`, no timer has moved.
  ERRAND_NOINLINE void move_to(TimerHeap& heap) {
    heap.reserve(length());
    for (; begin_ != end_; ++begin_) {
      if (first().node) heap.add(first());
    }
    last_ = Clock::time_point::min();
    gaps_ = 0;
  }

  /// Marks a place in the lane, in `TimerNode::timer`. A place in the heap has no mark.
  static constexpr std::uint32_t mark = 0x80000000;

 private:
  bool stands_at(std::uint32_t place, std::size_t i) const noexcept { return ((place ^ i) & mask_) == 0; }
  TimerEntry& at(std::size_t i) const noexcept { return ring_[i & mask_]; }
  void put(std::size_t i, const TimerEntry& entry) noexcept {
    at(i) = entry;
    entry.node->timer = static_cast<std::uint32_t>(i) | mark;
  }

  /// Called when the ring is full. If at least half of the entries are gaps, they are closed; if not, the ring is
  /// doubled. Nodes need not be told that it was: they know how many timers came before them, and not where they stand.
  ERRAND_NOINLINE void make_room() {
    if (ring_ && gaps_ >= room_ / 2) return close_gaps();
    const std::size_t room = room_ > 0 ? 2 * room_ : 32;
    TimerEntry* const entries = TimerEntry::allocate(room);
    for (std::size_t i = begin_; i != end_; ++i) entries[i & (room - 1)] = at(i);
    TimerEntry::deallocate(ring_);
    ring_ = entries;
    room_ = room;
    mask_ = room - 1;
  }
  void close_gaps() noexcept {
    std::size_t end = begin_;
    for (std::size_t i = begin_; i != end_; ++i) {
      if (at(i).node) put(end++, at(i));
    }
    end_ = end;
    gaps_ = 0;
  }

  TimerEntry* ring_ = nullptr;
  std::size_t room_ = 0;  // a power of two
  std::size_t mask_ = 0;
  std::size_t begin_ = 0;  // entries are counted from the first one ever: entry i stands in `ring_[i & mask_]`
  std::size_t end_ = 0;
  std::size_t gaps_ = 0;
  Clock::time_point last_ = Clock::time_point::min();  // the latest deadline
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
