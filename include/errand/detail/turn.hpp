// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <errand/detail/branches.hpp>

namespace errand::detail {

// How the loop runs what is ready. Steps that are not plain stand in steps.hpp.

inline void Loop::wake_all(List& list) noexcept {
  while (!list.empty()) WaitList::of<Waiter>(list.front()).wake();
}

inline void Loop::turn() {
  const bool was = std::exchange(attention, true);
  turns();
  attention = was;
}

inline void Loop::turns() {
  const Inbox& others = *inbox;
  const Step plain = timed_ ? Step::none : Step::chain;  // what needs no `run`
  if (others.pending()) [[unlikely]]
    inbox->take(ready_);
  do {
    if (!timers.empty()) take_due();
    ready_.push_back(end_of_turn_);
    for (Link* first = &ready_.pop_front(); first != &end_of_turn_; first = &ready_.pop_front()) {
      Node& node = static_cast<Node&>(*first);
      if (node.step == plain) [[likely]] {
        resume(static_cast<Chain&>(node));
      } else {
        run(node);
      }
    }
  } while (!attention && !ready_.empty() && !others.pending());
  current = nullptr;
  if (!late_reports_.empty()) [[unlikely]]
    report_now();
}

inline void Loop::take_due() {
  const Clock::time_point reading = now();
  while (!timers.empty() && timers.next() <= reading) {
    TimerNode& due = timers.pop();
    if (due.is_call) {
      make_ready(static_cast<Call&>(due));
    } else {
      static_cast<Suspension&>(due).chain()->woken();
    }
  }
}

inline void Loop::resume(Chain& chain) noexcept {
  current = &chain;
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
