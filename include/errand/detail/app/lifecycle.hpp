// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include <errand/detail/app/listeners.hpp>
#include <errand/detail/app/signals.hpp>
#include <errand/detail/app/table.hpp>
#include <errand/detail/app/workers.hpp>
#include <errand/detail/task/drain.hpp>
#include <errand/event.hpp>

namespace errand::detail {

/// The event that is dispatched at the end of a phase; null where there is none.
inline const char* signal_of(Phase phase) noexcept {
  constexpr const char* signals[] = {
      nullptr, "server.init.before", "server.init.after", "server.shutdown.before", "server.shutdown.after", nullptr};
  return signals[static_cast<unsigned>(phase)];
}

/// One run of an App, from the first listener to the last: a coroutine, driven by `run` or by `poll`.
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
  /// Also where the lifecycle itself could not go on.
  bool has_ended() const noexcept { return stage_ == Stage::ended || task_.state()->done(); }
  bool in_run() const noexcept { return stage_ != Stage::idle; }
  /// What is waited for from now on is waited for no longer than the graceful timeout.
  bool is_limited() const noexcept { return stage_ == Stage::stopping || (stage_ == Stage::starting && stop_); }

  /// Begins a run. `main` is queued once everything has started. The other workers, if any, are the first one's. Throws
  /// `std::bad_alloc`; nothing has begun then.
  ERRAND_COLD void begin(TaskHandle main, bool is_first_worker, OtherWorkers* others) {
    is_first_worker_ = is_first_worker;
    others_ = others;
    task_ = start_hidden(loop_, live(), "the App's lifecycle");
    stage_ = Stage::starting;
    loop_.open = stop_ = expired_ = hurried_ = false;
    error_ = nullptr;
    main_ = std::move(main);
    proceed_.clear();
  }

  /// Ends the start, or the time in between, and goes on with the stop. A start listener that is under way is asked to
  /// end, and has as long for it as the phases of the stop have.
  ERRAND_COLD void stop() noexcept {
    const bool interrupts = !stop_ && stage_ == Stage::starting && listener_.state();
    stop_ = true;
    proceed_.set();
    if (!interrupts) return;
    ++listener_.state()->requests;
    listener_.state()->request(Chain::asked_by_task);
    try {
      limit_.set(loop_, loop_.deadline(graceful_timeout_));
    } catch (...) {  // no memory, or no clock
      fail(std::current_exception());
      expire();
    }
  }

  /// Whether the stop has been asked for; also where the loop has not been told yet.
  bool is_stopping() const noexcept { return stop_ || loop_.inbox->is_stop_requested(); }

  /// Ends with this error, unless there is one already.
  ERRAND_COLD void fail(std::exception_ptr error) noexcept {
    if (!error_) {
      error_ = std::move(error);
    } else {
      loop_.host->report(nullptr, std::move(error));
    }
  }

  /// Nothing is waited for any more, in this phase and in those that follow: `expire` is called in each turn.
  void hurry() noexcept { hurried_ = true; }
  bool is_hurried() const noexcept { return hurried_; }

  /// Ends what the stop sequence waits for: nothing can wake it any more, or nobody wants to wait.
  ERRAND_COLD void expire() noexcept {
    const bool was_expired = std::exchange(expired_, true);
    if (listener_.state() && !listener_.state()->done()) {
      const TaskHandle kept = listener_;
      end_and_report(*kept.state());
    }
    abort_tasks(true);
    if (!was_expired) loop_.wake_all(loop_.thread_waiters);
  }

  /// After the end, wherever that came. What destructors add is destroyed unrun. The stage is `ended` until `leave`.
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
      while (!loop_.hidden.empty())
        task_of(loop_.hidden.back()).abort_if_pending();  // where the run ended in its middle
      while (!loop_.pending.empty()) abort_tasks(false);
      loop_.put_off.finish();
    } while (!loop_.hidden.empty() || !loop_.pending.empty());
    listeners.drop_spent_tasks();  // of a start that did not come to its end
    stage_ = Stage::ended;
  }
  void leave() noexcept { stage_ = Stage::idle; }
  /// What `run` is to throw, if anything.
  std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }

  /// The App is being destroyed.
  ERRAND_COLD void clear() noexcept {
    task_ = {};
    main_ = {};
    listener_ = {};
    limit_.lift();
    listeners.clear();
  }

 private:
  Coro<> live();
  void open() noexcept;
  /// That time, where it is still to come, else the next one.
  Clock::time_point or_next(Clock::time_point time) const {
    const Clock::time_point next = loop_.deadline(least);
    return time < next ? next : time;
  }
  /// Whether this worker calls the listeners of that phase now.
  bool is_due(Phase phase) const noexcept;
  Coro<> pass(Phase phase);
  std::exception_ptr step(const std::vector<Listener*>& order, std::size_t i, Phase phase);
  std::exception_ptr end_of_wait(bool has_ended, bool was_asked);
  /// Destroys the tasks that are left where they stand.
  void abort_tasks(bool report) noexcept;
  /// Destroys it where it stands, and reports that, and where.
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
  bool begun_ = false;    // before_server_start has called something
  bool stop_ = false;     // somebody has asked for the end
  bool expired_ = false;  // nothing is waited for any more, in this phase
  bool hurried_ = false;  // nor in those that follow
  Event proceed_;
  TaskHandle task_;
  TaskHandle main_;
  TaskHandle listener_;  // the one that is under way
  Limit limit_;          // of the wait for it
  std::exception_ptr error_;
};

// Implementation

/// What comes before and after the phases, and between them.
ERRAND_COLD inline Coro<> Lifecycle::live() {
  for (unsigned number = 0; number < phases; ++number) {
    const auto phase = static_cast<Phase>(number);
    if (phase == Phase::before_server_start && !is_stopping()) open();
    if (phase == Phase::before_server_stop) {
      if (!is_stopping()) {
        if (main_.state() && !main_.state()->done()) loop_.make_ready(static_cast<Chain&>(*main_.state()));
        stage_ = Stage::running;
        co_await proceed_.wait();
      } else if (loop_.open) {
        loop_.inbox->request_stop();  // of the other workers too
      }
      stage_ = Stage::stopping;
    }
    if (phase == Phase::main_process_stop && others_) co_await others_->wait_for_end();
    co_await pass(phase);
    if (phase == Phase::before_server_start) listeners.drop_spent_tasks();
  }
  stage_ = Stage::ended;
}

/// Everything begins here: the other workers, and then what this one does.
ERRAND_COLD inline void Lifecycle::open() noexcept {
  try {
    if (others_) others_->start();
    loop_.open = true;
    begun_ = false;
  } catch (...) {
    fail(std::current_exception());
    loop_.inbox->request_stop();  // of those that were started
  }
}

ERRAND_COLD inline bool Lifecycle::is_due(Phase phase) const noexcept {
  if (phase == Phase::main_process_start || phase == Phase::main_process_stop) return is_first_worker_;
  return loop_.open && (begun_ || !is_of_stop(phase));
}

/// What a phase does, step by step: its listeners, then its signal where somebody listens to it. `listener_` is the
/// task to be awaited, if any. Gives what it threw.
ERRAND_COLD inline std::exception_ptr Lifecycle::step(const std::vector<Listener*>& order, std::size_t i, Phase phase) {
  const char* const signal = signal_of(phase);
  try {
    if (i < order.size()) {
      struct OutsideTasks {  // a plain listener is no task
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

/// The listener has ended, or its time is over. Gives what it failed with: that it was cancelled where it had been
/// asked to end is no failure.
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

/// Each listener is awaited before the next. A start ends with the first that fails, and when the stop comes; a phase
/// of the stop goes through all of them, and then ends all tasks.
ERRAND_COLD inline Coro<> Lifecycle::pass(Phase phase) {
  const bool stops = is_of_stop(phase);
  if (is_due(phase)) {
    const Clock::time_point until = stops ? loop_.deadline(graceful_timeout_) : never;
    const std::vector<Listener*> order = listeners.in_order(phase);
    for (std::size_t i = 0; i <= order.size() && (stops || !is_stopping()); ++i) {
      begun_ = true;
      std::exception_ptr error = step(order, i, phase);
      if (listener_.state()) {
        if (stops) limit_.set(loop_, or_next(until));
        const bool has_ended = co_await Limited<TaskEnd>(limit_, listener_);
        error = end_of_wait(has_ended, stops ? expired_ : is_stopping());
      }
      if (error) {
        fail(std::move(error));
        stop_ |= !stops;
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
    abort_tasks(true);  // those that tell of it are still to run
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
  List standing;  // without those that a report adds
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
  } catch (...) {  // that, or no memory
    error = std::current_exception();
  }
  task.abort_if_pending();
  loop_.host->report(&task, std::move(error));
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
