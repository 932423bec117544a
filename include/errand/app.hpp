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
#include <errand/detail/app/handler.hpp>
#include <errand/detail/app/listener.hpp>
#include <errand/detail/app/workers.hpp>
#include <errand/detail/base/owner.hpp>
#include <errand/detail/loop/loop_ref.hpp>
#include <errand/detail/task/submission.hpp>
#include <errand/keep_alive.hpp>
#include <errand/name_taken.hpp>
#include <errand/once.hpp>
#include <errand/phase.hpp>
#include <errand/signals.hpp>

namespace errand {

struct Stats;     // in stats.hpp
struct TaskInfo;  // in snapshot.hpp
namespace detail {
class Engine;
}

/// A single-threaded event loop and the tasks that it runs: start work in the background, name it, find it again, await
/// it, cancel it, never lose an error, shut down cleanly.
///
///     errand::App app("MyApp");
///     app.add_task(poll_sensor, "sensor");
///     app.run();   // until stop(), or until no work is left
///
/// `stop`, `post` and `submit` may be called on any thread. Everything else belongs to the App's thread: the thread
/// inside `run` or `poll`, and at other times the one thread that uses the App. While a thread is inside, a call from
/// another one throws `WrongThread`. At other times errand cannot detect such a call.
///
/// Callables and arguments are copied or moved into the App. If that throws, or there is no memory (`std::bad_alloc`),
/// the error comes out of the call, and nothing has been added. If the App itself lacks memory for a step of a run,
/// `run` ends at once and throws that; the next `run` works. The destructors of what the App was given, and of the
/// locals of its tasks, must not throw.
///
/// The destructor ends what still runs: suspended tasks are destroyed without running further. It ends the program if
/// it is called inside the App's own `run` or `poll`. It does so, too, while one of its tasks is being destroyed: by
/// `abort`, or with a generator that is dropped while its next value is awaited. Handles and other objects of an App
/// may outlive it; if they then need the App, they throw `InvalidState`.
class App {
 public:
  /// Makes an App, which runs nothing before `run` or `poll`. The clock and the Reactor of the configuration must
  /// outlive it.
  explicit App(std::string name = "app", AppConfig config = {});
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Returns the name of the App, which its other workers have, too.
  const std::string& name() const noexcept { return name_; }
  /// Returns the App whose loop runs on this thread. Throws `InvalidState` if there is none.
  static App& current();
  /// Returns true if a thread is inside `run` or `poll`.
  bool running() const noexcept { return loop_->thread_inside() != nullptr; }
  /// Returns the time by the clock of the App, from which `sleep`, `call_later` and `call_at` count. Throws
  /// `WrongThread`, and what a clock of the configuration throws.
  Clock::time_point now() const {
    loop_->check_thread();
    return loop_->now();
  }

  // Background tasks

  /// Starts work in the background, and returns its task. The task is queued, and begins on a later turn.
  ///
  /// `work` is a `Coro<T>`; a callable `f(App&)` or `f()`, which is called in the first step of the task and returns a
  /// `Coro<T>` or a plain `T`; or an existing task, which gets a further name. A callable lives as long as its
  /// coroutine, so that a lambda with captures may be a coroutine.
  ///
  /// If the task has a name, it is registered: `get_task` finds it. If it is added before `run`, it starts in its place
  /// among the `before_server_start` listeners, and a callable runs on every worker. The handle is valid at once, and
  /// need not be kept.
  ///
  /// The task runs on when the scope that added it is left. If it uses something by reference, or the `this` of an
  /// object, add it to a `TaskScope` that stands below what the task uses.
  ///
  /// Throws `TaskNameInUse` if the name belongs to a pending task, unless `taken` says otherwise; `TaskTypeMismatch`
  /// with `NameTaken::keep`, if the task of this name has another type; `InvalidState` for an empty Coro or a task of
  /// another App; `WrongThread`; `std::bad_alloc`. Then the work is destroyed unrun, and the task that has the name
  /// keeps it.
  ///
  ///     errand::Task<int> task = app.add_task(count("a.txt"), "count:a.txt");
  template <class Work>
  TaskOf<Work&&> add_task(Work&& work);
  /// Starts work like `add_task(work)`, and registers its task under a name; an empty name is no name.
  template <class Work>
  TaskOf<Work&&> add_task(Work&& work, std::string name, NameTaken taken = NameTaken::fail);

  /// Returns the task that is registered under this name: a `Task<T>`, or a `Task<>` if no type is given. Throws
  /// `TaskNotFound` if there is none, and `TaskTypeMismatch` if its result has another type.
  template <class T = void>
  Task<T> get_task(std::string_view name) const;
  /// Returns the task of this name, or an empty handle if there is none. Throws `TaskTypeMismatch` like `get_task`.
  template <class T = void>
  Task<T> find_task(std::string_view name) const;

  /// Asks the task of this name to end. The call itself makes the request, even if you forget the `co_await`. The await
  /// waits until the task has ended, and gives true if it ended cancelled. A task that has been asked before is not
  /// asked again. See `CancelTask`.
  ///
  /// The call throws `TaskNotFound` if no task has this name, so `settled(app.cancel_task(name))` does not catch it.
  /// With `purge_when_done` this happens if the task has just ended: use `find_task` then, as below. The await throws
  /// `InvalidState` in the task itself.
  ///
  ///     bool cancelled = co_await app.cancel_task("slow_task", "no longer needed");
  ///     if (errand::Task<> task = app.find_task("slow_task")) task.cancel("no longer needed");
  CancelTask cancel_task(std::string_view name, std::string_view reason = {});

  /// Forgets the registered tasks that are done, and returns how many names were removed.
  std::size_t purge_tasks();
  /// Returns the registered tasks, one for each name, in the order added: a copy, so that tasks may be added, purged
  /// and cancelled meanwhile.
  std::vector<Task<>> tasks() const;
  /// Returns every pending task, named or not, in the order added.
  std::vector<Task<>> all_tasks() const;
  /// Asks all tasks except the caller to end, and waits for them: `co_await app.shutdown_tasks(5s)`. Tasks that are
  /// added meanwhile are asked too. Waits no longer than `timeout`, and gives how many tasks are left. Throws
  /// `Cancelled` if the caller is asked to end meanwhile, and `InvalidState` if the caller is no task of this App.
  template <class Rep, class Period>
  Coro<std::size_t> shutdown_tasks(std::chrono::duration<Rep, Period> timeout) {
    loop_->check_thread();
    return shutdown_all(detail::LoopRef(*loop_), detail::to_nanoseconds(timeout));
  }

  // Running

  /// Runs the listeners and the tasks until `stop`, or until no task, callback, posted call or `KeepAlive` is left.
  /// Then all tasks are cancelled and awaited. A further `run` is possible afterwards.
  ///
  /// Throws what a listener threw; `Deadlock` if tasks are left and nothing can ever wake them; `InvalidState` inside
  /// any `run` or `poll` of this thread, while `poll` has a run that is not over, and while a task of the App is being
  /// destroyed.
  void run() { run_with({}, nullptr); }
  /// Runs with options: several workers, SIGINT and SIGTERM, or until `stop` alone. Throws `InvalidState` if the number
  /// of workers is 0, and if another App handles SIGINT and SIGTERM already. With several workers, throws it also if
  /// the App has a Reactor or a ManualClock, or if a signal handler or a listener for every worker cannot be copied and
  /// is not marked by `errand::once`. Throws `std::system_error` if no thread can be made. (It is a template so that
  /// only a program that calls it compiles the code that starts threads.)
  template <class = void>
  void run(RunOptions options);
  /// Runs until `main` ends; then cancels the other tasks, waits for them, and returns the result of `main`. Throws
  /// what `main` throws, and `TaskCancelled` if `main` ended cancelled because of `stop` or a signal.
  template <class T>
  T run(Coro<T> main) {
    return run_main(std::move(main), {}, nullptr);
  }
  /// Runs `main` with options: `main` runs on worker 0, and its end stops all workers.
  template <class T>
  T run(Coro<T> main, RunOptions options);
  /// Makes one turn without blocking, for a host loop such as that of a game or a GUI. Returns false when the run is
  /// over. The first call starts what `run` would start. When no work is left, or after `stop`, the next calls go
  /// through the phases of the stop, see `Phase`. Throws what a listener threw, and `InvalidState` inside the `run` or
  /// `poll` of another App; never `Deadlock`.
  ///
  /// If it is called inside this App's own `run` or `poll`, for example when a task opens a dialog whose loop polls, it
  /// does nothing and returns true. `Reactor::wake` is called when the outer `run` or `poll` is over; until then
  /// `next_deadline` is empty.
  bool poll();
  /// Returns when `poll` should be called again: now if something is ready, empty if only another thread or the host
  /// can give it work. Ask again after each `poll`, and if the host has used the App between two of them.
  /// `Reactor::wake` tells the host of what other threads do meanwhile.
  std::optional<Clock::time_point> next_deadline() const;
  /// Makes turns until a time of the App's clock, or until nothing is ready: `poll` for one frame of a game. Makes one
  /// turn at least. Returns false when the run is over. A ManualClock does not jump beyond `until` meanwhile.
  bool poll(Clock::time_point until);
  /// Asks `run` to end. May be called on any thread, more than once, and at any time until the destructor begins. If it
  /// is called before the first `run`, that one makes one turn. A start listener that is under way is cancelled, and
  /// has `graceful_timeout` to end; the later ones are skipped.
  void stop() noexcept {
    // A copy, because the App may be destroyed as soon as its loop sees the request.
    const std::shared_ptr<detail::Inbox> inbox = loop_->inbox;
    inbox->request_stop();
  }
  /// Returns a guard that keeps `run` waiting for more work while it lives. Code that posts from another thread must
  /// hold such a guard: make it on the App's thread, and give it to that code.
  [[nodiscard]] KeepAlive keep_alive() {
    loop_->check_thread();
    return KeepAlive(loop_->inbox);
  }

  // From other threads

  /// Runs `f` on the App's thread; may be called on any thread. Returns false, and destroys `f` unrun, if the App has
  /// ended: from the end of a `run` to the start of the next. Before the first `run`, `f` is kept, and runs then. If
  /// `f` throws, that is reported.
  template <class F>
  bool post(F&& f);

  /// Adds work from any thread, like `add_task` on the App's thread, and returns a future of its result, or of what it
  /// throws. The future throws `InvalidState` if the App had ended, and `TaskCancelled` if the work was cancelled, the
  /// App was stopping, or it was destroyed first.
  template <class Work>
  std::future<typename detail::WorkTraits<Work&&>::Value> submit(Work&& work, std::string name = {});

  // Callbacks: plain functions, run by the loop outside any task. If one throws, that is reported. A callback belongs
  // to no scope: it is called even if the function that has set it has ended. So it must own what it uses, or be
  // cancelled.

  /// Calls `f` on the next turn.
  template <class F>
  CallHandle call_soon(F&& f);
  /// Calls `f` after a delay. The largest duration means never: such a callback is never called, and should be
  /// cancelled when it is not needed any more, because `run` throws `Deadlock` if nothing else is left.
  template <class F, class Rep, class Period>
  CallHandle call_later(std::chrono::duration<Rep, Period> delay, F&& f) {
    loop_->check_thread();  // before the clock is read
    return call(loop_->deadline(detail::to_nanoseconds(delay)), std::forward<F>(f));
  }
  /// Calls `f` at a time of the App's clock, of any precision; the largest time means never.
  template <class F, class Duration>
  CallHandle call_at(std::chrono::time_point<Clock, Duration> when, F&& f) {
    return call(detail::to_nanoseconds(when), std::forward<F>(f));
  }

  // Listeners: f(App&) or f(), a plain function or a coroutine. Each is awaited before the next begins: higher priority
  // first, then in the order added. In the `*_stop` phases this whole order is reversed: lower priority first, the last
  // added first.

  /// Calls `f` in this phase of every run; if it is `errand::once(f)`, on worker 0 alone. If `f` throws in a `*_start`
  /// phase, that ends the run, which rethrows it after the phases of the stop. If `f` throws in a `*_stop` phase, the
  /// other listeners still run, and then the run rethrows it.
  template <class F>
  void add_listener(Phase phase, F&& f, int priority = 0);
  /// Calls `f` once, before any worker starts; if `f` throws, no worker starts.
  template <class F>
  void main_process_start(F&& f, int priority = 0) {
    add_listener(Phase::main_process_start, std::forward<F>(f), priority);
  }
  /// Calls `f` on every worker before its tasks run. Tasks that were added before `run` start among these listeners.
  template <class F>
  void before_server_start(F&& f, int priority = 0) {
    add_listener(Phase::before_server_start, std::forward<F>(f), priority);
  }
  /// Calls `f` on every worker when the tasks that were added before `run` have been queued.
  template <class F>
  void after_server_start(F&& f, int priority = 0) {
    add_listener(Phase::after_server_start, std::forward<F>(f), priority);
  }
  /// Calls `f` on every worker while its tasks still run, to drain them.
  template <class F>
  void before_server_stop(F&& f, int priority = 0) {
    add_listener(Phase::before_server_stop, std::forward<F>(f), priority);
  }
  /// Calls `f` on every worker when its tasks have ended.
  template <class F>
  void after_server_stop(F&& f, int priority = 0) {
    add_listener(Phase::after_server_stop, std::forward<F>(f), priority);
  }
  /// Calls `f` once, after all workers have ended.
  template <class F>
  void main_process_stop(F&& f, int priority = 0) {
    add_listener(Phase::main_process_stop, std::forward<F>(f), priority);
  }

  // Signals

  /// Calls `handler(const Signal&)` or `handler()`, a plain function or a coroutine, when the event is dispatched. Its
  /// name has three parts, `namespace.reference.action`, and need not be declared. The last part may be `<name>`: that
  /// matches any action, which the handler finds in `Signal::parameter`. Throws `InvalidEvent` if the name is wrong.
  template <class F>
  void add_signal(std::string_view event, F&& handler);
  /// Dispatches an event: wakes everyone who is waiting for it at this moment, gives it to the subscriptions, and then
  /// runs its handlers, one after the other, in the task that it returns. If a handler throws, that task fails, and the
  /// handlers after it do not run. It is no error if nobody listens; an event is not remembered. Throws `InvalidEvent`,
  /// and what a copy of the payload throws; then nobody gets the signal.
  Task<> dispatch(std::string_view event, std::any payload = {});
  /// Waits for the next signal of an event, from the await on: `co_await app.event("shop.order.paid")`. The last part
  /// of the name may be `*`, for any action. Throws `InvalidEvent` if the name is wrong.
  EventWait event(std::string_view event) { return wait_for_event(event, std::chrono::nanoseconds::max()); }
  /// Waits for the next signal of an event, but no longer than `timeout`. The await throws `TimeoutError` if no signal
  /// comes in time; at once if `timeout` is zero or negative.
  template <class Rep, class Period>
  EventWait event(std::string_view event, std::chrono::duration<Rep, Period> timeout) {
    return wait_for_event(event, detail::to_nanoseconds(timeout));
  }
  /// Returns a subscription to all signals of an event that are dispatched from now on, in order, also while the
  /// subscriber is busy. The last part of the name may be `*`, for any action. With a capacity, only so many signals
  /// wait there: if one more comes, the oldest is lost, and counted in `lost()`. The subscription ends with the App,
  /// and only tasks of this App may await it: in others that throws `InvalidState`. Throws `InvalidEvent` if the name
  /// is wrong, and `std::bad_alloc`.
  ///
  ///     auto orders = app.subscribe("shop.order.placed");
  ///     while (auto order = co_await orders.next()) co_await send(*order);   // more may be dispatched meanwhile
  Subscription<Signal> subscribe(std::string_view event, std::size_t capacity = 0);

  /// Returns the objects that the parts of the program share: one of each type. Each worker has its own. `ctx` itself
  /// does not throw; the members of the Context throw `WrongThread`.
  Context& ctx() noexcept { return ctx_; }
  /// Returns the number of this worker, from 0.
  unsigned worker() const noexcept;
  /// Writes a table for people, with a row for each pending task: the id, the name, the status, the age, what the task
  /// waits for, and the file and line of that await. Below it, indented, stand the awaits around that one and, if it is
  /// a combinator, what its branches wait for. Long lists are cut short. An age is measured by the App's clock, and may
  /// be an eighth too small. Throws `WrongThread`.
  void dump_tasks(std::ostream& out) const;
  /// Returns the table of `dump_tasks` as data: a `TaskInfo` for each pending task, in the order in which they were
  /// added. It refers to nothing of the App, and may be kept and handed to other threads. `out << app.snapshot()`
  /// writes the table, and `to_json` makes JSON of it: include `errand/snapshot.hpp`. Throws `WrongThread`.
  std::vector<TaskInfo> snapshot() const;
  /// Returns what the App has counted so far. Throws `WrongThread`.
  Stats stats() const;

 private:
  class Inside;
  template <class Thread>
  class OtherWorkers;

  friend bool run_ready(App& app);
  friend class TaskScope;

  /// Called by `poll`. Returns true if this thread is inside a `run` or `poll` of this App, which then wakes the host
  /// when it is over.
  bool is_polled_inside() noexcept;
  bool poll_ready(Clock::time_point until, Clock::time_point last_jump);

  static void drop_all(detail::NodeQueue& calls) noexcept {
    while (!calls.empty()) static_cast<detail::Call&>(calls.pop_front()).drop();
  }

  /// Returns the task that is registered under this name; null if there is none.
  detail::TaskBase* find_registered(std::string_view name) const noexcept;
  /// Returns how many names have been added so far.
  std::uint64_t names_added() const noexcept;
  /// Returns the pending task that keeps this name, because `taken` is `keep` or because it is `wanted`; null if the
  /// name is free, or is to be taken from its task. An empty name is no name. Throws `TaskNameInUse` if `taken` is
  /// `fail` and another pending task has the name.
  detail::TaskBase* check_name(std::string_view name, NameTaken taken, const detail::TaskBase* wanted) const;
  void register_task(detail::TaskBase& task, std::string_view name, NameTaken taken);
  template <class Work>
  TaskOf<Work&&> add_any(Work&& work, std::string_view name, NameTaken taken);
  template <class Work>
  detail::TaskHandle add_new(Work&& work, std::string_view name, NameTaken taken);
  void register_and_start(detail::TaskBase& task, std::string_view name, NameTaken taken, bool check_again);
  template <class F, class Place>
  CallHandle add_callback(F&& f, Place place);
  template <class F>
  CallHandle call(Clock::time_point when, F&& f);
  static Coro<std::size_t> shutdown_all(detail::LoopRef of, std::chrono::nanoseconds timeout);
  EventWait wait_for_event(std::string_view event, std::chrono::nanoseconds timeout);
  void add_handler(std::string_view event, detail::Owner<detail::Handler> handler);
  void add_any_listener(Phase phase, detail::Owner<detail::Listener> listener);
  /// Returns true if work that is submitted is not taken any more.
  bool is_stopping() const noexcept;

  /// Returns what starts the other workers of a run. (It is a template so that only a program that gives options to
  /// `run` has code for workers.)
  template <class = void>
  detail::Owner<detail::OtherWorkers> other_workers();
  /// `others` is null if there are no options. Then nothing refers to workers.
  void run_with(RunOptions options, detail::OtherWorkers* others);
  void run_until(const detail::TaskHandle& main, RunOptions options, detail::OtherWorkers* others);
  template <class T>
  T run_main(Coro<T> main, RunOptions options, detail::OtherWorkers* others);

  const std::string name_;
  const detail::Owner<detail::Engine> engine_;
  detail::Loop* const loop_;
  Context ctx_;
  bool is_ending_ = false;  // the destructor is running
};

/// Makes turns like `App::poll` until nothing is ready: for tests of what an App does while it runs. Returns false when
/// the run is over. The first call begins a run. If a ManualClock has been advanced, goes on to the end of that
/// `advance`; otherwise the clock does not jump.
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

// The implementation, which needs the complete class
#include <errand/detail/app/app_calls.hpp>
#include <errand/detail/app/app_run.hpp>
#include <errand/detail/app/app_tasks.hpp>

#include <errand/detail/epilogue.hpp>
