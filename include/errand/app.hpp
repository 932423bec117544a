// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <any>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
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
  bool running() const noexcept { return loop_->thread_inside() != nullptr; }
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
  void registered_ended(detail::TaskBase& task) noexcept override {
    registry_.task_ended(task, config_.purge_when_done);
  }
  void slow_step(detail::TaskBase* task, std::chrono::nanoseconds took, const char* file,
                 unsigned line) noexcept override {
    reports_.slow_step(task, took, file, line);
  }

  /// The task that is to be kept under this name, if any; an empty one is no name. Throws where the name cannot be had.
  detail::TaskBase* check_name(std::string_view name, NameTaken taken, const detail::TaskBase* wanted) const;
  void register_task(detail::TaskBase& task, std::string_view name, NameTaken taken);
  template <class Work>
  TaskOf<Work&&> add_any(Work&& work, std::string_view name, NameTaken taken);
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

}  // namespace errand

// The implementation, which needs the class that stands here
#include <errand/detail/app/app_calls.hpp>
#include <errand/detail/app/app_run.hpp>
#include <errand/detail/app/app_tasks.hpp>

#include <errand/detail/epilogue.hpp>
