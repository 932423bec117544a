// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <errand/detail/destruction.hpp>

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
    last_ = &ready_.back();
    const auto make_step = [this, plain](Node& node) {
      if (node.step == plain) [[likely]] {
        resume(static_cast<Chain&>(node));
      } else {
        run(node);
      }
    };
    while (last_ != ready_.end()) {
      Node* node = &ready_.pop_front();
      for (; node != last_; node = &ready_.pop_front()) make_step(*node);
      last_ = ready_.end();
      make_step(*node);
    }
  } while (!attention && !ready_.empty() && !others.pending());
  current = nullptr;
  if (late_reports_) [[unlikely]]
    report_now();
}

ERRAND_NOINLINE inline void Loop::take_due() {
  current = nullptr;  // the clock may throw
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
  for (;;) {
    chain.leaf.resume();
    if (chain.state > Chain::State::ended) [[likely]]
      return;
    if (chain.state == Chain::State::ended) break;
  }
  chain.ended();
  if (late_reports_) [[unlikely]]
    report_now();
}

}  // namespace errand::detail
