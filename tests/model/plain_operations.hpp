// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

namespace model {

// Operations that don't await

inline void Model::run_plain(const Op& op, int who, Parallel* group) {
  const std::optional<Outcome> outcome = plain(op, group);
  if (!outcome) return log(who, op.id, Entry::skipped);
  const bool threw = outcome->thrown.kind;
  log(who, op.id, threw ? Entry::threw : Entry::gave, threw ? 0 : outcome->value, outcome->thrown);
}

/// Returns nullopt if there is nothing that the operation can work on.
inline std::optional<Model::Outcome> Model::plain(const Op& op, Parallel* group) {
  const std::uint8_t a = op.arguments[0], b = op.arguments[1], c = op.arguments[2];
  const auto value = [](Value number) { return Outcome{{}, number}; };
  const auto thrown = [](Thrown::Kind kind) { return Outcome{{kind}}; };
  Task* const task = shape_of(op.kind).arguments[0] == 't' ? slots_[a] : nullptr;
  Queue& queue = queues_[a % 2];
  switch (op.kind) {
    case Kind::set_event:
      event_ = true;
      while (!event_waiters_.empty()) woken(*event_waiters_.front());
      return value(0);
    case Kind::clear_event: event_ = false; return value(0);
    case Kind::try_put:
      if (queue.closed || queue.items.size() >= program_.capacities[a % 2]) return value(0);
      give(queue, op.id);
      return value(1);
    case Kind::try_get: return value(take(queue).value_or(0));
    case Kind::close:
      queue.closed = true;
      for (auto* waiters : {&queue.putters, &queue.getters}) {
        for (; !waiters->empty(); woken(*waiters->front())) waiters->front()->result = thrown(Thrown::closed);
      }
      return value(0);
    case Kind::cancel_self:
      if (!current_) return {};
      return value(cancel(*current_->task, op.id));
    case Kind::uncancel_self:
      if (!current_) return {};
      return value(uncancel(*current_->task));
    case Kind::spawn: return spawn(op);
    case Kind::get_task:
      if (Task* const found = registered(a)) return value(found->id);
      return thrown(Thrown::not_found);
    case Kind::ask_task: {
      Task* const found = registered(a);
      if (!found) return thrown(Thrown::not_found);
      if (found == current_task()) return thrown(Thrown::invalid);
      if (found->requests == 0) cancel(*found, op.id);
      return value(1);
    }
    case Kind::purge:
      return value(
          static_cast<Value>(std::erase_if(names_, [](const auto& name) { return name.second->status != pending; })));
    case Kind::count: {
      Value hash = 0;
      for (const auto& name : names_) hash = (hash * 7 + name.second->id) % 1'000'003;
      for (const Task* each : pending_) hash = (hash * 11 + each->id) % 1'000'003;
      return value(hash);
    }
    case Kind::dispatch: return value(dispatch(a % 3, op.id).id);
    case Kind::advance: {
      const bool is_advancing = now_ < target_;
      target_ = a + (is_advancing ? target_ : now_);
      if (!is_advancing) continue_advance();
      return value(0);
    }
    case Kind::cancel_call: {
      if (!last_call_ || last_call_->state != Call::waits) return value(0);
      Call& call = *last_call_;
      call.state = Call::taken_back;
      disarm(call.timer, {Item::call, &call});
      if (call.task) std::erase_if(call.task->awaiters, [&](const Awaiter& each) { return each.call == &call; });
      if (call.has_handle) release(call.task);
      return value(1);
    }
    case Kind::release: give_back(1); return value(0);
    case Kind::available: return value(free_permits_);
    case Kind::send:
      if (sends_ended_) return thrown(Thrown::closed);
      send(op.id);
      return value(0);
    case Kind::end_sends: end_sends(); return value(0);
    case Kind::subscribe: subscribe(a, b); return value(0);
    case Kind::unsubscribe: unsubscribe(a); return value(0);
    case Kind::try_next:
      if (!subscriptions_[a]) return {};
      return value(take(*subscriptions_[a]));
    case Kind::lost:
      if (!subscriptions_[a]) return {};
      return value(subscriptions_[a]->lost);
    case Kind::set_watch: set_watch(op.id); return value(0);
    case Kind::reader: readers_[a] = &all_readers_.emplace_back(Reader{changes_}); return value(0);
    case Kind::make_timeout: make_timeout(a, b); return value(0);
    case Kind::end_timeout: end_timeout(a); return value(0);
    case Kind::reset:
    case Kind::reset_to:
      if (!timeouts_[a]) return {};
      restart(*timeouts_[a], op.kind == Kind::reset ? timeouts_[a]->limit : b);
      return value(0);
    case Kind::expired:
      if (!timeouts_[a]) return {};
      return value(timeouts_[a]->end <= now_);
    case Kind::call_soon: {
      Call& call = add_call(op);
      if (!refuses(call)) push({Item::call, &call});
      return value(0);
    }
    case Kind::call_later: {
      Call& call = add_call(op);
      if (!refuses(call)) call.timer = arm(a, {Item::call, &call});
      return value(0);
    }
    case Kind::find:
      if (b == 0) return {};
      set_slot(a, registered(b));
      return value(slots_[a] ? slots_[a]->id : 0);
    case Kind::group_add: {
      if (!group) return {};
      if (group->ending) {
        log(0, 0, Entry::unrun, a % task_bodies);
        return thrown(Thrown::invalid);
      }
      Task& member = make_task(body(a % task_bodies), a % task_bodies, group);
      member.awaiters.push_back({nullptr, nullptr, group});
      group->members.push_back(&member);
      push({Item::chain, &member.chain});
      set_slot(a % task_bodies, &member);
      return value(member.id);
    }
    default: break;
  }
  if (!task) return {};
  switch (op.kind) {
    case Kind::cancel: return value(cancel(*task, op.id));
    case Kind::abort:
      if (task->status != pending) return value(0);
      if (is_around(*task)) return thrown(Thrown::invalid);
      end_without_resuming(*task, op.id);
      return value(1);
    case Kind::uncancel: return value(uncancel(*task));
    case Kind::inspect: return value(task->status * 1000 + task->requests);
    case Kind::result:
      if (task->status == pending) return thrown(Thrown::invalid);
      return look(*task);
    case Kind::drop: set_slot(a, nullptr); return value(0);
    case Kind::add_name: {
      if (b == 0) return {};
      Task* const old = registered(b);
      if (old && old->status == pending) {
        if (c == 2 || old == task) return value(old->id);
        if (c == 0) return thrown(Thrown::in_use);
      }
      add_name(b, *task, c);
      return value(task->id);
    }
    case Kind::on_done: {
      Call& call = add_call(op);
      call.task = task;
      if (task->status == pending) {
        task->awaiters.push_back({nullptr, &call, nullptr});
      } else if (!refuses(call)) {
        call.has_handle = true;
        retain(task);
        push({Item::call, &call});
      }
      return value(0);
    }
    default: return {};
  }
}

inline Model::Call& Model::add_call(const Op& op) { return *(last_call_ = &calls_.emplace_back(Call{&op})); }

/// The policies are those of NameTaken: 0 fail, 1 replace, 2 keep, 3 cancel.
inline Model::Outcome Model::spawn(const Op& op) {
  const std::size_t index = op.arguments[0] % task_bodies;
  const int name = op.arguments[1], policy = op.arguments[2];
  Task* const old = name ? registered(name) : nullptr;
  if (old && old->status == pending && (policy == 0 || policy == 2)) {
    if (policy == 2) retain(old);
    log(0, 0, Entry::unrun, static_cast<Value>(index));
    if (policy == 0) return {{Thrown::in_use}};
    set_slot(index, old);
    release(old);
    return {{}, old->id};
  }
  Task& task = make_task(body(static_cast<int>(index)), static_cast<int>(index), nullptr);
  if (name) add_name(name, task, policy);
  start(task);
  set_slot(index, &task);
  return {{}, task.id};
}

}  // namespace model
