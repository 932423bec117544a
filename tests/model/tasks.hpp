// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

namespace model {

// Tasks

inline Model::Task& Model::make_task(const Block& block, int index, Parallel* group) {
  Task& task = tasks_.emplace_back();
  task.id = ++last_id_;
  task.index = index;
  task.chain.task = &task;
  task.chain.frames.push_back(Frame{&block, -1 - index, group});
  pending_.push_back(&task);
  return task;
}

inline bool Model::cancel(Task& task, int reason) {
  if (task.status != pending) return false;
  ++task.requests;
  if (!is_asked(task.chain)) task.reason = reason;
  ask(task.chain, by_task);
  return true;
}

inline unsigned Model::uncancel(Task& task) {
  if (task.requests > 0 && --task.requests == 0 && task.status == pending) withdraw(task.chain);
  return task.requests;
}

inline void Model::end_without_resuming(Task& task, int reason) {
  if (task.status != pending) return;
  task.status = cancelled;
  const bool has_started = task.chain.state != Chain::created;
  destroy(task.chain);
  if (!has_started && task.index >= 0 && task.index < task_bodies) log(0, 0, Entry::unrun, task.index);
  finish(task, cancelled, {{Thrown::cancelled, reason}});
}

/// Called after the frames of the task have been destroyed.
inline void Model::finish(Task& task, Status status, Outcome outcome) {
  task.status = status;
  task.outcome = outcome;
  std::erase(pending_, &task);
  if (current_ == &task.chain) current_ = nullptr;
  if (program_.purge_when_done) std::erase_if(names_, [&](const auto& name) { return name.second == &task; });
  if (status == failed) {
    unseen_.push_back(&task);
    report_unwatched(task);
  }
  while (!task.awaiters.empty()) {
    const auto [chain, call, group] = task.awaiters.front();
    task.awaiters.erase(task.awaiters.begin());
    if (call) {
      call->has_handle = true;
      retain(&task);
      push({Item::call, call});
    } else if (group) {
      member_ended(*group, task);
    } else if (chain->needed == 0 || --chain->needed == 0) {
      woken(*chain);
    }
  }
  if (&task == main_ && !program_.polls) {
    for (Task* other : std::vector(pending_)) {
      if (other->chain.state == Chain::created) cancel(*other, -1);
    }
    stop_ = true;
  }
  check_drained();
  report_unwatched(task);
}

/// Reports an error that is thrown nowhere. A TaskCancelled is no error if an observed task was cancelled.
inline void Model::report_lost(const Chain& branch) {
  const Thrown thrown = branch.outcome.thrown;
  if (branch.observed && branch.observed->status == cancelled && thrown.kind == Thrown::task_cancelled) return;
  report(branch.task, thrown);
}

/// Called when a combinator is destroyed: reports the errors that it can no longer throw.
inline void Model::report_unthrown(const Parallel& parallel) {
  if (parallel.error.kind) report(parallel.chain->task, parallel.error);
  if (parallel.kind == Kind::settled || parallel.kind == Kind::group || parallel.failed.empty()) return;
  const bool is_winner = parallel.failed[0] == parallel.first;
  // In a race of waits, the result of the deciding wait is looked at only when the race goes on.
  if (!is_winner || parallel.kind != Kind::race_raw) report_lost(*parallel.failed[0]);
  if (is_winner && parallel.failed.size() > 1) report_lost(*parallel.failed[1]);
}

/// Reports the failure of a task if nobody can look at it any more.
inline void Model::report_unwatched(Task& task) {
  if (task.status == failed && !task.seen && task.handles == 0 && task.awaiters.empty())
    report(&task, look(task).thrown);
}

inline void Model::report(Task* task, Thrown thrown) {
  log(task ? task->id : 0, 0, Entry::reported, 0, thrown);
  const bool is_heard =
      std::any_of(signal_waiters_.begin(), signal_waiters_.end(), [](Chain* c) { return c->signal == 3; });
  if ((task && task->is_report) || closing_ || !is_heard) return;
  dispatch(3, 0, task).is_report = true;
}

/// Returns the outcome of an ended task, as a coroutine that awaits the task gets it.
inline Model::Outcome Model::look(Task& task) {
  task.seen = true;
  if (task.status == failed) std::erase(unseen_, &task);
  if (task.status == cancelled) return {{Thrown::task_cancelled, task.outcome.thrown.code}};
  return task.outcome;
}

/// Returns true for the running task, and for each task that holds the running task in a group.
inline bool Model::is_around(const Task& task) const {
  for (const Task* inner = current_task(); inner;) {
    if (inner == &task) return true;
    const auto member =
        std::find_if(inner->awaiters.begin(), inner->awaiters.end(), [](const Awaiter& each) { return each.group; });
    inner = member == inner->awaiters.end() ? nullptr : member->group->chain->task;
  }
  return false;
}

inline Model::Task* Model::registered(int name) const {
  const auto found = std::find_if(names_.begin(), names_.end(), [&](const auto& each) { return each.first == name; });
  return found == names_.end() ? nullptr : found->second;
}

inline void Model::add_name(int name, Task& task, int policy) {
  Task* const old = registered(name);
  std::erase_if(names_, [&](const auto& each) { return each.first == name; });
  names_.emplace_back(name, &task);
  if (old && policy == 3) cancel(*old, -1);
}

// Locks, queues, signals and calls

inline void Model::unlock() {
  lock_free_ = lockers_.empty();
  if (lock_free_) return;
  lockers_.front()->handed = true;
  woken(*lockers_.front());
}

inline bool Model::try_take(int permits) {
  if (!acquirers_.empty() || free_permits_ < permits) return false;
  free_permits_ -= permits;
  return true;
}

inline void Model::give_back(int permits) {
  free_permits_ += permits;
  serve();
}

/// Hands permits to the waiters, the first one first. None is handed past a waiter that wants more than there are.
inline void Model::serve() {
  while (!acquirers_.empty() && acquirers_.front()->wants <= free_permits_) {
    Chain& first = *acquirers_.front();
    free_permits_ -= first.wants;
    first.handed = true;
    woken(first);
  }
}

inline void Model::give(Queue& queue, Value item) {
  if (queue.getters.empty()) return queue.items.push_back(item);
  Chain& getter = *queue.getters.front();
  getter.handed = true;
  getter.result.value = item;
  woken(getter);
}

inline std::optional<Value> Model::take(Queue& queue) {
  if (queue.items.empty()) return {};
  const Value item = queue.items.front();
  queue.items.pop_front();
  if (!queue.putters.empty() &&
      queue.items.size() < program_.capacities[static_cast<std::size_t>(&queue - &queues_[0])]) {
    Chain& putter = *queue.putters.front();
    give(queue, op_of(putter.frames.back()).id);
    woken(putter);
  }
  return item;
}

/// Each subscriber gets the item, in the order in which they began to wait. A subscriber that waits for the first time,
/// or again, goes to the end of the audience.
inline void Model::send(Value item) {
  for (Subscriber* subscriber : audience_) give(*subscriber, ++subscriber->last, item);
}

/// Gives an item that was sent, or one that a task has not picked up: to the first waiter, or else to its place.
inline void Model::give(Subscriber& to, int number, Value item) {
  if (!to.waiters.empty()) {
    Chain& first = *to.waiters.front();
    first.handed = true;
    first.subscriber = &to;
    first.number = number;
    first.result.value = item;
    to.handed.push_back(&first);
    return woken(first);
  }
  to.items[number] = item;
  if (to.capacity == 0 || to.items.size() <= to.capacity) return;
  to.items.erase(to.items.begin());
  ++to.lost;
}

/// Returns 0 if there is no item.
inline Value Model::take(Subscriber& from) {
  if (from.items.empty()) return 0;
  const Value item = from.items.begin()->second;
  from.items.erase(from.items.begin());
  return item;
}

/// Called when the task has resumed, or is destroyed.
inline void Model::forget_subscriber(Chain& chain) {
  if (chain.subscriber) std::erase(std::exchange(chain.subscriber, nullptr)->handed, &chain);
}

inline void Model::end_sends() {
  sends_ended_ = true;
  for (Subscriber* subscriber : std::exchange(audience_, {})) {
    subscriber->closed = true;
    while (!subscriber->waiters.empty()) woken(*subscriber->waiters.front());
  }
}

/// The old subscription of this variable ends when the new one has begun.
inline void Model::subscribe(std::size_t slot, std::size_t capacity) {
  Subscriber& made = subscribers_.emplace_back(Subscriber{capacity, sends_ended_});
  if (!sends_ended_) audience_.push_back(&made);
  unsubscribe(slot);
  subscriptions_[slot] = &made;
}

/// The awaits of all that wait throw, and so do those that have been handed an item, which is lost.
inline void Model::unsubscribe(std::size_t slot) {
  Subscriber* const ended = std::exchange(subscriptions_[slot], nullptr);
  if (!ended) return;
  std::erase(audience_, ended);
  for (; !ended->waiters.empty(); woken(*ended->waiters.front())) ended->waiters.front()->result = {{Thrown::invalid}};
  for (Chain* chain : std::vector(ended->handed)) {
    chain->handed = false;
    chain->result = {{Thrown::invalid}};
    forget_subscriber(*chain);
  }
}

/// Wakes each task whose predicate the value satisfies, or that waits for a change, in the order in which they began to
/// wait. They get this value, even if it has changed again before they resume.
inline void Model::set_watch(Value value) {
  watched_ = value;
  ++changes_;
  for (Chain* watcher : std::vector(watchers_.begin(), watchers_.end())) {
    if (Reader* const reader = watcher->reader) {
      reader->seen = watcher->number = changes_;
      watcher->handed = true;
    } else if (!is_met(op_of(watcher->frames.back()), value)) {
      continue;
    }
    watcher->result.value = value;
    woken(*watcher);
  }
}

/// A waiter for signal 0 or 1 waits for this signal only. A waiter for signal 2 waits for any of 0, 1 and 2. Signal 3
/// is the report of a failure.
inline Model::Task& Model::dispatch(int signal, Value payload, Task* failed_task) {
  static const Block nothing;
  Task& task = make_task(signal < 3 ? handlers_[static_cast<std::size_t>(signal)] : nothing, -1, nullptr);
  task.chain.frames.back().quiet = true;
  retain(task.chain.observed = failed_task);
  for (Chain* waiter : std::vector(signal_waiters_.begin(), signal_waiters_.end())) {
    if (waiter->signal != signal && (waiter->signal != 2 || signal > 2)) continue;
    waiter->result.value = payload;
    woken(*waiter);
    retain(failed_task);
    if (failed_task) waiter->awaited = {failed_task};
  }
  start(task);
  return task;
}

inline void Model::call(Call& call) {
  call.state = Call::called;
  current_ = nullptr;
  log(0, call.op->id, Entry::called);
  Thrown thrown;
  for (const Op& op : call.op->blocks[0]) {
    if (steps_ == most_steps) break;
    ++steps_;
    if (op.kind == Kind::leave) break;
    if (op.kind == Kind::throw_error) thrown = {Thrown::error, op.id};
    if (op.kind == Kind::throw_cancelled) thrown = {Thrown::cancelled, op.id};
    if (thrown.kind) break;
    run_plain(op, 0, nullptr);
  }
  if (call.has_handle) release(call.task);
  if (thrown.kind) report(nullptr, thrown);
}

}  // namespace model
