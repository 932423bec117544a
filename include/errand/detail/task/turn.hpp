// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <utility>

#include <errand/detail/task/steps.hpp>

namespace errand::detail {

// How the loop runs the nodes that are ready. The other members of Loop that run a step stand in steps.hpp.

#if ERRAND_DEFINES

ERRAND_ONCE void Loop::wake_all(List& list) noexcept {
  while (!list.empty()) WaitList::of<Waiter>(list.front()).wake();
}

ERRAND_ONCE void Loop::turns() {
  const Inbox& others = *inbox;
  const Step plain = probes_steps_ ? Step::none : Step::chain;  // nodes of this kind are resumed without `run`
  const auto make_step = [this, plain](Node& node) {
    if (node.step == plain) [[likely]] {
      resume(static_cast<Chain&>(node));
    } else {
      run(node);
    }
  };
  if (others.pending()) [[unlikely]]
    inbox->take(ready_);
  last_of_turn_ = ready_.end();
  steps_unread_ = 0;
  do {
    if (!timers.empty() && (clock_ || steps_unread_-- == 0)) take_due();
    Node* node = &ready_.front();
    if (node != &ready_.back()) {
      last_of_turn_ = &ready_.back();
      std::uint64_t steps = 0;
      do {
        make_step(ready_.pop_front());
        ++steps;
        node = &ready_.front();
      } while (node != last_of_turn_);
      counts.more_steps += steps;
      last_of_turn_ = ready_.end();
      steps_unread_ = 0;
    } else if (node == ready_.end()) {
      break;
    }
    make_step(ready_.pop_front());
    if (--turns_left == 0) [[unlikely]] {
      if (last_of_turn_ != ready_.end()) run_rest();
      if (turns_left == 0) break;
    }
  } while (!others.pending());
  current = nullptr;
  if (notices & reports_wait) [[unlikely]]
    report_late_failures();
}

/// Runs the nodes that the last step of a turn has put before everything else: they still belong to that turn.
ERRAND_NOINLINE ERRAND_ONCE void Loop::run_rest() {
  const unsigned turns_behind = turns_left_before_;
  while (last_of_turn_ != ready_.end()) {
    Node& node = ready_.pop_front();
    if (&node == last_of_turn_) last_of_turn_ = ready_.end();
    ++counts.more_steps;
    run(node);
  }
  turns_left = turns_behind - 1;
}

ERRAND_COLD ERRAND_ONCE void Loop::run_out() noexcept {
  inbox->take(ready_);
  if (ready_.empty()) return;
  add_to_turn(ready_.back());
  run_rest();
  turns_left = 1;
  current = nullptr;
  if (notices & reports_wait) report_late_failures();
}

ERRAND_NOINLINE ERRAND_ONCE void Loop::take_due() {
  current = nullptr;  // no chain is running now, also if the clock throws
  steps_unread_ = most_steps_unread;
  const Clock::time_point reading = now();
  time_seen_ = reading;
  last_of_turn_ = ready_.end();  // a clock of the user's may have ended a wait, and so have set the last node of a turn
  while (!timers.empty() && timers.next() <= reading) {
    TimerNode& due = timers.pop();
    if (due.is_call) {
      make_ready(static_cast<Call&>(due));
    } else {
      static_cast<Suspension&>(due).chain()->woken();
    }
  }
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
