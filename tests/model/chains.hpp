// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

namespace model {

// Chains: threads of control

inline void Model::step(Chain& chain) {
  current_ = &chain;
  if (chain.ended_limit.order) timers_.erase(std::exchange(chain.ended_limit, {}));
  if (chain.state == Chain::created && !chain.owner && !chain.asked.empty()) {
    return end_without_resuming(*chain.task, request_of(chain).code);
  }
  if (chain.state == Chain::created && chain.owner && !may_begin(chain)) {
    const bool was_decided = chain.owner->decided;
    if (is_race(*chain.owner)) decided(*chain.owner, *chain.owner->live.front());  // the first one, which has suspended
    const Thrown thrown = was_decided ? request_of(chain) : take_request(chain);
    destroy(chain);
    return ended(chain, {thrown});
  }
  const bool starts = chain.state == Chain::created;
  chain.state = Chain::running;
  if (chain.interrupted) {
    drop_wait(chain);
    complete(chain, {take_request(chain)});
  } else if (Parallel* const parallel = std::exchange(chain.parallel, nullptr)) {
    complete(chain, outcome_of(*parallel));
  } else if (!starts) {
    const Op& op = op_of(chain.frames.back());
    const Outcome outcome = woken_with(chain, op);
    drop_wait(chain);
    if (op.kind == Kind::lock || op.kind == Kind::acquire) {
      enter_with_grant(chain);
    } else {
      complete(chain, outcome);
    }
  } else if (!chain.owner && chain.task->index >= 0) {
    log(chain.task->id, 0, Entry::started, chain.task->index);
  } else if (chain.frames.empty()) {
    take_item(chain);
  }
  while (chain.state == Chain::running) begin_op(chain);
}

/// Ends the operation that is under way with this value or exception.
inline void Model::complete(Chain& chain, Outcome outcome) {
  Frame& frame = chain.frames.back();
  const bool threw = outcome.thrown.kind;
  if (!frame.quiet) {
    log(chain.task->id, op_of(frame).id, threw ? Entry::threw : Entry::gave, threw ? 0 : outcome.value, outcome.thrown);
  } else {
    frame.last = outcome.value;
  }
  const bool goes_on =
      frame.owner_op < 0 && goes_on_after_errors(-1 - frame.owner_op) && outcome.thrown.kind != Thrown::cancelled;
  if (threw && (frame.quiet || !goes_on)) return leave_frame(chain, outcome);
  frame.stage = 0;
  ++frame.at;
}

inline void Model::leave_frame(Chain& chain, Outcome outcome) {
  chain.frames.pop_back();
  if (chain.frames.empty() && chain.owner && chain.owner->kind == Kind::gather_each && !outcome.thrown.kind) {
    chain.owner->results[chain.item] = outcome.value;
    take_item(chain);
  } else if (chain.frames.empty()) {
    release(chain.observed);
    ended(chain, outcome);
  } else {
    inner_ended(chain, outcome);
  }
}

inline void Model::ended(Chain& chain, Outcome outcome) {
  chain.state = Chain::ended;
  if (chain.owner) {
    chain.outcome = outcome;
    std::erase(chain.owner->live, &chain);
    branch_ended(*chain.owner, chain);
    return check_over(*chain.owner);
  }
  const Thrown::Kind kind = outcome.thrown.kind;
  finish(*chain.task, !kind ? succeeded : kind == Thrown::cancelled ? cancelled : failed, outcome);
}

inline bool Model::may_suspend(Chain& chain) { return chain.asked.empty() || chain.held; }

/// Returns false if a pending request is thrown instead.
inline bool Model::suspend(Chain& chain, std::deque<Chain*>* list) {
  if (!may_suspend(chain)) {
    drop_wait(chain);
    complete(chain, {take_request(chain)});
    return false;
  }
  chain.state = Chain::waiting;
  chain.list = list;
  if (list) list->push_back(&chain);
  return true;
}

/// Called when the wait of the chain has ended: makes the chain ready.
inline void Model::woken(Chain& chain) {
  leave(chain);
  chain.state = Chain::ready;
  push({Item::chain, &chain});
  if (chain.decides_on_wake) decided(*chain.owner, chain);
}

/// Takes the chain out of each list and queue in which it waits.
inline void Model::leave(Chain& chain) {
  if (chain.list) std::erase(*std::exchange(chain.list, nullptr), &chain);
  disarm(chain.timer, {Item::signal_limit, &chain});
  for (Task* task : chain.awaited) {
    std::erase_if(task->awaiters, [&](const Awaiter& each) { return each.chain == &chain; });
  }
}

/// Gives back all that the wait holds: references to tasks, and a lock, permits or an item that was handed to it.
inline void Model::drop_wait(Chain& chain) {
  chain.needed = 0;
  for (std::vector<Task*> awaited = std::exchange(chain.awaited, {}); !awaited.empty(); awaited.pop_back()) {
    release(awaited.back());
  }
  const int wanted = std::exchange(chain.wants, 0);
  if (!std::exchange(chain.handed, false)) {
    forget_subscriber(chain);
    chain.reader = nullptr;
    if (wanted) serve();  // there may be enough permits for those that waited behind this chain
    return;
  }
  if (wanted) return give_back(wanted);
  if (chain.reader) {
    Reader& reader = *std::exchange(chain.reader, nullptr);
    if (reader.seen == chain.number) --reader.seen;  // so that the next read gives this change
    chain.result = {{}, 0};
    return;
  }
  if (chain.subscriber) {
    Subscriber& from = *chain.subscriber;
    forget_subscriber(chain);
    return give(from, chain.number, std::exchange(chain.result, {{}, 0}).value);
  }
  const Op& op = op_of(chain.frames.back());
  if (op.kind == Kind::lock) return unlock();
  put_back(queues_[op.arguments[0] % 2], std::exchange(chain.result, {{}, 0}).value);
}

inline void Model::put_back(Queue& queue, Value item) {
  if (queue.getters.empty()) {
    queue.items.push_front(item);
  } else {
    give(queue, item);
  }
}

/// Destroys all frames of the chain at its current await. Branches are destroyed before the frame that holds them, and
/// the last branch first.
inline void Model::destroy(Chain& chain) {
  const bool has_started = chain.state != Chain::created;
  if (chain.ended_limit.order) timers_.erase(std::exchange(chain.ended_limit, {}));
  const bool has_item = chain.parallel && has_won_item(*chain.parallel);
  if (chain.state == Chain::waiting && chain.parallel) {
    Parallel& parallel = *chain.parallel;
    parallel.ending = true;
    while (!parallel.members.empty()) {
      Task& member = *parallel.members.back();
      parallel.members.pop_back();
      std::erase_if(member.awaiters, [&](const Awaiter& each) { return each.group == &parallel; });
      end_without_resuming(member, -1);
    }
    while (!parallel.live.empty()) {
      destroy(*parallel.live.back());
      parallel.live.pop_back();
    }
    disarm(parallel.timer, {Item::limit, &parallel});
    forget_timeout(parallel);
  }
  if (chain.parallel) {
    report_unthrown(*chain.parallel);
    if (has_item) put_back(queues_[op_of(chain.frames.back()).arguments[0] % 2], chain.parallel->first->outcome.value);
  }
  remove({Item::chain, &chain});
  if (chain.state == Chain::waiting) leave(chain);
  chain.state = Chain::ended;
  for (; !chain.frames.empty(); chain.frames.pop_back()) {
    Frame& frame = chain.frames.back();
    drop_wait(chain);
    if (frame.has_lock) unlock();
    if (frame.permits) give_back(frame.permits);
    if (frame.saved.thrown.kind && frame.saved.thrown.kind != Thrown::cancelled) {
      report(chain.task, frame.saved.thrown);  // the error of the body of a finally
    }
    if (has_started && !frame.quiet) log(chain.task->id, frame.owner_op, Entry::gone);
  }
  release(chain.observed);
}

inline void Model::ask(Chain& chain, Request request) {
  if (chain.state == Chain::ended) return;
  if (chain.state == Chain::waiting && chain.parallel && !chain.held) {
    Parallel& parallel = *chain.parallel;
    parallel.asked.insert(request);
    if (parallel.kind == Kind::group) parallel.ending = true;
    ask_members(parallel);
    for (Chain* branch : std::vector(parallel.live)) ask(*branch, request);
    return;
  }
  chain.asked.insert(request);
  if (chain.held) return;
  if (chain.state == Chain::yielding) chain.interrupted = true;
  if (chain.state != Chain::waiting) return;
  chain.interrupted = true;
  chain.by_the_task = request.from == by_task;
  if (chain.timer.order && timers_[chain.timer].type == Item::signal_limit) {
    chain.ended_limit = std::exchange(chain.timer, {});
  }
  leave(chain);
  chain.state = Chain::ready;
  push({Item::chain, &chain});
}

/// Takes back the requests to the task that have not been thrown yet. If a request has ended a wait already, the wait
/// cannot be taken up again: it still throws Cancelled.
inline void Model::withdraw(Chain& chain) {
  if (chain.state == Chain::waiting && chain.parallel) {
    chain.parallel->asked.drop(by_task);
    for (Chain* branch : chain.parallel->live) {
      branch->thrown.drop(by_task);
      withdraw(*branch);
    }
  }
  chain.asked.drop(by_task);
  if (chain.state == Chain::yielding && chain.asked.empty()) chain.interrupted = false;
}

/// Returns true if a request to the task is still to be thrown, in this chain or in a branch.
inline bool Model::is_asked(const Chain& chain) const {
  if (chain.asked.has(by_task)) return true;
  if (chain.state != Chain::waiting || !chain.parallel) return false;
  const auto& live = chain.parallel->live;
  const Chain* const first = chain.parallel->first;
  if ((live.empty() || (first && first->state == Chain::ended)) && unused(*chain.parallel).has(by_task)) return true;
  return std::any_of(live.begin(), live.end(), [this](const Chain* branch) { return is_asked(*branch); });
}

/// Takes all pending requests of the chain and returns the exception for them. Each request is thrown once in each
/// branch that it has reached, so the branches and combinators around note which requests were thrown.
inline Thrown Model::take_request(Chain& chain) {
  const Thrown thrown = request_of(chain);
  Requests taken = std::exchange(chain.asked, {});
  for (Chain* inner = &chain; inner->owner; inner = inner->owner->chain) {
    taken = taken.and_in(inner->owner->asked);
    inner->thrown.add(taken);
    inner->owner->thrown.add(taken);
  }
  chain.interrupted = chain.by_the_task = false;
  return thrown;
}

inline Thrown Model::request_of(const Chain& chain) {
  return {Thrown::cancelled, chain.by_the_task || chain.asked.has(by_task) ? chain.task->reason : -1};
}

}  // namespace model
