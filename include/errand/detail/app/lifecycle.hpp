// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include <errand/detail/app/collector.hpp>
#include <errand/detail/app/listeners.hpp>
#include <errand/detail/app/signals.hpp>
#include <errand/detail/app/workers.hpp>
#include <errand/detail/task/drain.hpp>
#include <errand/event.hpp>

namespace errand::detail {

/// Returns the event that is dispatched at the end of a phase; null if there is none.
inline const char* signal_of(Phase phase) noexcept {
  constexpr const char* signals[] = {
      nullptr, "server.init.before", "server.init.after", "server.shutdown.before", "server.shutdown.after", nullptr};
  return signals[static_cast<unsigned>(phase)];
}

/// One run of an App, from the first listener to the last, written as a coroutine. The `Driver` makes the turns in
/// which it runs.
class Lifecycle {
 public:
  enum class Stage { idle, starting, running, stopping, ended };

  Lifecycle(App& app, Loop& loop, const Owner<SignalHub>& signals, Nanoseconds graceful_timeout) noexcept
      : app_(app),
        signals_(signals),
        loop_(loop),
        graceful_timeout_(graceful_timeout < least  ? least
                          : graceful_timeout < most ? graceful_timeout
                                                    : most) {}

  Listeners listeners;

  Stage stage() const noexcept { return stage_; }
  /// Returns true if the run is over, also if the lifecycle itself has failed.
  bool has_ended() const noexcept { return stage_ == Stage::ended || task_.state()->done(); }
  bool in_run() const noexcept { return stage_ != Stage::idle; }
  /// Returns true if the stop has begun: work that is submitted from then on is not taken.
  bool has_begun_to_stop() const noexcept { return stage_ == Stage::stopping || stage_ == Stage::ended; }
  /// Returns true if from now on nothing is waited for longer than the graceful timeout: in the stop, and if the start
  /// is to end.
  bool is_limited() const noexcept {
    return stage_ == Stage::stopping || (stage_ == Stage::starting && is_stop_asked_);
  }

  /// Begins a run. `main` is queued when everything has started. `others` is null unless this is worker 0 of several.
  /// Throws `std::bad_alloc`; nothing has begun then.
  ERRAND_COLD void begin(TaskHandle main, bool is_first_worker, OtherWorkers* others) {
    is_first_worker_ = is_first_worker;
    others_ = others;
    task_ = start_hidden(loop_, run_phases(), "the App's lifecycle");
    stage_ = Stage::starting;
    loop_.set_open(false);
    is_stop_asked_ = expired_ = hurried_ = false;
    error_ = nullptr;
    main_ = std::move(main);
    proceed_.clear();
  }

  /// Ends the start, or the time in which the tasks run, and goes on with the stop. If a start listener is under way,
  /// it is asked to end, and has the graceful timeout for that.
  ERRAND_COLD void stop() noexcept {
    const bool interrupts = !is_stop_asked_ && stage_ == Stage::starting && listener_.state();
    is_stop_asked_ = true;
    proceed_.set();
    if (!interrupts) return;
    ++listener_.state()->requests;
    listener_.state()->request(Chain::asked_by_task);
    try {
      limit_.set(loop_, loop_.deadline(graceful_timeout_));
    } catch (...) {  // no memory, or the clock has thrown
      fail(std::current_exception());
      expire();
    }
  }

  /// Returns true if the stop has been asked for, even if the loop has not seen that request yet.
  bool is_stopping() const noexcept { return is_stop_asked_ || loop_.inbox->is_stop_requested(); }

  /// The run will throw this error. If there is one already, this one is reported instead.
  ERRAND_COLD void fail(std::exception_ptr error) noexcept {
    if (!error_) {
      error_ = std::move(error);
    } else {
      loop_.host->report(nullptr, std::move(error));
    }
  }

  /// From now on nothing is waited for, in this phase and in those that follow: the driver calls `expire` in each turn.
  void hurry() noexcept { hurried_ = true; }
  bool is_hurried() const noexcept { return hurried_; }

  /// Ends everything that the stop waits for. Called if nothing can end these waits any more, or if the run is hurried.
  ERRAND_COLD void expire() noexcept {
    const bool was_expired = std::exchange(expired_, true);
    if (listener_.state() && !listener_.state()->done()) {
      const TaskHandle kept = listener_;
      end_and_report(*kept.state());
    }
    abort_tasks(true);
    if (!was_expired) loop_.wake_all(loop_.thread_waiters);
  }

  /// Called at the end of a run, even if it came in the middle. Destroys the tasks that are left; what destructors add
  /// is destroyed unrun. The stage is `ended` until `leave`.
  ERRAND_COLD void finish() noexcept {
    if (task_.state() && task_.state()->status == TaskStatus::failed) {
      task_.state()->look();
      fail(task_.state()->error());
    }
    task_ = {};
    main_ = {};
    listener_ = {};
    limit_.lift();
    do {
      while (!loop_.hidden.empty()) task_of(loop_.hidden.back()).abort_if_pending();  // if the run ended in its middle
      while (!loop_.pending.empty()) abort_tasks(false);
      loop_.put_off.finish();
    } while (!loop_.hidden.empty() || !loop_.pending.empty());
    listeners.drop_spent_tasks();  // they are left if the start did not come to its end
    stage_ = Stage::ended;
  }
  void leave() noexcept { stage_ = Stage::idle; }
  /// Returns the error that `run` is to throw, and forgets it; null if there is none.
  std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }

  /// Called when the App is destroyed.
  ERRAND_COLD void clear() noexcept {
    task_ = {};
    main_ = {};
    listener_ = {};
    limit_.lift();
    listeners.clear();
  }

 private:
  Coro<> run_phases();
  void open() noexcept;
  /// Returns `time`, or one tick from now if `time` has passed.
  Clock::time_point or_next(Clock::time_point time) const {
    const Clock::time_point next = loop_.deadline(least);
    return time < next ? next : time;
  }
  /// Returns true if this worker calls the listeners of `phase` now.
  bool is_due(Phase phase) const noexcept;
  Coro<> run_phase(Phase phase);
  std::exception_ptr step(const std::vector<Listener*>& order, std::size_t i, Phase phase);
  std::exception_ptr end_of_wait(bool has_ended, bool was_asked);
  /// Destroys the tasks that are left, without running them further.
  void abort_tasks(bool report) noexcept;
  /// Destroys the task without running it further, and reports that, with the place of its await.
  void end_and_report(TaskBase& task) noexcept;

  static constexpr Nanoseconds least{1};
  static constexpr Nanoseconds most = std::chrono::hours(24 * 365 * 100);

  App& app_;
  const Owner<SignalHub>& signals_;
  Loop& loop_;
  OtherWorkers* others_ = nullptr;
  bool is_first_worker_ = true;
  const Nanoseconds graceful_timeout_;
  Stage stage_ = Stage::idle;
  bool start_has_begun_ = false;  // the start has begun: else the listeners of the stop are not called
  bool is_stop_asked_ = false;    // somebody has asked for the end
  bool expired_ = false;          // nothing is waited for any more in this phase
  bool hurried_ = false;          // nor in the phases that follow
  Event proceed_;
  TaskHandle task_;
  TaskHandle main_;
  TaskHandle listener_;  // the task of the listener that is under way
  Limit limit_;          // the time-out of the wait for the listener
  std::exception_ptr error_;
};

// Implementation

/// The coroutine of a run: goes through the phases, and does what comes before, between and after them.
ERRAND_COLD inline Coro<> Lifecycle::run_phases() {
  for (unsigned number = 0; number < phases; ++number) {
    const auto phase = static_cast<Phase>(number);
    if (phase == Phase::before_server_start && !is_stopping()) open();
    if (phase == Phase::before_server_stop) {
      if (!is_stopping()) {
        if (main_.state() && !main_.state()->done()) loop_.make_ready(static_cast<Chain&>(*main_.state()));
        stage_ = Stage::running;
        co_await proceed_.wait();
      } else if (loop_.open) {
        loop_.inbox->request_stop();  // stops the other workers too
      }
      stage_ = Stage::stopping;
    }
    if (phase == Phase::main_process_stop && others_) co_await others_->wait_for_end();
    co_await run_phase(phase);
    if (phase == Phase::before_server_start) listeners.drop_spent_tasks();
  }
  stage_ = Stage::ended;
}

/// Called before `before_server_start`. Starts the other workers; from then on, tasks that are added to this one are
/// queued at once.
ERRAND_COLD inline void Lifecycle::open() noexcept {
  try {
    if (others_) others_->start();
    loop_.set_open(true);
    start_has_begun_ = false;
  } catch (...) {
    fail(std::current_exception());
    loop_.inbox->request_stop();  // stops the workers that were started
  }
}

ERRAND_COLD inline bool Lifecycle::is_due(Phase phase) const noexcept {
  if (phase == Phase::main_process_start || phase == Phase::main_process_stop) return is_first_worker_;
  return loop_.open && (start_has_begun_ || !is_of_stop(phase));
}

/// Makes step `i` of a phase: each step calls one listener, and a last one dispatches the signal of the phase if
/// somebody listens to it. Sets `listener_` to the task that is to be awaited, if there is one. Returns what the step
/// threw; null if nothing.
ERRAND_COLD inline std::exception_ptr Lifecycle::step(const std::vector<Listener*>& order, std::size_t i, Phase phase) {
  const char* const signal = signal_of(phase);
  try {
    if (i < order.size()) {
      struct OutsideTasks {  // while a plain listener runs, no task is current
        explicit OutsideTasks(Loop& its_loop) noexcept
            : loop(its_loop), chain(std::exchange(its_loop.current, nullptr)) {}
        ~OutsideTasks() { loop.current = chain; }
        Loop& loop;
        Chain* chain;
      } const outside(loop_);
      listener_ = order[i]->call(app_, name_of(phase));
    } else if (signal && signals_ && signals_->is_heard(signal)) {
      listener_ = signals_->dispatch(signal, {}).handle();
    }
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

/// Called when the listener has ended, or its time is over. Returns what the listener failed with; null if it has not
/// failed. If it was asked to end and was cancelled, that is no failure.
ERRAND_COLD inline std::exception_ptr Lifecycle::end_of_wait(bool has_ended, bool was_asked) {
  limit_.lift();
  if (!has_ended) {
    end_and_report(*listener_.state());
    return nullptr;
  }
  const TaskStatus status = listener_.state()->status;
  if (status == TaskStatus::succeeded || (status == TaskStatus::cancelled && was_asked)) return nullptr;
  return listener_.state()->failure();
}

/// Goes through one phase; each listener is awaited before the next begins. A phase of the start ends with the first
/// listener that fails, and when the stop is asked for. A phase of the stop calls all of its listeners, and then ends
/// all tasks. It has the graceful timeout three times: for the listeners, for the tasks, and for tasks that the reports
/// of tasks which did not end have started.
ERRAND_COLD inline Coro<> Lifecycle::run_phase(Phase phase) {
  const bool stops = is_of_stop(phase);
  if (is_due(phase)) {
    const Clock::time_point until = stops ? loop_.deadline(graceful_timeout_) : never;
    const std::vector<Listener*> order = listeners.in_order(phase);
    for (std::size_t i = 0; i <= order.size() && (stops || !is_stopping()); ++i) {
      start_has_begun_ = true;
      std::exception_ptr error = step(order, i, phase);
      if (listener_.state()) {
        if (stops) limit_.set(loop_, or_next(until));
        const bool has_ended = co_await Limited<TaskEnd>(limit_, listener_);
        error = end_of_wait(has_ended, stops ? expired_ : is_stopping());
      }
      if (error) {
        fail(std::move(error));
        is_stop_asked_ |= !stops;
      }
      listener_ = {};
    }
  }
  if (!stops) co_return;
  bool ended = true;
  {
    Limit limit(loop_, loop_.deadline(graceful_timeout_));
    for (unsigned round = 0; ended && ask_all(loop_, nullptr); ++round) {
      ended = round < most_rounds && !hurried_;
      if (ended) ended = co_await Limited<Drained>(limit, loop_, nullptr);
    }
  }
  if (!ended) {
    abort_tasks(true);  // the handlers that are told of these reports are still to run
    if (!hurried_) {
      Limit limit(loop_, loop_.deadline(graceful_timeout_));
      ended = co_await Limited<Drained>(limit, loop_, nullptr);
    }
    if (!ended) abort_tasks(false);
  }
  while (!ThreadsEnded::are_over(loop_, expired_)) co_await ThreadsEnded(loop_);
  expired_ = hurried_;
}

ERRAND_COLD inline void Lifecycle::abort_tasks(bool report) noexcept {
  List standing;  // the tasks so far, because a report may add more
  standing.splice_back(loop_.pending);
  while (!standing.empty()) {
    TaskBase& task = task_of(standing.back());
    const TaskHandle kept(&task);
    if (report) {
      end_and_report(task);
    } else {
      task.abort_if_pending();
    }
  }
}

ERRAND_COLD inline void Lifecycle::end_and_report(TaskBase& task) noexcept {
  std::exception_ptr error;
  try {
    const char* const what = "' was still standing at the end of the graceful timeout: ";
    raise<TimeoutError>({"task '", task.name(), what, line_of_task(task)});
  } catch (...) {  // the TimeoutError, or no memory
    error = std::current_exception();
  }
  task.abort_if_pending();
  loop_.host->report(&task, std::move(error));
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
