// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <errand/errand.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "log.hpp"

namespace model {

/// Runs a program on errand.
class Real {
 public:
  explicit Real(const Program& program);
  Log run();
  /// Returns the number of objects that were not destroyed exactly once.
  int wrongly_destroyed() const {
    int count = 0;
    for (const int times : destroyed_) count += times != 1;
    return count;
  }

 private:
  template <class T>
  using Coro = errand::Coro<T>;
  using Task = errand::Task<Value>;
  using Seconds = std::chrono::seconds;

  struct Error : std::runtime_error {
    explicit Error(int its_op) : runtime_error("failed"), op(its_op) {}
    int op;
  };
  /// The task in which operations are performed, and the innermost group.
  struct Place {
    errand::TaskGroup* group;
    int task;
  };
  /// Stands in a frame or in an argument, and logs its destruction unless it was disarmed before.
  class LoggedObject {
   public:
    LoggedObject(Real& real, int task, int op, Entry::What what, Value value = 0)
        : real_(&real), task_(task), op_(op), what_(what), value_(value), number_(real.destroyed_.size()) {
      real.destroyed_.push_back(0);
    }
    LoggedObject(LoggedObject&& other) noexcept
        : real_(std::exchange(other.real_, nullptr)),
          task_(other.task_),
          op_(other.op_),
          what_(other.what_),
          value_(other.value_),
          number_(other.number_),
          armed_(other.armed_) {}
    ~LoggedObject() {
      if (!real_) return;
      ++real_->destroyed_[number_];
      if (armed_) real_->log(task_, op_, what_, value_);
    }
    void disarm() noexcept { armed_ = false; }

   private:
    Real* real_;
    int task_, op_;
    Entry::What what_;
    Value value_;
    std::size_t number_;
    bool armed_ = true;
  };

  Coro<Value> main();
  Coro<Value> body(LoggedObject never_ran, int index, errand::TaskGroup* group);
  Coro<Value> block(Place place, const Block& ops, int owner_op);
  Coro<Value> await_op(const Op& op);
  Coro<Value> nest_op(Place place, const Op& op);
  Coro<Value> catch_cancelled(Place place, const Op& op);
  Coro<Value> catch_error(Place place, const Op& op);
  void run_plain(Place place, const Op& op);
  std::optional<Value> plain(Place place, const Op& op);
  void call(const Op& op);
  Coro<Value> new_work(int index, errand::TaskGroup* group = nullptr) {
    return body(LoggedObject(*this, 0, 0, Entry::unrun, index), index, group);
  }

  void log(int task, int op, Entry::What what, Value value = 0, Thrown thrown = {}) {
    log_.push_back({static_cast<long>(std::chrono::duration_cast<Seconds>(clock_.now().time_since_epoch()).count()),
                    task, op, what, value, thrown});
  }
  static Thrown thrown_by(const std::exception_ptr& exception);
  static std::string reason(int op) { return std::to_string(op); }
  static int op_of(const std::string& reason) { return reason.empty() ? -1 : std::stoi(reason); }
  static std::string name_of(int name) { return std::string(1, static_cast<char>('n' + name)); }
  static constexpr int skipped = -1000;  // the value of an operation that has nothing to work on
  static const char* dispatched_event(int signal) {
    constexpr const char* events[] = {"a.b.c", "a.b.d", "a.b.e"};
    return events[signal % 3];
  }
  static const char* event_of(int signal) {
    constexpr const char* events[] = {"a.b.c", "a.b.d", "a.b.*", "server.exception.report"};
    return events[signal];
  }
  static Seconds limit_of(int limit) { return limit == unlimited ? Seconds::max() : Seconds(limit); }
  template <class T>
  static Value code_of(const errand::Outcome<T>& outcome) {
    return outcome.has_value() ? encode({}, outcome.value()) : encode(thrown_by(outcome.exception()), 0);
  }

  const Program& program_;
  Log log_;
  std::vector<int> destroyed_;
  int steps_ = 0;
  errand::ManualClock clock_;
  errand::Lock lock_;
  errand::Semaphore semaphore_{permits_at_start};
  errand::Event event_;
  std::array<errand::Queue<int>, 2> queues_;
  errand::Broadcast<int> broadcast_;
  std::array<std::optional<errand::Subscription<int>>, 2> subscriptions_;
  errand::Watch<int> watch_{0};
  std::array<std::optional<errand::Watch<int>::Reader>, 2> readers_;
  std::array<std::optional<errand::Timeout>, 2> timeouts_;
  std::array<Task, slots> slots_;
  errand::CallHandle last_call_;
  std::unique_ptr<errand::App> app_;
};

inline Real::Real(const Program& program)
    : program_(program),
      clock_(program.held ? errand::ManualClock::held : errand::ManualClock::jumping),
      queues_{errand::Queue<int>(program.capacities[0]), errand::Queue<int>(program.capacities[1])} {
  errand::AppConfig config;
  config.clock = &clock_;
  config.purge_when_done = program.purge_when_done;
  config.on_failure = [this](const errand::TaskFailure& failure) {
    log(failure.task() ? static_cast<int>(failure.task().id()) : 0, 0, Entry::reported, 0,
        thrown_by(failure.exception()));
  };
  app_ = std::make_unique<errand::App>("app", std::move(config));
  constexpr const char* patterns[] = {"a.b.c", "a.b.<any>"};
  for (int i = first_handler; i < bodies; ++i) {
    const Block& handler = program.body[static_cast<std::size_t>(i)];
    if (handler.empty()) continue;
    app_->add_signal(patterns[i - first_handler], [this, i, &handler] {
      return block({nullptr, static_cast<int>(errand::current_task().id())}, handler, i);
    });
  }
}

inline Log Real::run() {
  if (program_.polls) {
    app_->add_task(main());
    for (int i = 0; i < program_.polls && app_->poll(); ++i) continue;
  } else {
    Value value = 0;
    Thrown thrown;
    try {
      value = app_->run(main());
    } catch (...) {
      thrown = thrown_by(std::current_exception());
    }
    log(0, 0, Entry::ended, value, thrown);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i]) {
        log(0, static_cast<int>(i), Entry::ended,
            static_cast<Value>(slots_[i].status()) * 1000 + slots_[i].cancelling());
      }
      slots_[i] = {};
    }
  }
  app_.reset();
  slots_ = {};
  last_call_ = {};
  return std::move(log_);
}

inline Thrown Real::thrown_by(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return {Thrown::error, error.op};
  } catch (const errand::Cancelled& cancelled) {
    return {Thrown::cancelled, op_of(cancelled.reason())};
  } catch (const errand::TaskCancelled& cancelled) {
    return {Thrown::task_cancelled, op_of(cancelled.reason())};
  } catch (const errand::TimeoutError&) {
    return {Thrown::timeout};
  } catch (const errand::QueueClosed&) {
    return {Thrown::closed};
  } catch (const errand::InvalidState&) {
    return {Thrown::invalid};
  } catch (const errand::TaskNotFound&) {
    return {Thrown::not_found};
  } catch (const errand::TaskNameInUse&) {
    return {Thrown::in_use};
  } catch (const errand::Deadlock&) {
    return {Thrown::deadlock};
  } catch (...) {
    return {Thrown::other};
  }
}

inline Real::Coro<Value> Real::main() {
  const Place place{nullptr, static_cast<int>(errand::current_task().id())};
  app_->add_task(errand::current_task(), "main");
  slots_[main_body] = app_->get_task<Value>("main");
  log(place.task, 0, Entry::started, main_body);
  co_return co_await block(place, program_.body[main_body], -1 - main_body);
}

inline Real::Coro<Value> Real::body(LoggedObject never_ran, int index, errand::TaskGroup* group) {
  never_ran.disarm();
  const Place place{group, static_cast<int>(errand::current_task().id())};
  log(place.task, 0, Entry::started, index);
  co_return co_await block(place, program_.body[static_cast<std::size_t>(index)], -1 - index);
}

inline Real::Coro<Value> Real::block(Place place, const Block& ops, int owner_op) {
  LoggedObject standing(*this, place.task, owner_op, Entry::gone);
  Value result = -1;
  for (const Op& op : ops) {
    if (steps_ == most_steps) break;
    ++steps_;
    if (op.kind == Kind::leave) {
      result = op.id;
      break;
    }
    if (is_plain(op.kind) && op.kind < Kind::throw_error) {
      run_plain(place, op);
      continue;
    }
    try {
      Value value = 0;
      if (op.kind < Kind::coro) {
        value = co_await await_op(op);
      } else {
        value = co_await nest_op(place, op);
      }
      if (value == skipped) {
        log(place.task, op.id, Entry::skipped);
      } else {
        log(place.task, op.id, Entry::gave, value);
      }
    } catch (...) {
      const Thrown thrown = thrown_by(std::current_exception());
      log(place.task, op.id, Entry::threw, 0, thrown);
      if (owner_op < 0 && goes_on_after_errors(-1 - owner_op) && thrown.kind != Thrown::cancelled) continue;
      standing.disarm();
      throw;
    }
  }
  standing.disarm();
  co_return result;
}

}  // namespace model

#include "real_operations.hpp"
