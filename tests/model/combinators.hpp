// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

namespace model {

// Combinators

inline Model::Parallel& Model::parallel(Chain& chain) {
  return *(chain.parallel = &parallels_.emplace_back(Parallel{op_of(chain.frames.back()).kind, &chain}));
}

inline Model::Chain& Model::branch(Parallel& parallel, const Block& block, int of, bool quiet) {
  Chain& made = parallel.branches.emplace_back();
  made.task = parallel.chain->task;
  made.owner = &parallel;
  Frame frame{&block, of, parallel.kind == Kind::group ? &parallel : parallel.chain->frames.back().group};
  frame.quiet = quiet;
  made.frames.push_back(frame);
  parallel.live.push_back(&made);
  return made;
}

/// A branch that only observes a task.
inline void Model::observe(Parallel& parallel, Task& task) {
  static const Block await{{Kind::await, 0, {}, {}}};
  branch(parallel, await, 0, true).observed = &task;
  retain(&task);
}

/// Starts the branches at once. What is asked already is thrown where they suspend first.
inline void Model::start(Parallel& parallel) {
  Chain& chain = *parallel.chain;
  if (!chain.held) parallel.asked = std::exchange(chain.asked, {});
  chain.state = Chain::waiting;
  if (parallel.kind == Kind::wait_for || parallel.kind == Kind::wait_task || parallel.kind == Kind::get_for) {
    const Op& op = op_of(chain.frames.back());
    const int limit = op.arguments[parallel.kind == Kind::wait_for ? 0 : 1];
    if (limit > 0 && limit != unlimited) parallel.timer = arm(limit, {Item::limit, &parallel});
    parallel.over = limit == 0;
  }
  for (auto branch = parallel.live.rbegin(); branch != parallel.live.rend(); ++branch) {
    (*branch)->asked = parallel.asked;
    (*branch)->starts_anyway = !parallel.asked.empty() || parallel.over;
    if (parallel.over) ask(**branch, by_owner);
    run_next({Item::chain, *branch});
  }
}

inline void Model::branch_ended(Parallel& parallel, Chain& branch) {
  const Thrown thrown = branch.outcome.thrown;
  const bool is_cancelled = thrown.kind == Thrown::cancelled;
  const bool is_first = parallel.failed.empty() && !parallel.cancelled;
  if (is_cancelled && !parallel.cancelled) parallel.cancelled = &branch;
  if (thrown.kind && !is_cancelled) parallel.failed.push_back(&branch);
  switch (parallel.kind) {
    case Kind::gather:
    case Kind::gather_tasks:
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
      if (&branch == parallel.first || !thrown.kind || is_cancelled) return;
      // The first error of a loser is kept: it comes out where the winner was cancelled.
      if (std::exchange(parallel.has_lost, true)) report_lost(branch);
      return;
    case Kind::group:
      parallel.waits_for_members = !parallel.members.empty();
      if (thrown.kind && !is_cancelled) {
        group_failed(parallel, thrown);
      } else if (!parallel.ending && (is_cancelled || !unthrown(parallel).empty())) {
        group_failed(parallel, {});
      }
      return;
    default: disarm(parallel.timer, {Item::limit, &parallel}); return;
  }
}

/// The first that has ended, or was woken, decides a race.
inline void Model::decided(Parallel& race, Chain& branch) {
  if (race.first) return;
  race.first = &branch;
  end_others(race, branch);
}

/// Asks the other branches to end. Not those that a request from outside has reached: it does not interrupt their
/// clean-up.
inline void Model::end_others(Parallel& parallel, Chain& branch) {
  if (!parallel.asked.empty()) return;
  for (Chain* other : std::vector(parallel.live)) {
    if (other != &branch) ask(*other, by_owner);
  }
}

inline void Model::group_failed(Parallel& group, Thrown thrown) {
  if (thrown.kind && group.error.kind) return report(group.chain->task, thrown);
  if (thrown.kind) group.error = thrown;
  if (std::exchange(group.ending, true)) return;
  for (Task* member : std::vector(group.members)) {
    cancel(*member, group.asked.has(by_task) ? group.chain->task->reason : -1);
  }
  if (group.asked.empty() && !group.live.empty()) ask(*group.live.front(), by_owner);
}

inline void Model::check_over(Parallel& parallel) {
  Chain& chain = *parallel.chain;
  if (!parallel.live.empty() || !parallel.members.empty()) return;
  if (chain.state != Chain::waiting || chain.parallel != &parallel) return;
  if (is_race(parallel)) count_thrown(parallel);
  parallel.waits_for_members &= !unthrown(parallel).empty();
  chain.asked.add(unthrown(parallel));  // it is still to come
  if (is_race(parallel)) note_thrown(chain, parallel.asked.and_in(parallel.thrown));
  chain.state = Chain::ready;
  run_next({Item::chain, &chain});
}

/// What a combinator gives whose branches have ended.
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
      if (has_thrown(parallel) && parallel.cancelled) {
        for (std::size_t i = 1; i < parallel.failed.size(); ++i) {
          report_lost(*parallel.failed[i]);
        }
        return failure(parallel.failed.empty() ? parallel.cancelled : parallel.failed[0]);
      }
      return codes();
    case Kind::gather:
    case Kind::gather_tasks:
      if (!parallel.failed.empty()) return failure(parallel.failed[0]);
      if (parallel.cancelled) return failure(parallel.cancelled);
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
      // A request that came while it waited, or was pending then, is thrown here; otherwise it did not suspend.
      if (parallel.waits_for_members && !may_suspend(*parallel.chain)) {
        return {take_request(*parallel.chain)};
      }
      return first;
    default:
      if (parallel.over && !has_thrown(parallel) && first.thrown.kind == Thrown::cancelled) return {{Thrown::timeout}};
      return first;
  }
}

}  // namespace model
