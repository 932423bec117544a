// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <any>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/cancel_task.hpp>
#include <errand/config.hpp>
#include <errand/context.hpp>
#include <errand/create_task.hpp>
#include <errand/detail/app/driver.hpp>
#include <errand/detail/app/lifecycle.hpp>
#include <errand/detail/app/listeners.hpp>
#include <errand/detail/app/registry.hpp>
#include <errand/detail/app/reports.hpp>
#include <errand/detail/app/table.hpp>
#include <errand/detail/app/worker_group.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/loop/loop_ref.hpp>
#include <errand/detail/task/submission.hpp>
#include <errand/keep_alive.hpp>
#include <errand/name_taken.hpp>
#include <errand/once.hpp>
#include <errand/phase.hpp>
#include <errand/signals.hpp>

namespace errand {

/// A single-threaded event loop, and the tasks that it runs: start work in the background, name it, find it again,
/// await it, cancel it, never lose an error, shut down cleanly.
///
///     errand::App app("MyApp");
///     app.add_task(poll_sensor, "sensor");
///     app.run();   // until stop(), or until no work is left
///
/// Everything but `stop`, `post` and `submit` belongs to the App's thread: the one inside `run` or `poll`, and at other
/// times whichever single thread uses it; called elsewhere it throws `WrongThread` where that can be seen.
///
/// Callables and arguments are copied or moved in. What that throws, and `std::bad_alloc`, comes out of the call, and
/// nothing has been added then. Where the App itself lacks memory for a step of a run, `run` ends where it stands and
/// throws that; the next one works. A destructor of what the App was given, or of a local of its tasks, must not throw.
///
/// The destructor ends what still runs: whatever is suspended is destroyed where it stands, without running further. It
/// must not run inside the App's own `run` or `poll`, nor while one of its tasks is being destroyed (by `abort`, or
/// with a generator that is dropped while it is waited for), and terminates the program there. What was got from an App
/// may outlive it; what would need the App then throws `InvalidState`.
class App : private detail::Host {
 public:
  /// Nothing runs before `run` or `poll`. The clock and the Reactor of the configuration must outlive the App.
  explicit App(std::string name = "app", AppConfig config = {});
  inline virtual ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// As given; its workers have the same.
  const std::string& name() const noexcept { return name_; }
  /// The App whose loop runs on this thread. Throws `InvalidState` where there is none.
  static App& current();
  /// Whether it is inside `run` or `poll`.
  bool running() const noexcept { return loop_->owner() != nullptr; }
  /// The time by its clock, from which `sleep`, `call_later` and `call_at` count. Throws `WrongThread`, and what a
  /// clock of the configuration throws.
  Clock::time_point now() const {
    loop_->check_thread();
    return loop_->now();
  }

  // Background tasks

  /// Starts work in the background: it is queued, and begins on a later turn. `work` is a `Coro<T>`; a callable
  /// `f(App&)` or `f()`, which is called in the task's first step and gives a `Coro<T>` or a plain `T`; or an existing
  /// task, which gets a further name. A callable lives as long as its coroutine, so that a lambda may capture and be a
  /// coroutine.
  ///
  /// With a name the task is registered: `get_task` finds it. Before `run`, the task starts in its place among the
  /// `before_server_start` listeners, a callable on every worker. The handle is valid at once, and need not be kept.
  ///
  /// The task runs on when the scope that added it is left. If it uses something by reference, or the `this` of an
  /// object, add it to a `TaskScope` that stands below what it uses.
  ///
  /// Throws `TaskNameInUse` where the name belongs to a task that is pending, unless `taken` says otherwise;
  /// `TaskTypeMismatch` where the task to keep is of another type; `WrongThread`; `std::bad_alloc`. The work is
  /// destroyed unrun then, and a name stays whose it was.
  ///
  ///     errand::Task<int> task = app.add_task(count("a.txt"), "count:a.txt");
  template <class Work>
  TaskOf<Work&&> add_task(Work&& work);
  /// The same with a name; an empty one is none.
  template <class Work>
  TaskOf<Work&&> add_task(Work&& work, std::string name, NameTaken taken = NameTaken::fail);

  /// The task that was registered under this name, `Task<>` where no type is asked for. Throws `TaskNotFound`, and
  /// `TaskTypeMismatch` where its result is of another type.
  template <class T = void>
  Task<T> get_task(std::string_view name) const;
  /// The same; an empty handle where there is none.
  template <class T = void>
  Task<T> find_task(std::string_view name) const;

  /// Asks the task of this name to end, whether or not the result is awaited; `co_await` it to see the end. A task that
  /// has been asked already is not asked again. Throws `TaskNotFound`, and `InvalidState` in the task itself.
  ///
  ///     bool cancelled = co_await app.cancel_task("slow_task", "no longer needed");
  CancelTask cancel_task(std::string_view name, std::string_view reason = {});

  /// Forgets the registered tasks that are done; how many.
  std::size_t purge_tasks();
  /// The registered tasks, in the order added. A copy: adding, purging and cancelling meanwhile is safe.
  std::vector<Task<>> tasks() const;
  /// Every pending task, named or not, in the order added.
  std::vector<Task<>> all_tasks() const;
  /// `co_await app.shutdown_tasks(5s)` asks all tasks but the caller's to end, those that were added meanwhile too, and
  /// waits for them, no longer than `timeout`; gives how many are left. Throws `Cancelled` where the caller is asked to
  /// end meanwhile, and `InvalidState` where that is no task of this App.
  template <class Rep, class Period>
  Coro<std::size_t> shutdown_tasks(std::chrono::duration<Rep, Period> timeout) {
    loop_->check_thread();
    return shutdown_all(detail::LoopRef(*loop_), detail::to_nanoseconds(timeout));
  }

  // Running

  /// Runs the listeners and the tasks, until `stop`, or until no task, callback, posted call or `KeepAlive` is left.
  /// Then all tasks are cancelled and awaited. Afterwards it may be called again.
  ///
  /// Throws what a listener threw; `Deadlock` where tasks are left and nothing can ever wake them; `InvalidState`
  /// inside any `run` or `poll` of this thread, and while one of the App's tasks is being destroyed.
  void run() { run_with({}, nullptr); }
  /// The same with options: several workers, SIGINT and SIGTERM, or until `stop` alone. Throws `InvalidState` for no
  /// worker; for several with a Reactor or a ManualClock, or with a listener or a signal handler that cannot be copied
  /// and is not marked by `errand::once`; and where another App handles signals already. Throws `std::system_error`
  /// where a worker can have no thread. (A template, so that only who calls it compiles what starts threads.)
  template <class = void>
  void run(RunOptions options);
  /// Runs until `main` ends; then cancels the rest, waits for it, and returns the result of `main`. Throws what `main`
  /// throws, and `TaskCancelled` where it ended cancelled because of `stop` or a signal.
  template <class T>
  T run(Coro<T> main) {
    return run_main(std::move(main), {}, nullptr);
  }
  /// The same with options; `main` runs on worker 0, and its end stops all.
  template <class T>
  T run(Coro<T> main, RunOptions options);
  /// For a host loop, such as a game's or a GUI's: makes one turn without blocking. The first call starts what `run`
  /// would start; once no work is left, or after `stop`, the next calls make the stop sequence. False once that is
  /// over. Throws what a listener threw, and `InvalidState` inside the `run` or `poll` of another App; never
  /// `Deadlock`.
  ///
  /// Inside this App's own `run` or `poll`, as when a task opens a dialog whose loop polls, it does nothing and gives
  /// true; `Reactor::wake` is called when the outer one is over.
  bool poll();
  /// When `poll` should be called again: now where something is ready, empty where only something from outside can
  /// help. It is to be asked again after each `poll`, and when the host has used the App between two of them. What
  /// other threads do meanwhile is told by `Reactor::wake`.
  std::optional<Clock::time_point> next_deadline() const;
  /// The same for a frame of a game: makes turns until `until`, a time of the App's clock, or until nothing is ready;
  /// one at least. A ManualClock jumps to no later time meanwhile.
  bool poll(Clock::time_point until);
  /// Ends `run`. Any thread, any time until the destructor begins, more than once. Before the first `run` it lets that
  /// make one turn. A start listener that is under way is cancelled, and has `graceful_timeout` to end; the later ones
  /// are skipped.
  void stop() noexcept {
    const std::shared_ptr<detail::Inbox> inbox = loop_->inbox;  // the App may go as soon as its loop sees the request
    inbox->request_stop();
  }
  /// Keeps `run` waiting for more work while it lives. Who posts from other threads holds one, which the App's thread
  /// makes and hands on.
  [[nodiscard]] KeepAlive keep_alive() {
    loop_->check_thread();
    return KeepAlive(loop_->inbox);
  }

  // From other threads

  /// Runs `f` on the loop's thread; any thread may ask. False, and `f` is destroyed unrun, once the App has ended: from
  /// the end of a `run` to the start of the next. What `f` throws is reported.
  template <class F>
  bool post(F&& f);

  /// Adds work from any thread, as `add_task` does on the loop's; its result, or what it throws, comes through the
  /// future. That throws `InvalidState` where the App has ended, and `TaskCancelled` where the work was cancelled, the
  /// App was stopping, or it was destroyed before.
  template <class Work>
  std::future<typename detail::WorkTraits<Work&&>::Value> submit(Work&& work, std::string name = {});

  // Callbacks: plain functions, run by the loop outside any task. What they throw is reported. A callback belongs to no
  // scope, and is called though the function that has set it has ended: it must own what it uses, or be cancelled

  /// On the next turn.
  template <class F>
  CallHandle call_soon(F&& f);
  /// After a while. The largest duration means never: such a callback is never called, and `run` throws `Deadlock` if
  /// nothing else is left; `cancel` it.
  template <class F, class Rep, class Period>
  CallHandle call_later(std::chrono::duration<Rep, Period> delay, F&& f) {
    loop_->check_thread();  // before the clock is read
    return call(loop_->deadline(detail::to_nanoseconds(delay)), std::forward<F>(f));
  }
  /// At a time of the App's clock, of any precision; the largest means never.
  template <class F, class Duration>
  CallHandle call_at(std::chrono::time_point<Clock, Duration> when, F&& f) {
    return call(detail::to_nanoseconds(when), std::forward<F>(f));
  }

  // Listeners: f(App&) or f(), a plain function or a coroutine, each awaited before the next. Higher priority first,
  // then the order added; the *_stop ones in reverse

  /// Calls `f` in this phase of every run; `errand::once(f)` on worker 0 alone. Of a `*_start` phase, what it throws
  /// ends the run, which rethrows it after the stop sequence; of a `*_stop` phase, the others still run.
  template <class F>
  void add_listener(Phase phase, F&& f, int priority = 0);
  /// Once, before any worker starts; none does where it throws.
  template <class F>
  void main_process_start(F&& f, int priority = 0) {
    add_listener(Phase::main_process_start, std::forward<F>(f), priority);
  }
  /// On every worker, before its tasks run; those that were added before `run` start among these.
  template <class F>
  void before_server_start(F&& f, int priority = 0) {
    add_listener(Phase::before_server_start, std::forward<F>(f), priority);
  }
  /// On every worker, when the tasks that were added before `run` have been queued.
  template <class F>
  void after_server_start(F&& f, int priority = 0) {
    add_listener(Phase::after_server_start, std::forward<F>(f), priority);
  }
  /// On every worker, while its tasks still run: to drain them.
  template <class F>
  void before_server_stop(F&& f, int priority = 0) {
    add_listener(Phase::before_server_stop, std::forward<F>(f), priority);
  }
  /// On every worker, when its tasks have ended.
  template <class F>
  void after_server_stop(F&& f, int priority = 0) {
    add_listener(Phase::after_server_stop, std::forward<F>(f), priority);
  }
  /// Once, after all workers.
  template <class F>
  void main_process_stop(F&& f, int priority = 0) {
    add_listener(Phase::main_process_stop, std::forward<F>(f), priority);
  }

  // Signals

  /// Calls `handler(const Signal&)` or `handler()`, a plain function or a coroutine, whenever the event is dispatched.
  /// Its name has three parts, `namespace.reference.action`, and none has to be declared; the last part may be
  /// `<name>`, which stands for any action and is found in `Signal::parameter`. Throws `InvalidEvent`.
  template <class F>
  void add_signal(std::string_view event, F&& handler);
  /// Wakes everyone who is waiting for the event at this moment, and then runs its handlers, one after the other, in
  /// the task that it returns. A handler that throws fails that task, and the handlers after it don't run. Nobody
  /// listening is no error; an event is not remembered. Throws `InvalidEvent`, and what a copy of the payload throws;
  /// nobody is woken then.
  Task<> dispatch(std::string_view event, std::any payload = {});
  /// `co_await app.event("my.custom.event")` gives the next signal of that event, one that is dispatched after the
  /// await began; the last part may be `*`. Throws `InvalidEvent`.
  EventWait event(std::string_view event) { return wait_for_event(event, std::chrono::nanoseconds::max()); }
  /// The same, but throws `TimeoutError` when none comes in time, which is at once where that is not above zero.
  template <class Rep, class Period>
  EventWait event(std::string_view event, std::chrono::duration<Rep, Period> timeout) {
    return wait_for_event(event, detail::to_nanoseconds(timeout));
  }

  /// What the parts of the program share: one object a type. Each worker has its own. The members of the Context throw
  /// `WrongThread`, this does not.
  Context& ctx() noexcept { return ctx_; }
  /// Which worker this is, from 0.
  unsigned worker() const noexcept { return driver_.worker; }
  /// Writes a table for people: of each pending task the id, the name, the status, the age, what it waits for, and the
  /// place of that await. Below it, indented, stand the awaits around that one, and one step further what the branches
  /// of a combinator wait for; long lists are cut short. An age is by the App's clock, and may be an eighth too small.
  /// Throws `WrongThread`.
  void dump_tasks(std::ostream& out) const;

 private:
  class Inside;
  template <class Thread>
  class OtherWorkers;

  friend bool run_ready(App& app);
  friend class TaskScope;

  /// Whether a poll is one inside this App's own run or poll. The outer one wakes the host when it is over.
  bool is_polled_inside() noexcept;
  bool poll_ready(Clock::time_point until, Clock::time_point last_jump);

  static void drop_all(detail::Queue& calls) noexcept {
    while (!calls.empty()) static_cast<detail::Call&>(calls.pop_front()).drop();
  }

  void report(detail::TaskBase* task, std::exception_ptr error) noexcept override {
    reports_.failure(task, std::move(error));
  }
  void report_stall(std::exception_ptr error) noexcept override {
    reports_.failure(nullptr, std::move(error), name_.c_str());
  }
  void registered_ended(detail::TaskBase& task) noexcept override { registry_.ended(task, config_.purge_when_done); }
  void slow_step(detail::TaskBase* task, std::chrono::nanoseconds took, const char* file,
                 unsigned line) noexcept override {
    reports_.slow_step(task, took, file, line);
  }

  /// The task that is to be kept under this name, if any; an empty one is no name. Throws where the name cannot be had.
  detail::TaskBase* check_name(std::string_view name, NameTaken taken, const detail::TaskBase* wanted) const;
  void register_task(detail::TaskBase& task, std::string_view name, NameTaken taken);
  template <class Work>
  TaskOf<Work&&> add_specially(Work&& work, std::string_view name, NameTaken taken);
  template <class Work>
  detail::TaskHandle add_new(Work&& work, std::string_view name, NameTaken taken);
  void introduce(detail::TaskBase& task, std::string_view name, NameTaken taken, bool check_again);
  template <class F>
  CallHandle call(Clock::time_point when, F&& f);
  static Coro<std::size_t> shutdown_all(detail::LoopRef of, std::chrono::nanoseconds timeout);
  EventWait wait_for_event(std::string_view event, std::chrono::nanoseconds timeout) {
    loop_->check_thread();
    return EventWait(signals(), event, timeout);
  }
  detail::Signals& signals();

  /// Where there are no options nothing refers to workers, and a program has no code for them.
  void run_with(RunOptions options, detail::OtherWorkers* others);
  template <class T>
  T run_main(Coro<T> main, RunOptions options, detail::OtherWorkers* others);

  const std::string name_;
  const AppConfig config_;
  detail::Loop* const loop_;
  Context ctx_;
  detail::Registry registry_;
  detail::Owner<detail::SignalHub> signals_;  // from the first use on
  detail::Lifecycle life_;
  detail::Driver driver_;
  detail::Reports reports_;
  bool is_ending_ = false;  // it is inside its destructor
};

/// For tests of what an App does while it runs: makes turns as `App::poll` does, until nothing is ready. The first call
/// begins a run. An `advance` of a ManualClock is gone through to its end; the clock does not jump otherwise. False
/// once the run is over.
///
///     errand::ManualClock clock(errand::ManualClock::held);
///     errand::App app("test", {.clock = &clock});
///     auto task = app.add_task(work());
///     errand::run_ready(app);
///     CHECK(!task.done());
///     clock.advance(1h);
///     errand::run_ready(app);
///     CHECK(task.done());
bool run_ready(App& app);

// Implementation

/// This thread is inside the App.
class App::Inside {
 public:
  explicit Inside(App& app) noexcept : loop_(*app.loop_), thread_(detail::this_thread()), outer_(thread_.loop) {
    thread_.loop = &loop_;
    loop_.set_owner(&thread_);
  }
  ~Inside() {
    loop_.set_owner(nullptr);
    thread_.loop = outer_;
    if (std::exchange(loop_.polled_inside, false)) loop_.inbox->wake_host();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  /// Throws where this thread, or another one, may not go inside.
  ERRAND_COLD static void check(const App& app) {
    app.loop_->check_thread();
    if (detail::this_thread().loop || app.loop_->destruction) {
      detail::raise<InvalidState>(
          {"App '", app.name_, "' cannot run inside the run, poll or destructor of an App, nor inside an abort"});
    }
  }

 private:
  detail::Loop& loop_;
  detail::ThreadState& thread_;
  detail::Loop* outer_;
};

ERRAND_COLD inline App::App(std::string name, AppConfig config)
    : name_(std::move(name)),
      config_(std::move(config)),
      loop_(new detail::Loop(this, this, config_.clock, config_.reactor, config_.slow_step)),
      ctx_(*loop_),
      life_(*this, *loop_, signals_, config_.graceful_timeout),
      driver_(*loop_, life_, name_, config_.reactor),
      reports_(*loop_, config_, signals_, driver_.group) {
  loop_->max_threads = config_.max_threads;
}

ERRAND_COLD inline App::~App() {
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
    loop.open = false;
    detail::Queue left;
    loop.inbox->refuse(left);
    drop_all(left);
    loop.thread_pool = nullptr;  // waits for its calls
    loop.inbox->refuse(left);
    drop_all(left);  // what was put off because of them goes first
    for (;;) {
      detail::List& tasks = loop.pending.empty() ? loop.hidden : loop.pending;
      if (tasks.empty()) break;
      detail::task_of(tasks.back()).end_standing();
    }
    do {
      loop.take_queued(left);
      loop.inbox->close(left);
      while (!loop.timers.empty()) left.push_back(static_cast<detail::Call&>(loop.timers.pop()));
      drop_all(left);
      loop.take_queued(left);
    } while (!left.empty());
    life_.clear();
    if (signals_) signals_->clear();
    registry_.clear();
    ctx_.clear();
    while (!loop.failed.empty()) {
      auto& task = detail::task_of(loop.failed.pop_front());
      if (task.seen) continue;
      task.look();
      report(&task, task.error());
    }
    if (loop.failed_tasks) loop.failed_tasks->close();
    loop.app = nullptr;
    loop.host = nullptr;
    loop.leave_clock();
  }
  loop_->release();
}

ERRAND_COLD inline App& App::current() {
  if (detail::Loop* loop = detail::this_thread().loop) return *loop->app;
  throw InvalidState("no App runs on this thread");
}

template <class Work>
ERRAND_INLINE TaskOf<Work&&> App::add_task(Work&& work) {
  detail::Loop& loop = *loop_;
  loop.check_thread();
  if constexpr (!detail::is_task_handle<std::remove_cvref_t<Work>>) {
    if (loop.open) [[likely]]
      return TaskOf<Work&&>{detail::TaskHandle(detail::start_work(loop, std::forward<Work>(work)))};
  }
  return add_specially(std::forward<Work>(work), {}, NameTaken::fail);
}

template <class Work>
TaskOf<Work&&> App::add_task(Work&& work, std::string name, NameTaken taken) {
  loop_->check_thread();
  return add_specially(std::forward<Work>(work), name, taken);
}

/// What has a name, comes before the start, or is a task already.
template <class Work>
ERRAND_NOINLINE TaskOf<Work&&> App::add_specially(Work&& work, std::string_view name, NameTaken taken) {
  using T = typename detail::WorkTraits<Work&&>::Value;
  using Handle = TaskOf<Work&&>;
  if constexpr (detail::is_task_handle<std::remove_cvref_t<Work>>) {
    detail::TaskBase& task = work.handle().get();
    if (task.loop != loop_) detail::raise<InvalidState>({"task '", task.name(), "' belongs to another App"});
    if (name.empty()) return Handle(work.handle());
    if (detail::TaskBase* kept = check_name(name, taken, &task)) return Handle(detail::typed_handle<T>(*kept, name));
    register_task(task, name, taken);
    return Handle(work.handle());
  } else {
    if (detail::TaskBase* kept = check_name(name, taken, nullptr)) return Handle(detail::typed_handle<T>(*kept, name));
    return Handle(add_new(std::forward<Work>(work), name, taken));
  }
}

/// What is no task yet, and has a name that `check_name` has allowed.
template <class Work>
detail::TaskHandle App::add_new(Work&& work, std::string_view name, NameTaken taken) {
  const std::uint64_t before = registry_.added();
  detail::TaskBase& task = detail::make_task(*loop_, std::forward<Work>(work));
  const detail::TaskHandle handle(task);
  introduce(task, name, taken, registry_.added() != before);
  return handle;
}

/// Registers a new task, and starts it or keeps it for the start. The name has to be checked again if the copy or the
/// move of the callable has added tasks: it is too late to keep one of these.
ERRAND_NOINLINE inline void App::introduce(detail::TaskBase& task, std::string_view name, NameTaken taken,
                                           bool check_again) {
  const bool before_start = !loop_->open && !loop_->closing;
  try {
    if (before_start) {
      life_.listeners.add(Phase::before_server_start, *new detail::StartTask(detail::TaskHandle(task)));
    }
    if (!name.empty()) {  // last: if it throws, nobody has lost the name
      if (check_again) check_name(name, taken == NameTaken::keep ? NameTaken::fail : taken, nullptr);
      register_task(task, name, taken);
    }
  } catch (...) {
    task.end_standing();
    throw;
  }
  if (!before_start) detail::start_task(task);
}

ERRAND_NOINLINE inline detail::TaskBase* App::check_name(std::string_view name, NameTaken taken,
                                                         const detail::TaskBase* wanted) const {
  detail::TaskBase* old = name.empty() ? nullptr : registry_.find(name);
  if (!old || old->done()) return nullptr;
  if (taken == NameTaken::keep || old == wanted) return old;
  if (taken == NameTaken::fail) detail::throw_name_in_use(name);
  return nullptr;
}

ERRAND_NOINLINE inline void App::register_task(detail::TaskBase& task, std::string_view name, NameTaken taken) {
  std::string own(name);
  const detail::TaskHandle old = registry_.add(name, task);
  if (!task.has_name() && task.details().registrations == 1) task.details().name = std::move(own);
  if (old.state() && taken == NameTaken::cancel) old.state()->cancel({});
}

template <class T>
Task<T> App::get_task(std::string_view name) const {
  loop_->check_thread();
  detail::TaskBase* task = registry_.find(name);
  if (!task) throw TaskNotFound(std::string(name));
  return Task<T>(detail::typed_handle<T>(*task, name));
}

template <class T>
Task<T> App::find_task(std::string_view name) const {
  loop_->check_thread();
  detail::TaskBase* task = registry_.find(name);
  return task ? Task<T>(detail::typed_handle<T>(*task, name)) : Task<T>();
}

inline CancelTask App::cancel_task(std::string_view name, std::string_view reason) {
  loop_->check_thread();
  detail::TaskBase* task = registry_.find(name);
  if (!task) throw TaskNotFound(std::string(name));
  return CancelTask::ask(*task, reason);
}

ERRAND_COLD inline std::size_t App::purge_tasks() {
  loop_->check_thread();
  return registry_.purge();
}

ERRAND_COLD inline std::vector<Task<>> App::tasks() const {
  loop_->check_thread();
  return registry_.tasks();
}

ERRAND_COLD inline std::vector<Task<>> App::all_tasks() const {
  loop_->check_thread();
  std::vector<Task<>> all;
  for (detail::Link* link = loop_->pending.begin(); link != loop_->pending.end(); link = link->next) {
    all.push_back(Task<>(detail::TaskHandle(detail::task_of(*link))));
  }
  return all;
}

ERRAND_COLD inline Coro<std::size_t> App::shutdown_all(detail::LoopRef of, std::chrono::nanoseconds timeout) {
  detail::Loop& loop = of.get();
  loop.check();
  if (detail::this_thread().loop != &loop) throw InvalidState("shutdown_tasks is for a task of the App itself");
  auto* caller = &static_cast<detail::TaskBase&>(loop.current->root());
  constexpr std::chrono::nanoseconds least(1);
  detail::Limit limit(loop, loop.deadline(timeout < least ? least : timeout));
  bool in_time = true;
  while (in_time && detail::ask_all(loop, caller)) {
    in_time = co_await detail::Limited<detail::Drained>(limit, loop, caller);
  }
  std::size_t left = 0;
  for (detail::Link* link = loop.pending.begin(); link != loop.pending.end(); link = link->next) {
    left += &detail::task_of(*link) != caller;
  }
  co_return left;
}

ERRAND_COLD inline void App::run_with(RunOptions options, detail::OtherWorkers* others) {
  Inside::check(*this);
  const Inside inside(*this);
  driver_.run(options, others);
}

template <class T>
ERRAND_COLD T App::run_main(Coro<T> main, RunOptions options, detail::OtherWorkers* others) {
  Inside::check(*this);
  const Inside inside(*this);
  Task<T> task{detail::TaskHandle(detail::make_task(*loop_, std::move(main)))};
  driver_.run_until(task.handle(), options, others);
  return std::move(task).result();
}

/// The Apps that run on threads of their own, beside the first one.
template <class Thread>
class App::OtherWorkers final : public detail::OtherWorkers {
  using Group = detail::WorkerGroup<Thread>;

 public:
  explicit OtherWorkers(App& first) noexcept : first_(first) {}

  void start() override {
    RunOptions each = first_.driver_.options;
    const unsigned count = std::exchange(each.workers, 1);
    group_ = std::make_shared<Group>();
    first_.driver_.group = group_;
    group_->add(first_.loop_->inbox);
    std::vector<detail::Owner<App>> workers;
    for (unsigned i = 1; i < count; ++i) {
      const auto& worker = workers.emplace_back(detail::Owner(new App(first_.name_, first_.config_)));
      worker->driver_.worker = i;
      worker->driver_.group = group_;
      copy_to(*worker);
    }
    for (const auto& worker : workers) group_->add(worker->loop_->inbox);
    while (!workers.empty()) {
      group_->start([worker = std::move(workers.back()), each, group = group_.get()] { run(*worker, each, *group); });
      workers.pop_back();
    }
  }

  Coro<> ended() override {
    if (!group_) co_return;
    const auto ended = group_->all_ended();
    co_await ended;
  }

 private:
  void copy_to(App& worker) {
    if (first_.signals_) worker.signals_ = first_.signals_->copy_for(*worker.loop_);
    first_.life_.listeners.copy_to(worker.life_.listeners, [&worker](const detail::TaskBase& task) {
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

  /// On the worker's own thread.
  static void run(App& worker, RunOptions options, Group& group) {
    try {
      worker.run_with(options, nullptr);
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      if (!group.fail(error)) worker.report(nullptr, error);
    }
  }

  App& first_;
  std::shared_ptr<Group> group_;
};

template <class>
ERRAND_COLD void App::run(RunOptions options) {
  OtherWorkers<std::thread> others(*this);
  run_with(options, &others);
}

template <class T>
T App::run(Coro<T> main, RunOptions options) {
  OtherWorkers<std::thread> others(*this);
  return run_main(std::move(main), options, &others);
}

ERRAND_COLD inline bool App::is_polled_inside() noexcept {
  if (is_ending_ || loop_->owner() != &detail::this_thread()) return false;
  loop_->polled_inside = true;
  return true;
}

inline bool App::poll() {
  if (is_polled_inside()) return true;
  Inside::check(*this);
  const Inside inside(*this);
  return driver_.poll();
}

inline bool App::poll(Clock::time_point until) { return poll_ready(until, until); }

inline bool App::poll_ready(Clock::time_point until, Clock::time_point last_jump) {
  if (is_polled_inside()) return true;
  Inside::check(*this);
  const Inside inside(*this);
  return driver_.poll_ready(until, last_jump);
}

inline bool run_ready(App& app) { return app.poll_ready(detail::never, Clock::time_point::min()); }

inline std::optional<Clock::time_point> App::next_deadline() const {
  loop_->check_thread();
  return driver_.next_deadline();
}

template <class F>
bool App::post(F&& f) {
  detail::check_callback<std::decay_t<F>>();
  auto* callback = new detail::PlainCallback<std::decay_t<F>>(*loop_, std::forward<F>(f));
  if (loop_->inbox->post(*callback)) return true;
  callback->drop();
  return false;
}

template <class F>
CallHandle App::call_soon(F&& f) {
  detail::check_callback<std::decay_t<F>>();
  loop_->check_thread();
  auto* callback = new detail::PlainCallback<std::decay_t<F>>(*loop_, std::forward<F>(f));
  const CallHandle handle(*callback);
  callback->count();
  if (loop_->closing) {
    callback->drop();
  } else {
    loop_->make_ready(*callback);
  }
  return handle;
}

template <class F>
CallHandle App::call(Clock::time_point when, F&& f) {
  detail::check_callback<std::decay_t<F>>();
  loop_->check_thread();
  auto* callback = new detail::PlainCallback<std::decay_t<F>>(*loop_, std::forward<F>(f));
  const CallHandle handle(*callback);
  callback->count();
  if (loop_->closing) {
    callback->drop();
    return handle;
  }
  if (when == detail::never) {
    loop_->never_called.push_back(*callback);
    return handle;
  }
  try {
    loop_->timers.arm_finite(*callback, when);
  } catch (...) {
    callback->drop();
    throw;
  }
  return handle;
}

template <class F>
void App::add_listener(Phase phase, F&& f, int priority) {
  loop_->check_thread();
  life_.listeners.add(phase, *new detail::ListenerOf<std::decay_t<F>>(std::forward<F>(f), priority));
}

template <class Work>
std::future<typename detail::WorkTraits<Work&&>::Value> App::submit(Work&& work, std::string name) {
  static_assert(!detail::is_task_handle<std::remove_cvref_t<Work>>, "submit takes a Coro or a callable");
  using T = typename detail::WorkTraits<Work&&>::Value;
  detail::Submission<T> submission(name);
  std::future<T> future = submission.future();
  auto begin = [this, work = std::decay_t<Work>(std::forward<Work>(work)), name, submission]() mutable {
    if (life_.stage() >= detail::Lifecycle::Stage::stopping) return;
    Task<T> task;
    try {
      task = add_task(std::move(work), name);
      task.add_done_callback([submission](Task<T> done) mutable { submission.set(std::move(done)); });
    } catch (...) {
      if (task) task.abort();
      submission.fail(std::current_exception());
    }
  };
  if (!post(std::move(begin))) {
    const std::string message = detail::text({"App '", name_, "' has ended and takes no more work"});
    submission.fail(std::make_exception_ptr(InvalidState(message)));
  }
  return future;
}

template <class F>
void App::add_signal(std::string_view event, F&& handler) {
  loop_->check_thread();
  signals().add(event,
                detail::Owner<detail::Handler>(new detail::HandlerOf<std::decay_t<F>>(std::forward<F>(handler))));
}

inline detail::Signals& App::signals() {
  if (!signals_) signals_ = detail::Owner<detail::SignalHub>(new detail::Signals(*loop_));
  return static_cast<detail::Signals&>(*signals_);
}

inline Task<> App::dispatch(std::string_view event, std::any payload) {
  loop_->check_thread();
  return signals().dispatch(event, std::move(payload));
}

ERRAND_COLD inline void App::dump_tasks(std::ostream& out) const {
  loop_->check_thread();
  out << detail::table_of_tasks(*loop_, static_cast<std::size_t>(-1));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
