// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <errand/detail/branches.hpp>

namespace errand::detail {

// How the loop runs what is ready. Steps that are timed stand in task_state.hpp.

inline void Loop::wake_all(List& list) noexcept {
  while (!list.empty()) WaitList::of<Suspension>(list.front()).wake();
}

inline void Loop::turn() {
  const bool was = std::exchange(attention, true);
  turns();
  attention = was;
}

inline void Loop::turns() {
  const Inbox& others = *inbox;
  in_turn_ = true;
  do {
    if (others.pending()) [[unlikely]]
      inbox->take(*ready_);
    if (!timers.empty()) take_due();
    std::swap(ready_, batch_);
    List& batch = *batch_;
    while (!batch.empty()) {
      Node& node = static_cast<Node&>(batch.pop_front());
      if (node.kind == Kind::chain && !timed_) [[likely]] {
        resume(static_cast<Chain&>(node));
      } else {
        run(node);
      }
    }
  } while (!attention && !ready_->empty() && !others.pending());
  in_turn_ = false;
  current = nullptr;
  if (!late_reports_.empty()) [[unlikely]]
    report_now();
}

inline void Loop::take_due() {
  const Clock::time_point reading = now();
  while (!timers.empty() && timers.next() <= reading) {
    TimerNode& due = timers.pop();
    if (due.kind == Kind::call) {
      make_ready(due);
    } else {
      static_cast<Suspension&>(due).chain()->woken();
    }
  }
}

inline void Loop::resume(Chain& chain) noexcept {
  current = &chain;
  if (chain.state == Chain::State::created && (chain.flags & (Chain::asked | Chain::has_work)) && !chain.begin())
    return;
  chain.state = Chain::State::running;
  do {
    chain.leaf->handle().resume();
  } while (chain.state == Chain::State::running);
  if (chain.state == Chain::State::ended) {
    chain.ended();
    if (!late_reports_.empty()) [[unlikely]]
      report_now();
  }
}

}  // namespace errand::detail
