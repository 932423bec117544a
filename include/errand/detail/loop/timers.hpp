// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>
#include <errand/detail/loop/node.hpp>

namespace errand::detail {

/// The deadlines, in a 4-ary heap. Each node knows its place, so that a timer that is no longer wanted, as most are,
/// leaves at once. Equal deadlines come out in the order in which they were armed.
class Timers {
 public:
  Timers() { grow(); }
  ~Timers() { delete[] heap_; }
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// The earliest deadline. There must be one.
  Clock::time_point next() const noexcept { return heap_[0].when; }

  /// Throws `std::bad_alloc`; nothing is changed then. A deadline of `never` is not kept.
  void arm(TimerNode& node, Clock::time_point when) {
    if (when != never) arm_finite(node, when);
  }
  /// The same of one that is not `never`.
  void arm_finite(TimerNode& node, Clock::time_point when) {
    if (size_ == room_) [[unlikely]]
      grow();
    rise(size_++, Entry{when, ++sequence_, &node});
  }

  void disarm(TimerNode& node) noexcept {
    const std::size_t hole = node.timer;
    node.timer = TimerNode::unarmed;
    if (hole != --size_) fill(hole);
  }

  /// Takes out the earliest node. There must be one.
  TimerNode& pop() noexcept {
    TimerNode& node = *heap_[0].node;
    disarm(node);
    return node;
  }

 private:
  struct Entry {
    Clock::time_point when;
    std::uint64_t sequence;
    TimerNode* node;

    bool operator<(const Entry& other) const noexcept {
      return when != other.when ? when < other.when : sequence < other.sequence;
    }
  };

  /// With the entry behind the last.
  ERRAND_NOINLINE void fill(std::size_t hole) noexcept { rise(sink(hole), heap_[size_]); }

  static std::size_t parent(std::size_t i) noexcept { return (i - 1) / 4; }

  void put(std::size_t i, const Entry& entry) noexcept {
    heap_[i] = entry;
    entry.node->timer = static_cast<std::uint32_t>(i);
  }

  void rise(std::size_t i, Entry entry) noexcept {
    while (i > 0) {
      const std::size_t above = parent(i);
      if (!(entry < heap_[above])) break;
      put(i, heap_[above]);
      i = above;
    }
    put(i, entry);
  }

  /// Moves a hole down to a leaf, on the way of the earliest; the last entry, which is to fill it, seldom has to rise
  /// far from there.
  std::size_t sink(std::size_t hole) noexcept {
    const std::size_t size = size_;
    const Entry* const heap = heap_;
    for (;;) {
      const std::size_t first = 4 * hole + 1;
      std::size_t least = first;
      if (first + 4 <= size) [[likely]] {
        const Entry* const child = heap + first;
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
    Entry* const heap = new Entry[room];
    for (std::size_t i = 0; i < size_; ++i) heap[i] = heap_[i];
    delete[] heap_;
    heap_ = heap;
    room_ = room;
  }

  Entry* heap_ = nullptr;
  std::size_t size_ = 0;
  std::size_t room_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
