// SPDX-License-Identifier: MIT
#pragma once

#include "real.hpp"

namespace model {

inline Real::Coro<Value> Real::await_op(const Op& op) {
  const std::uint8_t a = op.arguments[0], b = op.arguments[1], c = op.arguments[2];
  const auto both = [this, a, b] { return slots_[a] && slots_[b]; };
  const auto mask = [](const errand::Waited<Value>& waited, const Task& first, const Task& second) {
    Value done = 0;
    for (const Task& task : waited.done) done |= (task == first) + 2 * (task == second);
    return done;
  };
  switch (op.kind) {
    case Kind::throw_error: throw Error(op.id);
    case Kind::throw_cancelled: throw errand::Cancelled(reason(op.id));
    case Kind::yield: co_await errand::yield(); co_return 0;
    case Kind::sleep: co_await errand::sleep(Seconds(a)); co_return 0;
    case Kind::put: co_await queues_[a].put(op.id); co_return 0;
    case Kind::get: {
      if (a == 0) co_return co_await queues_[a].get();
      const std::optional<int> item = co_await queues_[a].next();
      if (!item) throw errand::QueueClosed();
      co_return *item;
    }
    case Kind::next: {
      if (!subscriptions_[a]) co_return skipped;
      const std::optional<int> item = co_await subscriptions_[a]->next();
      co_return item.value_or(0);
    }
    case Kind::wait_watch: {
      const auto is_met = [a](int value) { return value % 4 == a; };
      co_return co_await watch_.wait(is_met);
    }
    case Kind::read:
      if (!readers_[a]) co_return skipped;
      co_return co_await readers_[a]->next();
    case Kind::wait_event: co_await event_.wait(); co_return 0;
    case Kind::wait_signal: {
      const errand::Signal signal = co_await app_->event(event_of(a), limit_of(b));
      co_return a == 3 ? 0 : signal.get<int>();
    }
    case Kind::dispatched: co_await app_->dispatch(dispatched_event(a), op.id); co_return -1;
    case Kind::await:
      if (!slots_[a]) co_return skipped;
      co_return co_await slots_[a];
    case Kind::wait_any:
    case Kind::wait_all:
    case Kind::wait_any_for: {
      if (!both()) co_return skipped;
      const Task first = slots_[a], second = slots_[b];
      const std::vector<Task> tasks{first, second};
      errand::Waited<Value> waited;
      if (op.kind == Kind::wait_any) {
        waited = co_await errand::wait_any(first, second);
      } else if (op.kind == Kind::wait_all) {
        waited = co_await errand::wait_all(first, second);
      } else {
        waited = co_await errand::wait_any(std::vector<Task>(tasks), limit_of(c));
      }
      co_return mask(waited, first, second);
    }
    case Kind::wait_task:
      if (!slots_[a]) co_return skipped;
      co_return co_await errand::wait_for(slots_[a], limit_of(b));
    case Kind::gather_tasks: {
      if (!both()) co_return skipped;
      const auto [x, y] = co_await errand::gather(slots_[a], slots_[b]);
      co_return encode({}, x) * 100'000 + encode({}, y);
    }
    case Kind::race_tasks: {
      if (!both()) co_return skipped;
      std::vector<Task> tasks{slots_[a], slots_[b]};
      const auto race = co_await errand::race(std::move(tasks));
      co_return static_cast<Value>(race.index()) * 100'000 + encode({}, race.value());
    }
    case Kind::race_raw: {
      const auto race = co_await errand::race(queues_[a].get(), errand::sleep(Seconds(b)));
      co_return static_cast<Value>(race.index()) * 100'000 + encode({}, race.index() ? 0 : std::get<0>(race.value()));
    }
    case Kind::get_for: co_return co_await errand::wait_for(queues_[a].get(), limit_of(b));
    case Kind::cancel_task:
      if (!app_->find_task(name_of(a))) co_return skipped;
      co_return co_await app_->cancel_task(name_of(a), reason(op.id));
    default: co_return skipped;
  }
}

inline Real::Coro<Value> Real::nest_op(Place place, const Op& op) {
  const auto inner = [&](std::size_t i) { return block(place, op.blocks[i], op.id); };
  switch (op.kind) {
    case Kind::repeat: co_await inner(0); co_return co_await inner(0);
    case Kind::lock: {
      const errand::Lock::Guard guard = co_await lock_.acquire();
      log(place.task, op.id, Entry::step);
      co_return co_await inner(0);
    }
    case Kind::try_lock: {
      const std::optional<errand::Lock::Guard> guard = lock_.try_acquire();
      if (!guard) co_return 0;
      log(place.task, op.id, Entry::step);
      co_return co_await inner(0);
    }
    case Kind::acquire: {
      const errand::Semaphore::Permit permit = co_await semaphore_.acquire(op.arguments[0]);
      log(place.task, op.id, Entry::step);
      co_return co_await inner(0);
    }
    case Kind::try_acquire: {
      const std::optional<errand::Semaphore::Permit> permit = semaphore_.try_acquire(op.arguments[0]);
      if (!permit) co_return 0;
      log(place.task, op.id, Entry::step);
      co_return co_await inner(0);
    }
    case Kind::catch_cancelled: co_return co_await catch_cancelled(place, op);
    case Kind::catch_error: co_return co_await catch_error(place, op);
    case Kind::finally: co_return co_await errand::finally(inner(0), inner(1));
    case Kind::wait_for: co_return co_await errand::wait_for(inner(0), limit_of(op.arguments[0]));
    case Kind::wait_within: {
      std::optional<errand::Timeout>& timeout = timeouts_[op.arguments[0]];
      if (!timeout) co_return skipped;
      co_return co_await errand::wait_for(inner(0), *timeout);
    }
    case Kind::gather: {
      const auto [x, y, z] = co_await errand::gather(inner(0), inner(1), inner(2));
      co_return (encode({}, x) * 100'000 + encode({}, y)) * 100'000 + encode({}, z);
    }
    case Kind::gather_each: {
      const auto of_block = [this, place, &op](const Block& ops) { return block(place, ops, op.id); };
      const std::vector<Value> results = co_await errand::gather(op.blocks, of_block, op.arguments[0]);
      Value all = 0;
      for (const Value result : results) all = all * 100'000 + encode({}, result);
      co_return all;
    }
    case Kind::settled: {
      const auto [x, y] = co_await errand::gather_settled(inner(0), inner(1));
      co_return code_of(x) * 100'000 + code_of(y);
    }
    case Kind::race: {
      const auto race = co_await errand::race(inner(0), inner(1), inner(2));
      const auto value = [](Value of_winner) { return of_winner; };
      co_return static_cast<Value>(race.index()) * 100'000 + encode({}, std::visit(value, race.value()));
    }
    case Kind::group: {
      const auto group_body = [this, place, &op](errand::TaskGroup& group) {
        return block({&group, place.task}, op.blocks[0], op.id);
      };
      co_return co_await errand::TaskGroup::run(group_body);
    }
    default: co_return co_await inner(0);
  }
}

inline Real::Coro<Value> Real::catch_cancelled(Place place, const Op& op) {
  std::exception_ptr caught;
  Value value = 0;
  try {
    value = co_await block(place, op.blocks[0], op.id);
  } catch (const errand::Cancelled& cancelled) {
    caught = std::current_exception();
    log(place.task, op.id, Entry::caught, 0, {Thrown::cancelled, op_of(cancelled.reason())});
  }
  if (!caught) co_return value;
  value = co_await block(place, op.blocks[1], op.id);
  if (op.arguments[0] == 0) std::rethrow_exception(caught);
  if (op.arguments[0] == 2) errand::current_task().uncancel();
  co_return value;
}

inline Real::Coro<Value> Real::catch_error(Place place, const Op& op) {
  Value value = -1;
  try {
    value = co_await block(place, op.blocks[0], op.id);
  } catch (const std::exception&) {
    log(place.task, op.id, Entry::caught, 0, thrown_by(std::current_exception()));
  }
  co_return value;
}

inline void Real::run_plain(Place place, const Op& op) {
  std::optional<Value> value;
  try {
    value = plain(place, op);
  } catch (...) {
    return log(place.task, op.id, Entry::threw, 0, thrown_by(std::current_exception()));
  }
  log(place.task, op.id, value ? Entry::gave : Entry::skipped, value.value_or(0));
}

/// Returns nullopt if there is nothing that the operation can work on.
inline std::optional<Value> Real::plain(Place place, const Op& op) {
  const std::uint8_t a = op.arguments[0], b = op.arguments[1], c = op.arguments[2];
  const auto policy = static_cast<errand::NameTaken>(c);
  const char type = shape_of(op.kind).arguments[0];
  const auto id_of = [](const errand::Task<>& task) { return static_cast<Value>(task.id()); };
  switch (op.kind) {
    case Kind::set_event: event_.set(); return 0;
    case Kind::clear_event: event_.clear(); return 0;
    case Kind::try_put: return queues_[a].try_put(op.id);
    case Kind::try_get: return queues_[a].try_get().value_or(0);
    case Kind::close: queues_[a].close(); return 0;
    case Kind::cancel_self:
      if (!errand::current_task()) return {};
      return errand::current_task().cancel(reason(op.id));
    case Kind::uncancel_self:
      if (!errand::current_task()) return {};
      return errand::current_task().uncancel();
    case Kind::spawn: {
      const int index = a % task_bodies;
      Task added = app_->add_task(new_work(index), b ? name_of(b) : "", policy);
      const Value id = id_of(added);
      slots_[static_cast<std::size_t>(index)] = std::move(added);
      return id;
    }
    case Kind::group_add: {
      if (!place.group) return {};
      const int index = a % task_bodies;
      Task added = place.group->add(new_work(index, place.group));
      const Value id = id_of(added);
      slots_[static_cast<std::size_t>(index)] = std::move(added);
      return id;
    }
    case Kind::get_task: return id_of(app_->get_task(name_of(a)));
    case Kind::ask_task: static_cast<void>(app_->cancel_task(name_of(a), reason(op.id))); return 1;
    case Kind::purge: return app_->purge_tasks();
    case Kind::count: {
      Value hash = 0;
      for (const errand::Task<>& task : app_->tasks()) hash = (hash * 7 + id_of(task)) % 1'000'003;
      for (const errand::Task<>& task : app_->all_tasks()) hash = (hash * 11 + id_of(task)) % 1'000'003;
      return hash;
    }
    case Kind::dispatch: return id_of(app_->dispatch(dispatched_event(a), op.id));
    case Kind::advance: clock_.advance(Seconds(a)); return 0;
    case Kind::cancel_call: return last_call_.cancel();
    case Kind::release: semaphore_.release(); return 0;
    case Kind::available: return static_cast<Value>(semaphore_.available());
    case Kind::send: broadcast_.send(op.id); return 0;
    case Kind::end_sends: broadcast_.close(); return 0;
    case Kind::subscribe: subscriptions_[a] = broadcast_.subscribe(b); return 0;
    case Kind::unsubscribe: subscriptions_[a].reset(); return 0;
    case Kind::try_next:
      if (!subscriptions_[a]) return {};
      return subscriptions_[a]->try_next().value_or(0);
    case Kind::lost:
      if (!subscriptions_[a]) return {};
      return static_cast<Value>(subscriptions_[a]->lost());
    case Kind::set_watch: watch_.set(op.id); return 0;
    case Kind::reader: readers_[a] = watch_.reader(); return 0;
    case Kind::make_timeout: timeouts_[a].emplace(limit_of(b)); return 0;
    case Kind::end_timeout: timeouts_[a].reset(); return 0;
    case Kind::reset:
    case Kind::reset_to:
      if (!timeouts_[a]) return {};
      op.kind == Kind::reset ? timeouts_[a]->reset() : timeouts_[a]->reset(limit_of(b));
      return 0;
    case Kind::expired:
      if (!timeouts_[a]) return {};
      return timeouts_[a]->expired();
    case Kind::call_soon: last_call_ = app_->call_soon([this, &op] { call(op); }); return 0;
    case Kind::call_later: last_call_ = app_->call_later(Seconds(a), [this, &op] { call(op); }); return 0;
    case Kind::find:
      if (b == 0) return {};
      slots_[a] = app_->find_task<Value>(name_of(b));
      return slots_[a] ? id_of(slots_[a]) : 0;
    default: break;
  }
  if (type != 't' || !slots_[a]) return {};
  switch (op.kind) {
    case Kind::cancel: return slots_[a].cancel(reason(op.id));
    case Kind::abort: return slots_[a].abort(reason(op.id));
    case Kind::uncancel: return slots_[a].uncancel();
    case Kind::inspect: return static_cast<Value>(slots_[a].status()) * 1000 + slots_[a].cancelling();
    case Kind::result: return slots_[a].result();
    case Kind::drop: slots_[a] = {}; return 0;
    case Kind::add_name:
      if (b == 0) return {};
      return id_of(app_->add_task(slots_[a], name_of(b), policy));
    case Kind::on_done: last_call_ = slots_[a].add_done_callback([this, &op](const Task&) { call(op); }); return 0;
    default: return {};
  }
}

/// Performs the operations of a callback.
inline void Real::call(const Op& op) {
  log(0, op.id, Entry::called);
  for (const Op& each : op.blocks[0]) {
    if (steps_ == most_steps) return;
    ++steps_;
    if (each.kind == Kind::leave) return;
    if (each.kind == Kind::throw_error) throw Error(each.id);
    if (each.kind == Kind::throw_cancelled) throw errand::Cancelled(reason(each.id));
    run_plain({nullptr, 0}, each);
  }
}

}  // namespace model
