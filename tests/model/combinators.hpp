// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

namespace model {

// Combinators

inline Model::Parallel& Model::parallel(Chain& chain) {
  return *(chain.parallel = &parallels_.emplace_back(Parallel{op_of(chain.frames.back()).kind, &chain}));
}

inline Model::Chain& Model::branch(Parallel& parallel) {
  Chain& made = parallel.branches.emplace_back();
  made.task = parallel.chain->task;
  made.owner = &parallel;
  parallel.live.push_back(&made);
  return made;
}

inline Model::Chain& Model::branch(Parallel& parallel, const Block& block, int owner_op, bool quiet) {
  Chain& made = branch(parallel);
  Frame frame{&block, owner_op, parallel.kind == Kind::group ? &parallel : parallel.chain->frames.back().group};
  frame.quiet = quiet;
  made.frames.push_back(frame);
  return made;
}

/// Called when a branch of a `gather_each` begins, and when its block has ended: goes on to the next block. Then
/// another branch begins, up to the limit, unless the gather was asked to end.
inline void Model::take_item(Chain& worker) {
  Parallel& all = *worker.owner;
  const Frame& outer = all.chain->frames.back();
  const Op& op = op_of(outer);
  if (all.decided || all.next_item == op.blocks.size()) return ended(worker, {});
  if (!may_begin(worker)) {
    const Thrown thrown{Thrown::cancelled, all.asked.has(by_task) ? worker.task->reason : -1};
    take_request(worker);
    return ended(worker, {thrown});
  }
  worker.item = all.next_item++;
  worker.frames.push_back(Frame{&op.blocks[worker.item], op.id, outer.group});
  if (all.branches.size() < op.arguments[0] && all.asked.empty()) run_next({Item::chain, &branch(all)});
}

/// Adds a branch that only observes a task.
inline void Model::observe(Parallel& parallel, Task& task) {
  static const Block await{{Kind::await, 0, {}, {}}};
  branch(parallel, await, 0, true).observed = &task;
  retain(&task);
}

/// Starts the branches at once. If a request is pending already, it is thrown when the first of them suspends.
inline void Model::start(Parallel& parallel) {
  Chain& chain = *parallel.chain;
  if (!chain.held) parallel.asked = std::exchange(chain.asked, {});
  chain.state = Chain::waiting;
  if (parallel.kind == Kind::wait_for || parallel.kind == Kind::wait_task || parallel.kind == Kind::get_for) {
    const Op& op = op_of(chain.frames.back());
    const int limit = op.arguments[parallel.kind == Kind::wait_for ? 0 : 1];
    if (limit > 0 && limit != unlimited) parallel.timer = arm(limit, {Item::limit, &parallel});
    parallel.time_is_up = limit == 0;
  }
  if (parallel.kind == Kind::wait_within) {
    Timeout& timeout = *timeouts_[op_of(chain.frames.back()).arguments[0]];
    timeout.wait = &parallel;
    parallel.timeout = &timeout;
    parallel.time_is_up = timeout.end <= now_;
    if (!parallel.time_is_up && timeout.end != never)
      parallel.timer = arm(timeout.end - now_, {Item::limit, &parallel});
  }
  for (auto branch = parallel.live.rbegin(); branch != parallel.live.rend(); ++branch) {
    (*branch)->asked = parallel.asked;
    if (parallel.time_is_up) ask(**branch, by_owner);
    run_next({Item::chain, *branch});
  }
}

/// Returns false if the combinator is decided, or if a request is pending and a branch before this one has suspended.
inline bool Model::may_begin(const Chain& branch) {
  const Parallel& parallel = *branch.owner;
  if (parallel.decided) return false;
  return parallel.asked.empty() || (!has_thrown(parallel) && parallel.live.front() == &branch);
}

inline void Model::branch_ended(Parallel& parallel, Chain& branch) {
  const Thrown thrown = branch.outcome.thrown;
  const bool is_cancelled = thrown.kind == Thrown::cancelled;
  const bool is_first = parallel.failed.empty() && !parallel.cancelled;
  const Requests requests = parallel.asked.not_in(branch.asked);  // requests from outside that the branch was thrown
  if (is_cancelled && !parallel.cancelled && parallel.kind != Kind::settled) parallel.cancelled = &branch;
  if (thrown.kind && !is_cancelled) parallel.failed.push_back(&branch);
  switch (parallel.kind) {
    case Kind::settled:
      parallel.used.add(requests);
      if (thrown.kind && !branch.thrown.empty() && !parallel.cancelled) parallel.cancelled = &branch;
      return;
    case Kind::gather:
    case Kind::gather_each:
    case Kind::gather_tasks:
      parallel.used.add(requests);
      if (!thrown.kind) return;
      if (is_first) {
        end_others(parallel, branch);
      } else if (!is_cancelled && parallel.failed.size() > 1) {
        report_lost(branch);
      }
      return;
    case Kind::race:
    case Kind::race_tasks:
    case Kind::race_raw:
      decided(parallel, branch);
      if (&branch == parallel.first) parallel.used.add(requests);
      if (&branch == parallel.first || !thrown.kind || is_cancelled) return;
      // The first error of a loser is kept, because the race throws it if the winner was cancelled.
      if (std::exchange(parallel.has_lost, true)) report_lost(branch);
      return;
    case Kind::group:
      parallel.waits_for_members = !parallel.members.empty();
      parallel.used.add(requests);
      if (thrown.kind) {
        group_failed(parallel, is_cancelled ? Thrown{} : thrown);
      } else if (!unused(parallel).empty() && !std::exchange(parallel.ending, true)) {
        ask_members(parallel);  // a request was pending from the beginning, and the group waits for the first time here
      }
      return;
    default:
      parallel.used.add(requests);
      disarm(parallel.timer, {Item::limit, &parallel});
      forget_timeout(parallel);
      return;
  }
}

inline void Model::ask_members(Parallel& group) {
  const Chain& chain = *group.chain;
  for (Task* member : std::vector(group.members)) {
    cancel(*member, group.asked.has(by_task) ? chain.task->reason : -1);
  }
}

inline void Model::make_timeout(std::size_t slot, int limit) {
  end_timeout(slot);
  timeouts_[slot] = &all_timeouts_.emplace_back(Timeout{limit, limit == unlimited ? never : now_ + limit});
}

/// The work that is waited for is asked to end, unless its time is up and it has been asked already.
inline void Model::end_timeout(std::size_t slot) {
  Timeout* const ended = std::exchange(timeouts_[slot], nullptr);
  if (!ended || !ended->wait) return;
  Parallel& wait = *ended->wait;
  disarm(wait.timer, {Item::limit, &wait});
  forget_timeout(wait);
  if (wait.time_is_up) return;
  wait.time_is_up = wait.is_broken = true;
  ask(*wait.live.front(), by_owner);
}

/// Counts from now on. A wait whose time is up is not saved.
inline void Model::restart(Timeout& timeout, int limit) {
  timeout.limit = limit;
  timeout.end = limit == unlimited ? never : now_ + limit;
  if (!timeout.wait || timeout.wait->time_is_up) return;
  disarm(timeout.wait->timer, {Item::limit, timeout.wait});
  if (limit != unlimited) timeout.wait->timer = arm(limit, {Item::limit, timeout.wait});
}

/// Called when the wait of a Timeout is over.
inline void Model::forget_timeout(Parallel& wait) {
  if (wait.timeout) std::exchange(wait.timeout, nullptr)->wait = nullptr;
}

/// Called when a member has ended. If the member was asked to end together with the group, it has ended because of the
/// request, or has swallowed it, or was not thrown it.
inline void Model::member_ended(Parallel& group, Task& member) {
  std::erase(group.members, &member);
  if (member.status == failed) {
    group_failed(group, look(member).thrown);
  } else if (group.ending && !group.asked.empty()) {
    if (member.status == cancelled) {
      group.member_cancelled = true;
    } else if (member.chain.asked.empty()) {
      group.used = group.asked;
    }
  }
  check_over(group);
}

/// The first branch that has ended, or that was woken, decides a race.
inline void Model::decided(Parallel& race, Chain& branch) {
  if (race.first) return;
  race.first = &branch;
  end_others(race, branch);
}

/// Asks the other branches to end, unless a request from outside has reached them: a second request would interrupt
/// their clean-up.
inline void Model::end_others(Parallel& parallel, Chain& branch) {
  parallel.decided = true;
  if (!parallel.asked.empty()) return;
  for (Chain* other : std::vector(parallel.live)) {
    if (other != &branch) ask(*other, by_owner);
  }
}

inline void Model::group_failed(Parallel& group, Thrown thrown) {
  if (thrown.kind && group.error.kind) return report(group.chain->task, thrown);
  if (thrown.kind) group.error = thrown;
  if (std::exchange(group.ending, true)) return;
  if (thrown.kind) {
    for (Task* member : std::vector(group.members)) cancel(*member, -1);
  } else {
    ask_members(group);
  }
  if (group.asked.empty() && !group.live.empty()) ask(*group.live.front(), by_owner);
}

inline void Model::check_over(Parallel& parallel) {
  Chain& chain = *parallel.chain;
  if (!parallel.live.empty() || !parallel.members.empty()) return;
  if (chain.state != Chain::waiting || chain.parallel != &parallel) return;
  parallel.throws_request = parallel.waits_for_members && parallel.member_cancelled && !unused(parallel).empty();
  const Thrown::Kind kind = end_of(parallel);
  // the requests that are still to be thrown
  if (kind && kind != Thrown::cancelled) {
    chain.asked.add(parallel.asked);
  } else {
    chain.asked.add(kind ? unused(parallel).not_in(parallel.thrown) : unused(parallel));
  }
  chain.state = Chain::ready;
  run_next({Item::chain, &chain});
}

/// Returns true if the time limit has ended the branch, and no request from outside has.
inline bool Model::timed_out(const Parallel& limit) {
  const Chain& branch = limit.branches.front();
  return limit.time_is_up && branch.outcome.thrown.kind == Thrown::cancelled && branch.thrown.empty();
}

/// Returns true if an item has won a race of waits. The race takes the item only when it goes on.
inline bool Model::has_won_item(const Parallel& race) {
  return race.kind == Kind::race_raw && race.first == &race.branches[0] && race.first->state == Chain::ended &&
         !race.first->outcome.thrown.kind;
}

/// Returns the kind of exception that a combinator throws after its branches have ended, or `nothing` if it gives a
/// value.
inline Thrown::Kind Model::end_of(const Parallel& parallel) {
  const Thrown::Kind failure = parallel.failed.empty() ? Thrown::Kind{} : parallel.failed[0]->outcome.thrown.kind;
  switch (parallel.kind) {
    case Kind::settled: return parallel.cancelled ? Thrown::cancelled : Thrown::Kind{};
    case Kind::group: return parallel.error.kind ? parallel.error.kind : parallel.branches[0].outcome.thrown.kind;
    case Kind::gather:
    case Kind::gather_each:
    case Kind::gather_tasks: return failure || !parallel.cancelled ? failure : Thrown::cancelled;
    case Kind::race:
    case Kind::race_tasks:
    case Kind::race_raw: {
      const Thrown::Kind winner = parallel.first->outcome.thrown.kind;
      return winner == Thrown::cancelled && failure ? failure : winner;
    }
    default:
      if (timed_out(parallel)) return parallel.is_broken ? Thrown::invalid : Thrown::timeout;
      return parallel.branches[0].outcome.thrown.kind;
  }
}

/// Returns the value or the exception that a combinator gives after its branches have ended.
inline Model::Outcome Model::outcome_of(Parallel& parallel) {
  const Outcome& first = parallel.branches.front().outcome;
  const auto code = [](const Outcome& outcome) { return encode(outcome.thrown, outcome.value); };
  const auto codes = [&] {
    Value all = 0;
    for (const Chain& branch : parallel.branches) all = all * 100'000 + code(branch.outcome);
    return Outcome{{}, all};
  };
  const auto failure = [](Chain* chain) { return Outcome{chain->outcome.thrown}; };
  switch (parallel.kind) {
    case Kind::settled:
      if (!parallel.cancelled) return codes();
      for (Chain* each : parallel.failed) report_lost(*each);
      if (parallel.cancelled->outcome.thrown.kind == Thrown::cancelled) return failure(parallel.cancelled);
      return {{Thrown::cancelled, parallel.asked.has(by_task) ? parallel.chain->task->reason : -1}};
    case Kind::gather:
    case Kind::gather_each:
    case Kind::gather_tasks:
      if (!parallel.failed.empty()) return failure(parallel.failed[0]);
      if (parallel.cancelled) return failure(parallel.cancelled);
      if (parallel.kind == Kind::gather_each) {
        Value all = 0;
        for (const Value result : parallel.results) all = all * 100'000 + encode({}, result);
        return {{}, all};
      }
      return codes();
    case Kind::race:
    case Kind::race_tasks:
    case Kind::race_raw: {
      const Chain& winner = *parallel.first;
      if (winner.outcome.thrown.kind == Thrown::cancelled && !parallel.failed.empty())
        return failure(parallel.failed[0]);
      for (Chain* each : parallel.failed) {
        if (each == &winner) continue;
        report_lost(*each);
        break;
      }
      if (winner.outcome.thrown.kind) return winner.outcome;
      Value index = 0;
      while (&parallel.branches[static_cast<std::size_t>(index)] != &winner) ++index;
      return {{}, index * 100'000 + code(winner.outcome)};
    }
    case Kind::group:
      if (parallel.error.kind) return {parallel.error};
      if (parallel.throws_request && !may_suspend(*parallel.chain)) return {take_request(*parallel.chain)};
      return first;
    default: return timed_out(parallel) ? Outcome{{end_of(parallel)}} : first;
  }
}

}  // namespace model
