// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <errand/detail/drain.hpp>
#include <errand/detail/table.hpp>
#include <errand/event.hpp>
#include <errand/listeners.hpp>
#include <errand/signals.hpp>

namespace errand {

/// How an App runs.
struct RunOptions {
  unsigned workers = 1;         ///< threads with an App of their own each; the calling
                                ///< thread is the first
  bool handle_signals = false;  ///< SIGINT and SIGTERM stop the App; a second
                                ///< one ends the waiting at once
  bool keep_alive = false;      ///< run until `stop`, also while there is no work
};

namespace detail {

/// The other workers of a run that has several.
struct OtherWorkers {
  /// Throws where that cannot be done.
  virtual void start() = 0;
  virtual Coro<> ended() = 0;

 protected:
  ~OtherWorkers() = default;
};

/// One run of an App, from the first listener to the last: a coroutine, driven by `run` or by `poll`.
class Lifecycle {
 public:
  enum class Stage { idle, starting, running, stopping, ended };

  Lifecycle(App& app, Loop& loop, const std::unique_ptr<SignalHub>& signals, Nanoseconds graceful_timeout) noexcept
      : app_(app),
        signals_(signals),
        loop_(loop),
        graceful_timeout_(
            std::clamp<Nanoseconds>(graceful_timeout, Nanoseconds(1), std::chrono::hours(24 * 365 * 100))) {}

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
    loop_.open = stop_ = expired_ = false;
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

  /// Ends what the stop sequence waits for: nothing can wake it any more, or nobody wants to wait.
  ERRAND_COLD void expire() noexcept {
    expired_ = true;
    if (listener_.state() && !listener_.state()->done()) {
      const TaskHandle kept = listener_;
      end_and_report(*kept.state());
    }
    abort_tasks(true);
    loop_.wake_all(loop_.thread_waiters);
  }

  /// After the end, wherever that came.
  ERRAND_COLD void finish() noexcept {
    if (task_.state() && task_.state()->status == TaskStatus::failed) {
      task_.state()->look();
      fail(task_.state()->error());
    }
    task_ = {};
    main_ = {};
    listener_ = {};
    limit_.lift();
    while (!loop_.hidden.empty()) task_of(loop_.hidden.back()).end_standing();  // where the run ended in its middle
    while (!loop_.pending.empty()) abort_tasks(false);
    stage_ = Stage::idle;
    loop_.open = false;
  }
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
  std::exception_ptr step(const std::vector<Listener*>& order, std::size_t i, Phase phase, const char* signal);
  std::exception_ptr end_of_wait(bool has_ended, bool was_asked);
  Coro<bool> start(Phase phase, const char* signal);
  Coro<> stop(Phase phase, const char* signal);
  Coro<> end_tasks();
  /// Destroys the tasks that are left where they stand.
  void abort_tasks(bool report) noexcept;
  /// Destroys it where it stands, and reports that, and where.
  void end_and_report(TaskBase& task) noexcept;

  App& app_;
  const std::unique_ptr<SignalHub>& signals_;
  Loop& loop_;
  OtherWorkers* others_ = nullptr;
  bool is_first_worker_ = true;
  const Nanoseconds graceful_timeout_;
  Stage stage_ = Stage::idle;
  bool begun_ = false;    // before_server_start has called something
  bool stop_ = false;     // somebody has asked for the end
  bool expired_ = false;  // nothing is waited for any more
  Event proceed_;
  TaskHandle task_;
  TaskHandle main_;
  TaskHandle listener_;  // the one that is under way
  Limit limit_;          // of the wait for it
  std::exception_ptr error_;
};

// Implementation

ERRAND_COLD inline Coro<> Lifecycle::live() {
  bool started = !is_stopping();
  if (is_first_worker_) started = co_await start(Phase::main_process_start, nullptr);
  if (started && others_) {
    try {
      others_->start();
    } catch (...) {
      fail(std::current_exception());
      started = false;
      loop_.inbox->request_stop();  // of those that were started
    }
  }
  if (started) {
    loop_.open = true;
    begun_ = false;
    started = co_await start(Phase::before_server_start, "server.init.before");
    listeners.drop_spent_tasks();
    if (started) started = co_await start(Phase::after_server_start, "server.init.after");
    if (started) {
      if (main_.state() && !main_.state()->done()) loop_.make_ready(static_cast<Chain&>(*main_.state()));
      stage_ = Stage::running;
      co_await proceed_.wait();
    } else {
      loop_.inbox->request_stop();  // of the other workers too
    }
    stage_ = Stage::stopping;
    if (begun_) co_await stop(Phase::before_server_stop, "server.shutdown.before");
    co_await end_tasks();
    if (begun_) co_await stop(Phase::after_server_stop, "server.shutdown.after");
  }
  stage_ = Stage::stopping;
  co_await end_tasks();
  if (is_first_worker_) {
    if (others_) co_await others_->ended();
    co_await stop(Phase::main_process_stop, nullptr);
    co_await end_tasks();
  }
  stage_ = Stage::ended;
}

/// What a phase does, step by step: its listeners, then its signal where somebody listens to it. `listener_` is the
/// task to be awaited, if any. Gives what it threw.
ERRAND_COLD inline std::exception_ptr Lifecycle::step(const std::vector<Listener*>& order, std::size_t i, Phase phase,
                                                      const char* signal) {
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
  return Task<>(listener_).exception();
}

/// False where a listener failed, or the stop came.
ERRAND_COLD inline Coro<bool> Lifecycle::start(Phase phase, const char* signal) {
  const std::vector<Listener*> order = listeners.in_order(phase);
  for (std::size_t i = 0; i <= order.size() && !is_stopping(); ++i) {
    begun_ = true;
    std::exception_ptr error = step(order, i, phase, signal);
    if (listener_.state()) {
      const bool has_ended = co_await Limited<TaskEnd>(limit_, listener_);
      error = end_of_wait(has_ended, is_stopping());
    }
    if (error) {
      fail(std::move(error));
      stop_ = true;
    }
    listener_ = {};
  }
  co_return !is_stopping();
}

ERRAND_COLD inline Coro<> Lifecycle::stop(Phase phase, const char* signal) {
  const Clock::time_point until = loop_.deadline(graceful_timeout_);
  const std::vector<Listener*> order = listeners.in_order(phase);
  for (std::size_t i = 0; i <= order.size(); ++i) {
    std::exception_ptr error = step(order, i, phase, signal);
    if (listener_.state()) {
      limit_.set(loop_, std::max(until, loop_.deadline(Nanoseconds(1))));
      const bool has_ended = co_await Limited<TaskEnd>(limit_, listener_);
      error = end_of_wait(has_ended, expired_);
    }
    if (error) fail(std::move(error));
    listener_ = {};
  }
}

ERRAND_COLD inline Coro<> Lifecycle::end_tasks() {
  bool ended = co_await drain(loop_, nullptr, loop_.deadline(graceful_timeout_));
  if (!ended) {
    abort_tasks(true);  // those that tell of it are still to run
    Limit limit(loop_, loop_.deadline(graceful_timeout_));
    ended = co_await Limited<Drained>(limit, loop_, nullptr);
    if (!ended) abort_tasks(false);
  }
  if (!expired_) co_await ThreadsEnded(loop_);
  expired_ = false;
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
      task.end_standing();
    }
  }
}

ERRAND_COLD inline void Lifecycle::end_and_report(TaskBase& task) noexcept {
  std::exception_ptr error;
  try {
    const char* const what = "' was still standing at the end of the graceful timeout: ";
    error = std::make_exception_ptr(TimeoutError(text({"task '", task.name(), what, line_of_task(task)})));
  } catch (...) {  // no memory
    error = std::current_exception();
  }
  task.end_standing();
  loop_.host->report(&task, std::move(error));
}

}  // namespace detail

}  // namespace errand
