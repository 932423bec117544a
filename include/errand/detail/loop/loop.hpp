// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include <errand/clock.hpp>
#include <errand/detail/base/compiler.hpp>
#include <errand/detail/loop/ages.hpp>
#include <errand/detail/loop/call.hpp>
#include <errand/detail/loop/host.hpp>
#include <errand/detail/loop/identity.hpp>
#include <errand/detail/loop/inbox.hpp>
#include <errand/detail/loop/node.hpp>
#include <errand/detail/loop/put_off.hpp>
#include <errand/detail/loop/thread_state.hpp>
#include <errand/detail/loop/timers.hpp>
#include <errand/errors.hpp>

namespace errand {
class App;
}

namespace errand::detail {

class Chain;
class Destruction;
class FailedTasks;
class TaskBase;

// How a Loop makes its turns stands in task/turn.hpp and task/steps.hpp, because a step goes on with a chain or a task,
// and those stand on higher floors.

/// The engine of an App: what is ready, what is due, what other threads have posted, and the tasks that are pending.
/// Counted, since handles to tasks outlive the App; `app` is null from then on.
class Loop {
 public:
  ERRAND_COLD Loop(App* its_app, Host* its_host, ClockSource* clock, Reactor* reactor, Nanoseconds slow_step)
      : app(its_app),
        host(its_host),
        inbox(std::make_shared<Inbox>(reactor)),
        clock_(clock),
        manual_(dynamic_cast<ManualClock*>(clock)),
        slow_step_(slow_step),
        timed_(slow_step > Nanoseconds::zero()) {
    if (manual_) manual_->enter(clock_user_);
  }

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) [[unlikely]]
      destroy();
  }
  /// The same, unless it is the last.
  bool release_one_of_many() noexcept {
    if (--references_ > 0) [[likely]]
      return true;
    ++references_;
    return false;
  }

  /// Throws `WrongThread` where another thread is inside the App, and `InvalidState` where the App is gone.
  void check() const {
    check_thread();
    if (!app) app_is_gone();
  }
  void check_thread() const {
    if (this_thread().loop != this) [[unlikely]]
      check_thread_inside();
  }
  /// For a destructor, which cannot throw: ends the program with this message on another thread.
  void check_thread_in_destructor(const char* message) const noexcept {
    if (is_on_other_thread()) [[unlikely]]
      end_program(message);
  }
  void set_thread_inside(const ThreadState* thread) noexcept {
    thread_inside_.store(thread, std::memory_order_relaxed);
  }
  const ThreadState* thread_inside() const noexcept { return thread_inside_.load(std::memory_order_relaxed); }

  Clock::time_point now() {
    if (clock_) [[unlikely]]
      return clock_->now();
    return Clock::now();
  }
  Clock::time_point deadline(Nanoseconds delay) { return add(now(), delay); }

  /// The step of a chain that may be its first.
  void run_chain(Chain& chain) noexcept;
  /// Runs what was posted and what is in the queue, but nothing that is due: at the end of a run, where a clock of the
  /// user's must not be asked.
  void run_out() noexcept;
  /// Lets a chain go on to its next wait, or its end.
  void resume(Chain& chain) noexcept;
  /// Turns, as long as there is something ready and nobody has to be asked. In each, what was posted, then what is due,
  /// joins the ready queue; then what is in the queue at that moment runs.
  void turns();

  /// Whether the next turn has something to do without waiting for anything.
  bool has_work() const noexcept { return !ready_.empty() || inbox->pending() || (is_held() && is_due()); }

  /// Puts a chain or a call at the end of the ready queue.
  void make_ready(Node& node) noexcept { ready_.push_back(node); }
  /// Takes it out of the queue that it stands in.
  void take_out(Node& node) noexcept {
    if (&node == last_) {
      if (node.prev == ready_.end()) ready_.push_front(nothing_);  // a turn has a last one until that runs
      last_ = node.prev;
    }
    node.unlink();
  }

  /// Sleeps until there may be something to do, at the latest for `limit`. A ManualClock jumps instead, where it may.
  void wait(Nanoseconds limit);
  /// Reads the clock only where tasks were added since.
  void note_ages() {
    if (!ages.knows(ids.last())) ages.note(ids.last(), now());
  }
  /// Lets a ManualClock go on with an `advance`, or jump to the next deadline if that is at `last` at the latest. False
  /// if the clock is none, or may do neither.
  bool jump(Clock::time_point last = never);
  bool can_jump(Clock::time_point last = never) const noexcept {
    if (is_advancing()) return thread_calls == 0;
    return manual_ && !is_held() && !is_outside() && !timers.empty() && timers.next() <= last;
  }
  /// Whether a turn at this time would call or wake somebody whose time has come.
  bool can_start_due(Clock::time_point time) const noexcept { return !timers.empty() && timers.next() <= time; }
  /// Whether an `advance` of a ManualClock has not come to its end.
  bool is_advancing() const noexcept { return manual_ && manual_->is_advancing(); }

  /// Whether a wait could end by itself: by a timer, or by something under way outside.
  bool can_wake() const noexcept { return is_outside() || is_advancing() || (!timers.empty() && !is_held()); }
  /// Whether something is under way outside that may come back.
  bool is_outside() const noexcept { return outside > 0 || thread_calls > 0; }
  bool is_held() const noexcept { return manual_ && manual_->mode_ == ManualClock::held; }
  bool is_manual() const noexcept { return manual_ != nullptr; }
  /// By a ManualClock: one that was advanced in the last step of a turn leaves something to do.
  bool is_due() const noexcept { return !timers.empty() && timers.next() <= manual_->now_; }

  /// Runs it at once behind the step that is under way, before anything that is in the queue.
  void run_next(Node& node) noexcept {
    if (last_ == ready_.end()) add_to_turn(node);
    ready_.push_front(node);
  }
  /// The same, if no step is under way: before anything else of the next turn.
  void run_first(Node& node) noexcept {
    if (last_ != ready_.end()) return run_next(node);
    ready_.push_front(node);
  }
  void run_next(Queue& nodes) noexcept {
    if (last_ == ready_.end() && !nodes.empty()) add_to_turn(nodes.back());
    nodes.splice_back(ready_);
    ready_.splice_back(nodes);
  }

  /// Reports at the end of the step: while something is being ended, no code of the user's may run.
  void report_later(TaskBase& task, std::exception_ptr error) noexcept;
  void report_late_failures() noexcept;

  /// Takes out what is queued, and the callbacks that nothing would ever call.
  void take_queued(Queue& nodes) noexcept {
    nodes.splice_back(ready_);
    nodes.splice_back(never_called);
  }
  /// The App is gone: the clock may go, too.
  void leave_clock() noexcept {
    if (manual_) manual_->leave(clock_user_);
  }

  App* app;
  Host* host;
  const std::shared_ptr<Inbox> inbox;
  List pending;         // the tasks of the user that have not ended, in the order added
  List hidden;          // the App's own tasks, such as listeners
  List failed;          // tasks that have, until they are destroyed
  List drains;          // who waits for the end of all tasks
  List thread_waiters;  // who waits for the end of all thread calls
  Timers timers;
  Queue never_called;                  // callbacks whose time is `never`
  Chain* current = nullptr;            // the chain that is running
  Destruction* destruction = nullptr;  // the innermost of those that are under way
  PutOff put_off{*this};
  std::size_t members = 0;       // tasks that are in a group
  std::size_t calls = 0;         // callbacks that are neither run nor cancelled
  std::size_t outside = 0;       // what may wake a task from outside: thread calls,
                                 // shared futures, foreign awaitables
  List under_way;                // the thread calls that are, or wait for a thread
  std::size_t thread_calls = 0;  // how many
  unsigned max_threads = 32;
  std::shared_ptr<void> thread_pool;          // made by the first call
  std::shared_ptr<FailedTasks> failed_tasks;  // of the failures that were reported; made by the first
  Ids ids;                                    // of its tasks
  /// What there is to do when a chain has ended.
  enum Notice : std::uint8_t {
    drains_wait = 1,   // for those who wait for the end of all tasks
    reports_wait = 2,  // of failures, which could not be made at once
  };
  std::uint8_t notices = 0;
  void notice(Notice what, bool is_there = true) noexcept {
    notices = static_cast<std::uint8_t>(is_there ? notices | what : notices & ~what);
  }
  unsigned turns_left = 1;     // until the App looks
  bool open = false;           // what is added is queued at once, and not kept for the start
  bool closing = false;        // a run is behind its last phase, or the App is being destroyed: work is destroyed unrun
  bool polled_inside = false;  // `poll` was called inside the App, and did nothing

  /// A task has ended.
  void check_drains() noexcept;
  /// Wakes all suspensions in this list.
  static void wake_all(List& list) noexcept;

 private:
  void add_to_turn(Node& node) noexcept {
    last_ = &node;
    turns_behind_ = std::exchange(turns_left, 1);
  }
  void look_around() noexcept;
  void take_due();
  void run_rest();
  void run(Node& node) noexcept;
  void run_timed(Node& node) noexcept;
  ERRAND_COLD void destroy() noexcept { delete this; }
  ERRAND_COLD void check_thread_inside() const {
    if (is_on_other_thread()) throw WrongThread("this belongs to the thread that is inside the App's run or poll");
  }
  bool is_on_other_thread() const noexcept {
    const ThreadState* const inside = thread_inside();
    return inside && inside != &this_thread();
  }
  [[noreturn]] ERRAND_COLD static void app_is_gone() { throw InvalidState("the App that this belongs to has ended"); }

  struct LateReport;
  LateReport* late_reports_ = nullptr;  // the first of them
  LateReport** late_end_ = &late_reports_;
  Queue ready_;                // first in, first out
  Node* last_ = ready_.end();  // during a turn: what stands behind it waits for the next; the end, where it has run
  /// To read the steady clock takes longer than a step: while single steps follow each other, so many have one reading.
  static constexpr unsigned most_steps_unread = 15;
  unsigned steps_unread_ = 0;  // how many may still follow the last reading
  unsigned turns_behind_ = 0;  // where the last step has put something before all else: those that were left
  struct Nothing final : Call {
    void run() noexcept override {}
    void drop() noexcept override {}
  } nothing_;
  struct User final : ClockUser {
    explicit User(const Loop& its_loop) noexcept : loop(its_loop) {}
    Clock::time_point first_deadline() const noexcept override {
      return loop.timers.empty() ? never : loop.timers.next();
    }
    const Loop& loop;
  } clock_user_{*this};
  ClockSource* const clock_;
  ManualClock* const manual_;
  const Nanoseconds slow_step_;
  const bool timed_;
  std::atomic<const ThreadState*> thread_inside_ = nullptr;
  std::size_t references_ = 1;

 public:
  Ages ages;  // large, and so the last
};

// Implementation

inline bool Loop::jump(Clock::time_point last) {
  if (!can_jump(last)) return false;
  ages.note(ids.last(), manual_->now_);
  if (is_advancing()) {
    manual_->go_on(clock_user_.first_deadline());
  } else if (timers.next() > manual_->now_) {
    manual_->now_ = timers.next();
  }
  return true;
}

ERRAND_COLD inline void Loop::wait(Nanoseconds limit) {
  if (can_jump()) {
    if (inbox->has_reactor()) inbox->sleep(now());  // input comes before time
    if (!has_work()) jump();
    return;
  }
  note_ages();
  std::optional<Clock::time_point> until;
  if (!timers.empty() && !manual_) until = timers.next();
  if (limit != Nanoseconds::max()) {
    // A Reactor cannot sleep by a ManualClock, and so gets a limit of the real time.
    const Clock::time_point last = add(manual_ && inbox->has_reactor() ? Clock::now() : now(), limit);
    if (!until || last < *until) until = last;
  }
  if (until && clock_ && !inbox->has_reactor()) until = add(Clock::now(), *until - clock_->now());
  if (!ready_.empty()) return;  // a clock of the user's has ended something
  inbox->sleep(until);
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
