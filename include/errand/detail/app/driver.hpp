// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <errand/config.hpp>
#include <errand/detail/app/collector.hpp>
#include <errand/detail/app/lifecycle.hpp>
#include <errand/detail/app/workers.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/loop/interrupts.hpp>

namespace errand::detail {

/// Makes the turns of an App, from the beginning of a run to its end: for `run`, which sleeps between the turns, and
/// for `poll`, which returns to its caller.
class Driver {
 public:
  /// `app` is the name of the App, for messages.
  Driver(Loop& loop, Lifecycle& life, const std::string& app, Reactor* reactor) noexcept
      : loop_(loop), life_(life), app_(app), reactor_(reactor) {}

  /// Makes a run, until it is stopped or nothing is left to do. Throws the error of the run.
  void run(RunOptions its_options, OtherWorkers* others);
  /// Makes a run that stops when `main` ends. Throws the error of the run, unless `main` has failed: then that error is
  /// reported, because the caller throws the error of `main`.
  void run_until(const TaskHandle& main, RunOptions its_options, OtherWorkers* others);
  /// Makes one turn, and begins a run if there is none. Returns false when the run is over.
  bool poll();
  /// Makes turns until `until`, or until nothing is ready; at least one. A ManualClock jumps no further than to
  /// `last_jump`. Returns false when the run is over.
  bool poll_ready(Clock::time_point until, Clock::time_point last_jump);
  /// Returns when `poll` has something to do again; empty if only another thread or the host can give it work.
  std::optional<Clock::time_point> next_deadline() const;

  unsigned worker = 0;             // the number of this worker
  RunOptions options;              // of the run that is under way
  std::shared_ptr<Workers> group;  // of the run; null if there is one worker only

 private:
  using Stage = Lifecycle::Stage;

  void begin(TaskHandle main, RunOptions its_options, OtherWorkers* others);
  void drive();
  void make_turns();
  void fail_for_deadlock() noexcept;
  void report_stall() noexcept;
  /// Returns the message of a Deadlock, which begins with `before`.
  std::string deadlock_message(const char* before);
  /// Called before a turn. Handles the signals, and the requests to stop or to hurry, that have come since the last
  /// turn.
  void look_at_requests() noexcept;
  bool poll_turn(Clock::time_point last_jump);
  /// Makes one turn, or several if nobody has to look in between. Returns false when the run is over.
  bool turn(bool is_polled);
  void finish();
  void stop() noexcept { loop_.inbox->request_stop(); }
  /// Returns true if `run` has nothing left to wait for.
  bool is_idle() const noexcept {
    return loop_.pending.empty() && !loop_.put_off.any() && loop_.calls == 0 && !loop_.inbox->kept() &&
           !options.keep_alive;
  }
  /// Returns true if a wait could end. In the stop, the timer of its own time-out does not count.
  ERRAND_COLD bool can_wake() const noexcept {
    if (loop_.inbox->kept() || reactor_) return true;
    if (!life_.is_limited()) return options.keep_alive || loop_.can_wake();
    return loop_.is_outside() || loop_.is_advancing() || (loop_.timers.size() > 1 && !loop_.is_held());
  }

  Loop& loop_;
  Lifecycle& life_;
  const std::string& app_;
  Reactor* const reactor_;
  bool has_run_ = false;
  bool stop_after_turn_ = false;  // `stop` was called before the first run
  Owner<Interrupts> interrupts_;
  int interrupts_seen_ = 0;
  bool has_reported_stall_ = false;
};

// Implementation

ERRAND_COLD inline void Driver::run(RunOptions its_options, OtherWorkers* others) {
  begin({}, its_options, others);
  drive();
  finish();
}

ERRAND_COLD inline void Driver::run_until(const TaskHandle& main, RunOptions its_options, OtherWorkers* others) {
  TaskBase& task = *main.state();
  struct Ended final : Follower {
    explicit Ended(Driver& its_driver) : driver(its_driver) {}
    /// Called when `main` has ended. Tasks that have not started by then do not start.
    void task_ended(TaskBase&) noexcept override {
      List& pending = driver.loop_.pending;
      for (Link* link = pending.begin(); link != pending.end(); link = link->next) {
        TaskBase& other = task_of(*link);
        if (other.state == Chain::State::created) other.cancel({});
      }
      driver.stop();
    }
    Driver& driver;
  } ended(*this);
  std::exception_ptr error;
  try {
    begin(main, its_options, others);
    task.awaiters.push_back(ended);  // not before `begin`: a run that is refused ends nothing
    drive();
    finish();
  } catch (...) {
    error = std::current_exception();
    task.abort_if_pending();
  }
  if (!error) return;
  if (task.status == TaskStatus::succeeded || task.status == TaskStatus::cancelled) std::rethrow_exception(error);
  loop_.host->report(nullptr, error);
}

inline bool Driver::poll() {
  if (!life_.in_run()) begin({}, {}, nullptr);
  return poll_turn(never);
}

inline bool Driver::poll_turn(Clock::time_point last_jump) {
  if (!loop_.has_work()) {
    loop_.note_ages();
    loop_.jump(last_jump);
  }
  if (turn(true)) return true;
  finish();
  return false;
}

inline bool Driver::poll_ready(Clock::time_point until, Clock::time_point last_jump) {
  if (!life_.in_run()) begin({}, {}, nullptr);
  for (;;) {
    if (!poll_turn(last_jump)) return false;
    const Clock::time_point now = loop_.now();
    const bool is_ready = loop_.has_work() || loop_.can_jump(last_jump) || loop_.can_start_due(now);
    if (!is_ready || now >= until) return true;
  }
}

inline std::optional<Clock::time_point> Driver::next_deadline() const {
  if (loop_.polled_inside) return std::nullopt;  // else a host that polls inside a step would do so without a pause
  if (loop_.has_work() || !life_.in_run() || (loop_.is_advancing() && loop_.can_jump())) return loop_.now();
  if (life_.stage() == Stage::running && is_idle()) return loop_.now();
  if (loop_.timers.empty()) return std::nullopt;
  return loop_.timers.next();
}

ERRAND_COLD inline void Driver::begin(TaskHandle main, RunOptions its_options, OtherWorkers* others) {
  if (life_.in_run()) raise<InvalidState>({"App '", app_, "' is being polled: its run is not over"});
  if (its_options.workers == 0) raise<InvalidState>({"App '", app_, "' cannot run with 0 workers"});
  if (its_options.workers > 1 && (reactor_ || loop_.is_manual())) {
    raise<InvalidState>({"App '", app_, "' has a Reactor or a ManualClock, and so can run with one worker only"});
  }
  if (its_options.handle_signals && worker == 0) interrupts_ = Owner(new Interrupts(loop_.inbox));
  try {
    life_.begin(std::move(main), worker == 0, its_options.workers > 1 ? others : nullptr);
  } catch (...) {
    interrupts_ = {};
    throw;
  }
  options = its_options;
  interrupts_seen_ = 0;
  has_reported_stall_ = false;
  stop_after_turn_ = worker == 0 && loop_.inbox->take_stop() && !has_run_;
  has_run_ = true;
  loop_.inbox->open();
}

ERRAND_COLD inline void Driver::look_at_requests() noexcept {
  if (interrupts_) {
    const int seen = interrupts_->seen();
    if (interrupts_seen_ == 0 && seen > 0) stop();
    if (interrupts_seen_ < 2 && seen > 1) {
      if (group) group->hurry();
      life_.hurry();
    }
    interrupts_seen_ = seen;
  }
  if (loop_.inbox->take_stop()) {
    if (group) group->stop();
    life_.stop();
  }
  if (loop_.inbox->is_hurry_requested()) life_.hurry();
  if (life_.is_hurried()) life_.expire();
}

inline bool Driver::turn(bool is_polled) {
  const Stage stage = life_.stage();
  if (interrupts_ || loop_.inbox->is_stop_requested() || life_.is_hurried()) [[unlikely]]
    look_at_requests();
  const bool looks =
      stage != Stage::running || life_.is_stopping() || stop_after_turn_ || interrupts_ || reactor_ || is_polled;
  const unsigned most = looks ? 1 : 1024;  // a limit, so that a loop that is never idle notes ages too
  loop_.turns_left = most;
  loop_.turns();
  loop_.counts.turns += most - loop_.turns_left;
  loop_.note_ages();
  if (life_.has_ended()) return false;
  if (life_.stage() != Stage::running) return true;
  if (stop_after_turn_ && stage == Stage::running) {
    stop_after_turn_ = false;
    stop();
  } else if (is_idle() && !loop_.has_work()) {  // in this order, to see what came before the last KeepAlive went
    life_.stop();
  }
  return true;
}

ERRAND_COLD inline void Driver::drive() {
  try {
    make_turns();
  } catch (...) {  // from a Reactor or a clock, or no memory: the run ends here
    life_.fail(std::current_exception());
    stop();
  }
}

ERRAND_COLD inline std::string Driver::deadlock_message(const char* before) {
  std::string table = text({before, " can wake these tasks:\n", table_of_tasks(loop_, 50)});
  if (loop_.calls > 0) table += text({"callbacks whose time does not come: ", number(loop_.calls), "\n"});
  return table;
}

ERRAND_COLD inline void Driver::report_stall() noexcept {
  has_reported_stall_ = true;
  std::exception_ptr error;
  try {
    raise<Deadlock>({deadlock_message("nothing but a signal")});
  } catch (...) {  // the Deadlock, or no memory
    error = std::current_exception();
  }
  loop_.host->report_stall(std::move(error));
}

ERRAND_COLD inline void Driver::fail_for_deadlock() noexcept {
  try {
    raise<Deadlock>({deadlock_message("nothing")});
  } catch (...) {  // the Deadlock, or no memory
    life_.fail(std::current_exception());
  }
  life_.stop();
}

ERRAND_COLD inline void Driver::make_turns() {
  while (turn(false)) {
    if (loop_.has_work()) {
      if (reactor_) reactor_->wait(loop_.now());
      continue;
    }
    if (interrupts_ && interrupts_->seen() != interrupts_seen_) continue;
    if (life_.is_hurried()) {
      life_.expire();
      if (loop_.has_work()) continue;
    }
    if (!can_wake()) {
      // The last KeepAlive may have gone since the turn. If its holder had posted something, there is work now; if not,
      // the run may be idle.
      if (loop_.has_work() || (life_.stage() == Stage::running && is_idle())) continue;
      if (life_.is_limited()) {
        life_.expire();
        continue;
      }
      if (!options.handle_signals) {
        fail_for_deadlock();
        continue;
      }
      if (!has_reported_stall_) {
        report_stall();
        continue;
      }
    }
    loop_.wait(interrupts_ ? interrupts_->longest_sleep() : Nanoseconds::max());
  }
}

/// Ends a run, whatever callables and destructors do: what they add from here on is destroyed unrun. Calls that were
/// posted before still run, and so do the callbacks that are told of the tasks that are destroyed here.
ERRAND_COLD inline void Driver::finish() {
  loop_.closing = true;
  loop_.set_open(false);
  loop_.inbox->refuse();
  life_.finish();
  loop_.run_out();
  loop_.jump(Clock::time_point::min());  // an `advance` that is under way goes on to the next deadline
  std::exception_ptr error = life_.take_error();
  if (group && worker == 0) {
    group->join();
    if (!error) {
      error = group->error();
    } else if (group->error() && group->error() != error) {
      loop_.host->report(nullptr, group->error());
    }
    group = nullptr;
  }
  interrupts_ = {};
  loop_.inbox->take_stop();
  loop_.closing = false;
  life_.leave();
  if (error) std::rethrow_exception(error);
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
