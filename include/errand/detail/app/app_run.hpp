// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <errand/app.hpp>  // NOLINT(misc-header-include-cycle): it includes this header at its end
#include <errand/detail/base/owner.hpp>

#if ERRAND_DEFINES
#include <thread>

#include <errand/detail/app/engine.hpp>
#include <errand/detail/app/worker_group.hpp>
#endif

namespace errand {

// Implementation: the members of App that begin, run and end it.

/// Notes, while it lives, that this thread is inside the App: for `run`, `poll` and the destructor.
class App::Inside {
 public:
  explicit Inside(App& app) noexcept : loop_(*app.loop_), thread_(detail::this_thread()), outer_(thread_.loop) {
    loop_.counts.entered = Clock::now();
    thread_.loop = &loop_;
    loop_.set_thread_inside(&thread_);
  }
  ~Inside() {
    loop_.counts.inside += Clock::now() - loop_.counts.entered;
    loop_.set_thread_inside(nullptr);
    thread_.loop = outer_;
    if (std::exchange(loop_.polled_inside, false)) loop_.inbox->wake_host();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  /// Called before an `Inside` is made. Throws `WrongThread` if another thread is inside the App, and `InvalidState` if
  /// this thread is inside an App, or is destroying a task of this App.
  static void check(const App& app);

 private:
  detail::Loop& loop_;
  detail::ThreadState& thread_;
  detail::Loop* outer_;
};

template <class T>
ERRAND_COLD T App::run_main(Coro<T> main, RunOptions options, detail::OtherWorkers* others) {
  Inside::check(*this);
  const Inside inside(*this);
  Task<T> task{detail::TaskHandle(detail::make_task(*loop_, std::move(main)))};
  task.handle().get().announce();
  run_until(task.handle(), options, others);
  return std::move(task).result();
}

template <class>
ERRAND_COLD void App::run(RunOptions options) {
  const auto others = other_workers();
  run_with(options, &*others);
}

template <class T>
T App::run(Coro<T> main, RunOptions options) {
  const auto others = other_workers();
  return run_main(std::move(main), options, &*others);
}

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE void App::Inside::check(const App& app) {
  app.loop_->check_thread();
  if (detail::this_thread().loop || app.loop_->destruction) {
    detail::raise<InvalidState>(
        {"App '", app.name_, "' cannot run inside the run, poll or destructor of an App, nor inside an abort"});
  }
}

/// The Apps of the other workers of a run, each on a thread of its own. `first` is the App of worker 0.
template <class Thread>
class App::OtherWorkers final : public detail::OtherWorkers {
  using Group = detail::WorkerGroup<Thread>;

 public:
  explicit OtherWorkers(App& first) noexcept : first_(first) {}

  void start() override {
    RunOptions each = first_.engine_->driver.options;
    const unsigned count = std::exchange(each.workers, 1);
    group_ = std::make_shared<Group>();
    first_.engine_->driver.group = group_;
    group_->add(first_.loop_->inbox);
    std::vector<detail::Owner<App>> workers;
    for (unsigned i = 1; i < count; ++i) {
      const auto& worker = workers.emplace_back(detail::Owner(new App(first_.name_, first_.engine_->config)));
      worker->engine_->driver.worker = i;
      worker->engine_->driver.group = group_;
      copy_to(*worker);
    }
    for (const auto& worker : workers) group_->add(worker->loop_->inbox);
    while (!workers.empty()) {
      group_->start([worker = std::move(workers.back()), each, group = group_.get()] { run(*worker, each, *group); });
      workers.pop_back();
    }
  }

  Coro<> wait_for_end() override {
    if (!group_) co_return;
    const auto ended = group_->all_ended();
    co_await ended;
  }

 private:
  void copy_to(App& worker) {
    detail::Engine& first = *first_.engine_;
    detail::Engine& other = *worker.engine_;
    if (first.signals) other.signals = first.signals->copy_for(other.loop);
    first.life.listeners.copy_to(other.life.listeners, [&worker](const detail::TaskBase& task) {
      detail::TaskBase* const copy = task.done() ? nullptr : task.copy_for(*worker.loop_);
      if (!copy) return static_cast<detail::StartTask*>(nullptr);
      copy->identity.take_id(worker.loop_->ids);
      copy->join(worker.loop_->pending);
      if (task.is_registered()) {
        worker.register_task(*copy, task.name(), NameTaken::fail);
      } else if (task.has_name()) {
        copy->details().name = task.name();
      }
      return new detail::StartTask(detail::TaskHandle(copy));
    });
  }

  /// Runs the App of a worker. Called on the thread of that worker.
  static void run(App& worker, RunOptions options, Group& group) {
    try {
      worker.run_with(options, nullptr);
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      if (!group.fail(error)) worker.engine_->report(nullptr, error);
    }
  }

  App& first_;
  std::shared_ptr<Group> group_;
};

template <class>
ERRAND_COLD detail::Owner<detail::OtherWorkers> App::other_workers() {
  return detail::Owner<detail::OtherWorkers>(new OtherWorkers<std::thread>(*this));
}

#if defined(ERRAND_COMPILED)
template detail::Owner<detail::OtherWorkers> App::other_workers<void>();
#endif

ERRAND_COLD ERRAND_ONCE App::App(std::string name, AppConfig config)
    : name_(std::move(name)),
      engine_(new detail::Engine(*this, name_, std::move(config))),
      loop_(&engine_->loop),
      ctx_(*loop_) {}

ERRAND_COLD ERRAND_ONCE App::~App() {
  if (running() || loop_->destruction) {
    std::fprintf(stderr, "errand: App '%s' is destroyed inside its own run or poll, or an abort\n",
                 detail::printable(name_).c_str());
    std::terminate();
  }
  {
    const Inside inside(*this);
    is_ending_ = true;
    detail::Loop& loop = *loop_;
    loop.closing = true;
    loop.set_open(false);
    detail::NodeQueue left;
    loop.inbox->refuse(left);
    drop_all(left);
    loop.thread_pool = nullptr;  // waits for the calls that have begun
    loop.inbox->refuse(left);
    drop_all(left);  // the tasks that were put off because of these calls go first
    for (;;) {
      detail::List& tasks = loop.pending.empty() ? loop.hidden : loop.pending;
      if (tasks.empty()) break;
      detail::task_of(tasks.back()).abort_if_pending();
    }
    do {
      loop.take_all_calls(left);
      loop.inbox->close(left);
      while (!loop.timers.empty()) left.push_back(static_cast<detail::Call&>(loop.timers.pop()));
      drop_all(left);
      loop.take_all_calls(left);
    } while (!left.empty());
    engine_->life.clear();
    if (engine_->signals) engine_->signals->clear();
    engine_->registry.clear();
    ctx_.clear();
    while (!loop.failed.empty()) {
      auto& task = detail::task_of(loop.failed.pop_front());
      if (task.seen) continue;
      task.look();
      engine_->report(&task, task.error());
    }
    if (loop.failed_tasks) loop.failed_tasks->close();
    loop.app = nullptr;
    loop.host = nullptr;
    loop.probe = nullptr;
    loop.leave_clock();
  }
  loop_->release();
}

ERRAND_COLD ERRAND_ONCE App& App::current() {
  if (detail::Loop* loop = detail::this_thread().loop) return *loop->app;
  throw InvalidState("no App runs on this thread");
}

ERRAND_ONCE unsigned App::worker() const noexcept { return engine_->driver.worker; }

ERRAND_COLD ERRAND_ONCE void App::run_with(RunOptions options, detail::OtherWorkers* others) {
  Inside::check(*this);
  const Inside inside(*this);
  engine_->driver.run(options, others);
}

ERRAND_COLD ERRAND_ONCE void App::run_until(const detail::TaskHandle& main, RunOptions options,
                                            detail::OtherWorkers* others) {
  engine_->driver.run_until(main, options, others);
}

ERRAND_COLD ERRAND_ONCE bool App::is_polled_inside() noexcept {
  if (is_ending_ || loop_->thread_inside() != &detail::this_thread()) return false;
  loop_->polled_inside = true;
  return true;
}

ERRAND_ONCE bool App::poll() {
  if (is_polled_inside()) return true;
  Inside::check(*this);
  const Inside inside(*this);
  return engine_->driver.poll();
}

ERRAND_ONCE bool App::poll(Clock::time_point until) { return poll_ready(until, until); }

ERRAND_ONCE bool App::poll_ready(Clock::time_point until, Clock::time_point last_jump) {
  if (is_polled_inside()) return true;
  Inside::check(*this);
  const Inside inside(*this);
  return engine_->driver.poll_ready(until, last_jump);
}

ERRAND_ONCE bool run_ready(App& app) { return app.poll_ready(detail::never, Clock::time_point::min()); }

ERRAND_ONCE std::optional<Clock::time_point> App::next_deadline() const {
  loop_->check_thread();
  return engine_->driver.next_deadline();
}

#endif

}  // namespace errand

#include <errand/detail/epilogue.hpp>
