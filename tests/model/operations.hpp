// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

namespace model {

// How operations are performed

inline void Model::begin_op(Chain& chain) {
  Frame& frame = chain.frames.back();
  if (frame.at == frame.ops->size() || (!frame.quiet && steps_ == most_steps)) {
    return leave_frame(chain, {{}, frame.last});
  }
  const Op& op = op_of(frame);
  if (!frame.quiet) ++steps_;
  switch (op.kind) {
    case Kind::throw_error: return complete(chain, {{Thrown::error, op.id}});
    case Kind::throw_cancelled: return complete(chain, {{Thrown::cancelled, op.id}});
    case Kind::leave: frame.last = op.id; return leave_frame(chain, {{}, frame.last});
    default: break;
  }
  if (is_plain(op.kind)) {
    run_plain(op, chain.task->id, frame.group);
    ++frame.at;
  } else if (op.kind < Kind::coro) {
    await_op(chain, op);
  } else {
    nest_op(chain, op);
  }
}

inline void Model::await_op(Chain& chain, const Op& op) {
  const std::uint8_t a = op.arguments[0], b = op.arguments[1], c = op.arguments[2];
  Queue& queue = queues_[a % 2];
  const auto pause = [&] {
    if (!may_suspend(chain)) return complete(chain, {take_request(chain)});
    chain.state = Chain::yielding;
    push({Item::chain, &chain});
  };
  const auto skip = [&] {
    log(chain.task->id, op.id, Entry::skipped);
    ++chain.frames.back().at;
  };
  const auto await_task = [&](Task& task) {
    retain(&task);
    chain.awaited = {&task};
    if (task.status != pending) {
      const Outcome outcome = woken_with(chain, op);
      drop_wait(chain);
      return complete(chain, outcome);
    }
    if (&task == chain.task) {
      drop_wait(chain);
      return complete(chain, {{Thrown::invalid}});
    }
    if (suspend(chain, nullptr)) task.awaiters.push_back({&chain, nullptr, nullptr});
  };
  const auto wait_tasks = [&](bool all, int limit) {
    Task* const tasks[] = {slots_[a], slots_[b]};
    if (!tasks[0] || !tasks[1]) return skip();
    if ((tasks[0] == chain.task || tasks[1] == chain.task)) return complete(chain, {{Thrown::invalid}});
    const auto left =
        static_cast<std::size_t>(std::count_if(tasks, tasks + 2, [](Task* t) { return t->status == pending; }));
    for (Task* task : tasks) retain(task);
    chain.awaited = {tasks[0], tasks[1]};
    if (all ? left == 0 : left < 2) {
      const Outcome outcome = woken_with(chain, op);
      drop_wait(chain);
      return complete(chain, outcome);
    }
    if (limit == 0) {
      if (!may_suspend(chain)) drop_wait(chain);
      return pause();
    }
    if (!suspend(chain, nullptr)) return;
    chain.needed = all ? left : 1;
    for (Task* task : tasks) {
      if (task->status == pending) task->awaiters.push_back({&chain, nullptr, nullptr});
    }
    if (limit != unlimited) chain.timer = arm(limit, {Item::chain, &chain});
  };
  switch (op.kind) {
    case Kind::yield: return pause();
    case Kind::sleep:
      if (a == 0) return pause();
      if (suspend(chain, nullptr)) chain.timer = arm(a, {Item::chain, &chain});
      return;
    case Kind::put:
      if (queue.closed) return complete(chain, {{Thrown::closed}});
      if (queue.items.size() >= program_.capacities[a % 2]) {
        suspend(chain, &queue.putters);
        return;
      }
      give(queue, op.id);
      return complete(chain, {{}, 0});
    case Kind::get:
      if (const auto item = take(queue)) return complete(chain, {{}, *item});
      if (queue.closed) return complete(chain, {{Thrown::closed}});
      suspend(chain, &queue.getters);
      return;
    case Kind::next: {
      Subscriber* const from = subscriptions_[a];
      if (!from) return skip();
      if (!from->items.empty()) return complete(chain, {{}, take(*from)});
      if (from->closed) return complete(chain, {{}, 0});
      if (!suspend(chain, &from->waiters) || from->waiters.size() > 1) return;
      std::erase(audience_, from);
      audience_.push_back(from);
      return;
    }
    case Kind::wait_watch:
      if (is_met(op, watched_)) return complete(chain, {{}, watched_});
      suspend(chain, &watchers_);
      return;
    case Kind::read: {
      Reader* const reader = readers_[a];
      if (!reader) return skip();
      if (std::exchange(reader->seen, changes_) != changes_) return complete(chain, {{}, watched_});
      if (suspend(chain, &watchers_)) chain.reader = reader;
      return;
    }
    case Kind::wait_event:
      if (event_) return complete(chain, {{}, 0});
      suspend(chain, &event_waiters_);
      return;
    case Kind::wait_signal:
      if (b == 0) return complete(chain, {may_suspend(chain) ? Thrown{Thrown::timeout} : take_request(chain)});
      chain.signal = a;
      if (suspend(chain, &signal_waiters_) && b != unlimited) chain.timer = arm(b, {Item::signal_limit, &chain});
      return;
    case Kind::dispatched: return await_task(dispatch(a % 3, op.id));
    case Kind::await: {
      Task* const task = chain.observed ? chain.observed : slots_[a];
      return task ? await_task(*task) : skip();
    }
    case Kind::wait_any: return wait_tasks(false, unlimited);
    case Kind::wait_all: return wait_tasks(true, unlimited);
    case Kind::wait_any_for: return wait_tasks(false, c);
    case Kind::wait_task:
      if (!slots_[a]) return skip();
      observe(parallel(chain), *slots_[a]);
      return start(*chain.parallel);
    case Kind::gather_tasks:
    case Kind::race_tasks:
      if (!slots_[a] || !slots_[b]) return skip();
      observe(parallel(chain), *slots_[a]);
      observe(*chain.parallel, *slots_[b]);
      return start(*chain.parallel);
    case Kind::race_raw:
      branch(parallel(chain), blocks_.emplace_back(Block{{Kind::get, op.id, {a}, {}}}), op.id, true);
      branch(*chain.parallel, blocks_.emplace_back(Block{{Kind::sleep, op.id, {b}, {}}}), op.id, true);
      for (Chain& each : chain.parallel->branches) each.decides_on_wake = true;
      return start(*chain.parallel);
    case Kind::get_for:
      branch(parallel(chain), blocks_.emplace_back(Block{{Kind::get, op.id, {a}, {}}}), op.id, true);
      return start(*chain.parallel);
    case Kind::cancel_task: {
      Task* const task = registered(a);
      if (!task) return skip();
      if (task == chain.task) return complete(chain, {{Thrown::invalid}});
      chain.frames.back().stage = task->status != pending;
      if (task->requests == 0) cancel(*task, op.id);
      return await_task(*task);
    }
    default: return;
  }
}

/// Returns the value or the exception of an operation after its wait has ended.
inline Model::Outcome Model::woken_with(Chain& chain, const Op& op) {
  switch (op.kind) {
    case Kind::wait_signal:
      if (!chain.timed_out) break;
      chain.timed_out = false;
      return {may_suspend(chain) ? Thrown{Thrown::timeout} : take_request(chain)};
    case Kind::dispatched: return {look(*chain.awaited[0]).thrown};
    case Kind::await: return look(*chain.awaited[0]);
    case Kind::wait_any:
    case Kind::wait_all:
    case Kind::wait_any_for:
      return {{}, (chain.awaited[0]->status != pending) + 2 * (chain.awaited[1]->status != pending)};
    case Kind::cancel_task: {
      Task& task = *chain.awaited[0];
      if (task.status == failed && !chain.frames.back().stage) return look(task);
      return {{}, task.status == cancelled};
    }
    default: break;
  }
  chain.handed = false;
  chain.wants = 0;
  chain.reader = nullptr;
  forget_subscriber(chain);
  return std::exchange(chain.result, {{}, 0});
}

inline void Model::nest_op(Chain& chain, const Op& op) {
  const int permits = op.arguments[0];
  switch (op.kind) {
    case Kind::lock:
      if (!lock_free_) {
        suspend(chain, &lockers_);
        return;
      }
      break;
    case Kind::try_lock:
      if (!lock_free_) return complete(chain, {{}, 0});
      break;
    case Kind::acquire:
      if (try_take(permits)) return enter_with_grant(chain);
      if (suspend(chain, &acquirers_)) chain.wants = permits;
      return;
    case Kind::try_acquire: return try_take(permits) ? enter_with_grant(chain) : complete(chain, {{}, 0});
    case Kind::wait_within:
      if (!timeouts_[op.arguments[0]]) {
        log(chain.task->id, op.id, Entry::skipped);
        ++chain.frames.back().at;
        return;
      }
      if (timeouts_[op.arguments[0]]->wait) return complete(chain, {{Thrown::invalid}});
      [[fallthrough]];
    case Kind::wait_for:
    case Kind::group: branch(parallel(chain), op.blocks[0], op.id, false); return start(*chain.parallel);
    case Kind::gather_each:
      branch(parallel(chain));
      chain.parallel->results.resize(op.blocks.size());
      return start(*chain.parallel);
    case Kind::gather:
    case Kind::settled:
    case Kind::race:
      parallel(chain);
      for (const Block& block : op.blocks) branch(*chain.parallel, block, op.id, false);
      return start(*chain.parallel);
    default: return enter(chain, op.blocks[0]);
  }
  lock_free_ = false;
  enter_with_grant(chain);
}

inline void Model::enter(Chain& chain, const Block& block) {
  const Frame& outer = chain.frames.back();
  Frame inner{&block, op_of(outer).id, outer.group};
  chain.frames.push_back(inner);
}

/// Called when the chain has been given the lock, or permits: runs the block, which holds them.
inline void Model::enter_with_grant(Chain& chain) {
  Frame& frame = chain.frames.back();
  const Op& op = op_of(frame);
  if (op.kind == Kind::lock || op.kind == Kind::try_lock) {
    frame.has_lock = true;
  } else {
    frame.permits = op.arguments[0];
  }
  log(chain.task->id, op.id, Entry::step);
  enter(chain, op.blocks[0]);
}

/// Called when the block that the operation awaits has ended.
inline void Model::inner_ended(Chain& chain, Outcome outcome) {
  Frame& frame = chain.frames.back();
  const Op& op = op_of(frame);
  switch (op.kind) {
    case Kind::repeat:
      if (!outcome.thrown.kind && frame.stage++ == 0) return enter(chain, op.blocks[0]);
      break;
    case Kind::lock:
    case Kind::try_lock:
      frame.has_lock = false;
      unlock();
      break;
    case Kind::acquire:
    case Kind::try_acquire: give_back(std::exchange(frame.permits, 0)); break;
    case Kind::catch_cancelled:
      if (frame.stage == 0) {
        if (outcome.thrown.kind != Thrown::cancelled) break;
        log(chain.task->id, op.id, Entry::caught, 0, outcome.thrown);
        frame.saved = outcome;
        frame.stage = 1;
        return enter(chain, op.blocks[1]);
      }
      if (outcome.thrown.kind) break;
      if (op.arguments[0] == 0) outcome = frame.saved;
      if (op.arguments[0] == 2) uncancel(*chain.task);
      break;
    case Kind::catch_error:
      if (!outcome.thrown.kind || outcome.thrown.kind == Thrown::cancelled) break;
      log(chain.task->id, op.id, Entry::caught, 0, outcome.thrown);
      outcome = {};
      break;
    case Kind::finally:
      if (frame.stage == 0) {
        frame.saved = outcome;
        frame.was_held = std::exchange(chain.held, true);
        frame.stage = 1;
        return enter(chain, op.blocks[1]);
      }
      chain.held = frame.was_held;
      if (!outcome.thrown.kind) {
        outcome = frame.saved;
      } else if (frame.saved.thrown.kind && frame.saved.thrown.kind != Thrown::cancelled) {
        report(chain.task, frame.saved.thrown);
      }
      frame.saved = {};
      break;
    default: break;
  }
  complete(chain, outcome);
}

}  // namespace model
