// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

namespace model {

// The loop

inline Log Model::run() {
  main_ = &make_task(body(main_body), main_body, nullptr);
  if (program_.polls == 0) retain(main_);  // the reference that `run` has
  add_name(main_body, *main_, 0);
  set_slot(main_body, main_);
  push({Item::chain, &main_->chain});
  for (int turns = 0; program_.polls == 0 ? !ended_ : turns < program_.polls - 1; ++turns) {
    if (std::exchange(stop_, false) && !std::exchange(stopping_, true)) push({Item::stop});
    if (program_.polls && ready_.empty()) jump();
    const bool watches = stopping_ || program_.polls;
    do {
      turn();
    } while (!watches && !ready_.empty() && !stop_);
    if (!ready_.empty() || is_due() || stop_ || ended_ || program_.polls) continue;
    if (can_wake()) {
      jump();
    } else if (stopping_) {
      abort_all(true);
    } else {
      deadlock_ = stopping_ = true;
      push({Item::stop});
    }
  }
  if (program_.polls == 0) {
    closing_ = true;
    abort_all(false);
    turn();
    continue_advance();
    const bool threw_itself = main_->status == failed;
    if (deadlock_ && threw_itself) report(nullptr, {Thrown::deadlock});
    const Outcome outcome = deadlock_ && !threw_itself ? Outcome{{Thrown::deadlock}} : look(*main_);
    release(std::exchange(main_, nullptr));
    log(0, 0, Entry::ended, outcome.thrown.kind ? 0 : outcome.value, outcome.thrown);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i]) log(0, static_cast<int>(i), Entry::ended, slots_[i]->status * 1000 + slots_[i]->requests);
      set_slot(i, nullptr);
    }
  }
  destroy_app();
  return std::move(log_);
}

inline void Model::turn() {
  in_turn_ = true;
  while (!closing_ && !timers_.empty() && timers_.begin()->first.when <= now_) {
    const Item due = timers_.begin()->second;
    timers_.erase(timers_.begin());
    switch (due.type) {
      case Item::chain:
        static_cast<Chain*>(due.what)->timer = {};
        woken(*static_cast<Chain*>(due.what));
        continue;
      case Item::call: static_cast<Call*>(due.what)->timer = {}; break;
      case Item::limit: static_cast<Parallel*>(due.what)->timer = {}; break;
      case Item::signal_limit: {
        Chain& waiter = *static_cast<Chain*>(due.what);
        if (std::exchange(waiter.ended_limit, {}).order) continue;
        waiter.timer = {};
        break;
      }
      default: stop_timer_ = {}; break;
    }
    push(due);
  }
  std::swap(ready_, batch_);
  while (!batch_.empty()) {
    const Item item = batch_.front();
    batch_.pop_front();
    run(item);
  }
  in_turn_ = false;
  current_ = nullptr;
}

inline void Model::run(Item item) {
  if (item.type == Item::chain) return step(*static_cast<Chain*>(item.what));
  current_ = nullptr;
  switch (item.type) {
    case Item::call: return call(*static_cast<Call*>(item.what));
    case Item::limit: {
      Parallel& limited = *static_cast<Parallel*>(item.what);
      limited.time_is_up = true;
      return ask(*limited.live.front(), by_owner);
    }
    case Item::signal_limit: {
      Chain& waiter = *static_cast<Chain*>(item.what);
      waiter.timed_out = true;
      return woken(waiter);
    }
    case Item::stop: stop_timer_ = arm(graceful_timeout, {Item::stop_limit}); return drain(true);
    case Item::drained: return drained();
    default:
      drain_late_ = true;
      drain_broken_ = draining_;
      if (std::exchange(draining_, false)) push({Item::drained});
  }
}

inline bool Model::can_wake() const {
  const std::size_t own = stop_timer_.order ? 1 : 0;
  return now_ < target_ || (!program_.held && timers_.size() > own);
}

/// Returns true if a timer is due because somebody has advanced a held clock.
inline bool Model::is_due() const { return program_.held && !timers_.empty() && timers_.begin()->first.when <= now_; }

/// Moves the clock to the next deadline. Called only when nothing is ready, because time stands still otherwise.
inline void Model::jump() {
  if (now_ < target_) {
    continue_advance();
  } else if (!program_.held && !timers_.empty()) {
    now_ = std::max(now_, timers_.begin()->first.when);
  }
}

/// Continues an `advance`: moves the clock to the next deadline, or to the target if the target comes first.
inline void Model::continue_advance() {
  const long first = timers_.empty() ? target_ : timers_.begin()->first.when;
  if (first > now_) now_ = std::max(now_, std::min(first, target_));
}

/// Starts a task. If the last phase of the run is over, the task is destroyed and never runs.
inline void Model::start(Task& task) {
  if (closing_) {
    end_without_resuming(task, -1);
  } else {
    push({Item::chain, &task.chain});
  }
}
inline bool Model::refuses(Call& call) {
  if (closing_) call.state = Call::taken_back;
  return closing_;
}

// The end: all tasks are cancelled and awaited, also those that are added meanwhile

inline void Model::drain(bool asks) {
  for (Task* task : std::vector(pending_)) {
    if (asks && task->requests == 0) cancel(*task, -1);
  }
  if (!pending_.empty() && !(drain_late_ && asks)) {
    draining_ = true;
    drain_up_to_ = last_id_;
    return;
  }
  if (!pending_.empty()) {
    aborted_ = true;
    abort_all(true);
    drain_late_ = false;
    stop_timer_ = arm(graceful_timeout, {Item::stop_limit});
    return drain(false);
  }
  disarm(stop_timer_, {Item::stop_limit});
  drain_late_ = aborted_ = false;
  if (--drains_left_ == 0) {
    ended_ = true;
  } else {
    drain(true);
  }
}

inline void Model::check_drained() {
  if (!draining_ || (!pending_.empty() && pending_.front()->id <= drain_up_to_)) return;
  draining_ = false;
  push({Item::drained});
}

inline void Model::drained() {
  if (aborted_) {
    if (drain_late_) abort_all(false);
    aborted_ = false;
    return drain(true);
  }
  if (std::exchange(drain_broken_, false)) {
    aborted_ = true;
    abort_all(true);
    drain_late_ = false;
    stop_timer_ = arm(graceful_timeout, {Item::stop_limit});
    return drain(false);
  }
  drain(true);
}

/// Aborts all tasks, the last added first.
inline void Model::abort_all(bool reports) {
  std::vector<Task*> standing = std::exchange(pending_, {});
  for (; !standing.empty(); standing.pop_back()) {
    Task& task = *standing.back();
    if (task.status != pending) continue;
    retain(&task);
    end_without_resuming(task, -1);
    if (reports) report(&task, {Thrown::timeout});
    release(&task);
  }
}

/// Destroys all tasks that are left, the last added first, and reports the failures that nobody has looked at.
inline void Model::destroy_app() {
  closing_ = true;
  while (!pending_.empty()) end_without_resuming(*pending_.back(), -1);
  for (auto* queue : {&batch_, &ready_}) {
    for (const Item& item : std::exchange(*queue, {})) {
      if (item.type != Item::call) continue;
      Call& call = *static_cast<Call*>(item.what);
      if (call.has_handle) release(call.task);
    }
  }
  while (!unseen_.empty()) {
    Task& task = *unseen_.front();
    report(&task, look(task).thrown);
  }
}

}  // namespace model
