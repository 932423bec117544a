// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>
#include <errand/detail/loop/node.hpp>
#include <errand/detail/loop/timer_heap.hpp>
#include <errand/detail/loop/timer_lane.hpp>

namespace errand::detail {

/// The timer queue. Most timers are time-outs, which are cancelled before they are due, and most time-outs have one of
/// a few constant delays: each is due later than the one that was armed before it. Those timers stand in a lane, and
/// all others in a heap. Timers with equal deadlines come out in the order in which they were armed, wherever they
/// stand.
class Timers {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// Returns the earliest deadline. There must be one.
  Clock::time_point next() const noexcept { return first().when; }

  /// Puts a node into the queue, unless its deadline is `never`. If it throws `std::bad_alloc`, nothing is changed.
  void arm(TimerNode& node, Clock::time_point when) {
    if (when != never) arm_finite(node, when);
  }
  /// Like `arm`, for a deadline that is not `never`.
  ERRAND_INLINE void arm_finite(TimerNode& node, Clock::time_point when) {
    if (lane_.takes(when)) {
      lane_.add({when, sequence_, &node});
    } else if (--patience_ > 0) [[likely]] {
      heap_.add({when, sequence_, &node});
    } else {
      add_without_patience({when, sequence_, &node});
    }
    ++sequence_;
    ++size_;
  }

  /// Takes a node out. It must be in the queue.
  void disarm(TimerNode& node) noexcept {
    const std::uint32_t place = node.timer;
    node.timer = TimerNode::unarmed;
    --size_;
    if (place & TimerLane::mark) {
      lane_.remove(place);
    } else {
      heap_.remove(place);
    }
  }

  /// Takes out the earliest node. There must be one.
  TimerNode& pop() noexcept {
    TimerNode& node = *first().node;
    disarm(node);
    return node;
  }

 private:
  const TimerEntry& first() const noexcept {
    if (lane_.empty()) return heap_.first();
    if (heap_.empty()) return lane_.first();
    return heap_.first() < lane_.first() ? heap_.first() : lane_.first();
  }

  /// A timer that is due in the far future keeps all others out of the lane. So after the lane has kept out eight times
  /// as many timers as stand in it, those move to the heap, and the lane begins again with this timer. A timer moves at
  /// most once.
  ERRAND_NOINLINE void add_without_patience(TimerEntry entry) {
    patience_ = 1;  // in case of `std::bad_alloc`: the next timer comes here again
    const std::size_t wanted = 8 * lane_.length();
    if (kept_out_ < wanted) {
      heap_.add(entry);
      patience_ = wanted - kept_out_;
      kept_out_ = wanted;
    } else {
      lane_.move_to(heap_);
      lane_.add(entry);
      patience_ = kept_out_ = least_patience;
    }
  }

  static constexpr std::size_t least_patience = 256;

  TimerHeap heap_;
  TimerLane lane_;
  std::size_t size_ = 0;
  std::size_t patience_ = least_patience;  // how many more timers may be kept out of the lane before it is looked at
  std::size_t kept_out_ = least_patience;  // how many were kept out since the lane began, when `patience_` is 0
  std::uint64_t sequence_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
