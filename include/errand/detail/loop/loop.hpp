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
#include <errand/detail/loop/counts.hpp>
#include <errand/detail/loop/host.hpp>
#include <errand/detail/loop/identity.hpp>
#include <errand/detail/loop/inbox.hpp>
#include <errand/detail/loop/loops.hpp>
#include <errand/detail/loop/node.hpp>
#include <errand/detail/loop/probe.hpp>
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

// The functions that make turns are defined in task/turn.hpp and task/steps.hpp, because they resume chains and tasks,
// which are classes of higher floors.

/// The engine of an App. It has the ready queue, the timer queue, the inbox for other threads, and the lists of tasks.
/// It counts references, because handles to tasks may outlive the App. After the App's end, `app` and `host` are null.
class Loop {
  // First in, first out. The first member, so that the end of the queue, which `make_ready` stores, has the address of
  // the loop: one instruction less in each step.
  NodeQueue ready_;

 public:
  /// `its_probe` is null if there is none. It is told of steps only if `probes_steps`.
  ERRAND_COLD Loop(App* its_app, Host* its_host, ClockSource* clock, Reactor* reactor, Probe* its_probe,
                   bool probes_steps)
      : app(its_app),
        host(its_host),
        probe(its_probe),
        inbox(std::make_shared<Inbox>(reactor)),
        clock_(clock),
        manual_(dynamic_cast<ManualClock*>(clock)),
        probes_steps_(probes_steps) {
    if (manual_) manual_->enter(clock_user_);
  }

  /// Returns the number of this loop, which no other loop has.
  std::uint64_t number() const noexcept { return place_.number; }

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) [[unlikely]]
      destroy();
  }
  /// Gives a reference back and returns true. If it is the last one, keeps it and returns false.
  bool release_one_of_many() noexcept {
    if (--references_ > 0) [[likely]]
      return true;
    ++references_;
    return false;
  }

  /// Throws `WrongThread` if another thread is inside the App, and `InvalidState` if the App is gone.
  void check() const {
    check_thread();
    if (!app) app_is_gone();
  }
  /// Throws `WrongThread` if another thread is inside the App.
  void check_thread() const {
    if (this_thread().loop != this) [[unlikely]]
      check_thread_inside();
  }
  /// Ends the program with this message if another thread is inside the App. Called by destructors, because they cannot
  /// throw.
  void check_thread_in_destructor(const char* message) const noexcept {
    if (is_on_other_thread()) [[unlikely]]
      end_program(message);
  }
  /// Notes the thread inside the App; null if there is none. Any thread may ask for it.
  void set_thread_inside(const ThreadState* thread) noexcept {
    thread_inside_.store(thread, std::memory_order_relaxed);
  }
  const ThreadState* thread_inside() const noexcept { return thread_inside_.load(std::memory_order_relaxed); }

  /// Returns the time of the App's clock. Throws what a clock of the user's throws.
  Clock::time_point now() {
    if (clock_) [[unlikely]]
      return clock_->now();
    return Clock::now();
  }
  Clock::time_point deadline(Nanoseconds delay) { return add(now(), delay); }

  /// Makes a step of a chain, which may be its first.
  void run_chain(Chain& chain) noexcept;
  /// Runs what was posted and what is in the ready queue, but nothing that is due. Called at the end of a run, when a
  /// clock of the user's must not be asked any more.
  void run_out() noexcept;
  /// Resumes a chain, which runs to its next wait or to its end.
  void resume(Chain& chain) noexcept;
  /// Makes up to `turns_left` turns, as long as something is ready and nothing is posted. The first turn takes what was
  /// posted. Each turn takes what is due, and then runs what is in the ready queue at that moment.
  void turns();

  /// Returns true if the next turn has something to do without a wait.
  bool has_work() const noexcept { return !ready_.empty() || inbox->pending() || (is_held() && is_due()); }

  void set_open(bool is_open) noexcept {
    open = is_open;
    takes_short_way = open && !has_locals && !probe;
  }
  void note_locals() noexcept {
    has_locals = true;
    takes_short_way = false;
  }

  /// Puts a chain or a call at the end of the ready queue.
  void make_ready(Node& node) noexcept { ready_.push_back(node); }
  /// Takes a node out of the queue that it stands in.
  void take_out(Node& node) noexcept {
    if (&node == last_of_turn_) {
      if (node.prev == ready_.end()) ready_.push_front(nothing_);  // a turn needs a last node until that has run
      last_of_turn_ = node.prev;
    }
    node.unlink();
  }

  /// Sleeps until there may be something to do, but no longer than `limit`. If a ManualClock may jump, jumps instead.
  void wait(Nanoseconds limit);
  /// Notes the last id and the time, if tasks were added since the last note. If not, the clock is not read.
  void note_ages() {
    if (!ages.knows(ids.last())) ages.note(ids.last(), now());
  }
  /// Lets a ManualClock go on with an `advance`, or jump to the next deadline if that is not after `last`. Returns
  /// false if the clock may do neither, or is no ManualClock.
  bool jump(Clock::time_point last = never);
  /// Returns true if `jump` would return true.
  bool can_jump(Clock::time_point last = never) const noexcept {
    if (is_advancing()) return thread_calls == 0;
    return manual_ && !is_held() && !is_outside() && !timers.empty() && timers.next() <= last;
  }
  /// Returns true if a turn at this time would make a call, or wake a chain, because its time has come.
  bool can_start_due(Clock::time_point time) const noexcept { return !timers.empty() && timers.next() <= time; }
  /// Returns true if an `advance` of a ManualClock is not over.
  bool is_advancing() const noexcept { return manual_ && manual_->is_advancing(); }

  /// Returns true if a wait could end by itself: by a timer, or by something under way outside the loop.
  bool can_wake() const noexcept { return is_outside() || is_advancing() || (!timers.empty() && !is_held()); }
  /// Returns true if something is under way outside the loop that may come back and wake a task.
  bool is_outside() const noexcept { return outside > 0 || thread_calls > 0; }
  bool is_held() const noexcept { return manual_ && manual_->mode_ == ManualClock::held; }
  bool is_manual() const noexcept { return manual_ != nullptr; }
  /// Returns true if the App has a clock of the configuration.
  bool has_own_clock() const noexcept { return clock_ != nullptr; }
  /// Returns true if the time of a ManualClock has reached a deadline. The last step of a turn may have advanced the
  /// clock, and so the next turn has something to do. The App must have a ManualClock.
  bool is_due() const noexcept { return !timers.empty() && timers.next() <= manual_->now_; }

  /// Puts a node before everything else in the ready queue: it runs right after the step that is under way, and in the
  /// same turn. A step must be under way.
  void run_next(Node& node) noexcept {
    if (last_of_turn_ == ready_.end()) add_to_turn(node);
    ready_.push_front(node);
  }
  /// Like `run_next`, but may be called if no step is under way: the node then runs before everything else in the next
  /// turn.
  void run_first(Node& node) noexcept {
    if (last_of_turn_ != ready_.end()) return run_next(node);
    ready_.push_front(node);
  }
  /// Like `run_next`, for several nodes in this order.
  void run_next(NodeQueue& nodes) noexcept {
    if (last_of_turn_ == ready_.end() && !nodes.empty()) add_to_turn(nodes.back());
    nodes.splice_back(ready_);
    ready_.splice_back(nodes);
  }

  /// Reports a failure at the end of the step, because the caller is in the middle of ending a branch or a group, and a
  /// report runs code of the user's.
  void report_later(TaskBase& task, std::exception_ptr error) noexcept;
  /// Makes the reports that `report_later` has noted.
  void report_late_failures() noexcept;

  /// Moves the ready queue, and the callbacks whose time is `never`, to `nodes`. Called when the App is destroyed.
  void take_all_calls(NodeQueue& nodes) noexcept {
    nodes.splice_back(ready_);
    nodes.splice_back(never_called);
  }
  /// Called when the App is destroyed, because the clock may be destroyed next.
  void leave_clock() noexcept {
    if (manual_) manual_->leave(clock_user_);
  }

  App* app;
  Host* host;
  Probe* probe;  // null if nobody wants to know what the tasks do, and after the App's end
  const std::shared_ptr<Inbox> inbox;
  List pending;         // the user's tasks that have not ended, in the order in which they were added
  List hidden;          // the App's own tasks that have not ended, such as listeners
  List failed;          // tasks that have failed, until they are freed
  List drains;          // the waits for the end of all tasks
  List thread_waiters;  // the waits for the end of all thread calls
  Timers timers;
  NodeQueue never_called;              // callbacks whose time is `never`
  Chain* current = nullptr;            // the chain that is running
  Destruction* destruction = nullptr;  // the innermost destruction that is under way
  PutOff put_off{*this};
  std::size_t members = 0;       // how many tasks are members of a group
  std::size_t calls = 0;         // how many callbacks have neither run nor been cancelled
  std::size_t outside = 0;       // how many tasks wait for a thread call, a shared future or a foreign awaitable
  List under_way;                // the thread calls that are running or wait for a thread
  std::size_t thread_calls = 0;  // how many there are in `under_way`
  unsigned max_threads = 32;
  std::shared_ptr<void> thread_pool;          // made by the first thread call
  std::shared_ptr<FailedTasks> failed_tasks;  // the tasks of failures that were reported; made by the first report
  Ids ids;                                    // of the tasks
  std::uint64_t random_draws = 0;             // how many random numbers were drawn, see `Backoff`
  Counts counts;
  /// The things to do when a chain has ended.
  enum Notice : std::uint8_t {
    drains_wait = 1,   // look whether one of `drains` is over
    reports_wait = 2,  // make the reports of failures that could not be made at once
  };
  std::uint8_t notices = 0;
  /// Notes that there is such a thing to do, or that there is none any more.
  void notice(Notice what, bool is_there = true) noexcept {
    notices = static_cast<std::uint8_t>(is_there ? notices | what : notices & ~what);
  }
  unsigned turns_left = 1;  // how many turns to make until the App looks at its requests
  bool open = false;        // work that is added is queued at once; if not, it is kept for the start of the run
  bool has_locals = false;  // a task of this loop has set a `TaskLocal`, so that a new task may have to begin with it
  bool takes_short_way = false;  // `open`, without locals and a probe: work without a name needs no more than a task
  bool closing = false;    // after the last phase, and in the App's destructor: work that is added is destroyed unrun
  bool is_waking = false;  // a primitive is waking somebody, and no code of the user's may run before it has done so
  bool polled_inside = false;  // `poll` was called inside the App, and so did nothing

  /// Wakes the waits in `drains` that are over. Called when a task has ended.
  void check_drains() noexcept;
  /// Wakes all waiters in this list.
  static void wake_all(List& list) noexcept;

 private:
  /// Adds a node to a turn whose last node has been taken out: the node is the last one now.
  void add_to_turn(Node& node) noexcept {
    last_of_turn_ = &node;
    turns_left_before_ = std::exchange(turns_left, 1);
  }
  void handle_notices() noexcept;
  void take_due();
  void run_rest();
  void run(Node& node) noexcept;
  void run_probed(Node& node) noexcept;
  ERRAND_COLD void destroy() noexcept { delete this; }
  void check_thread_inside() const;
  bool is_on_other_thread() const noexcept {
    const ThreadState* const inside = thread_inside();
    return inside && inside != &this_thread();
  }
  [[noreturn]] static void app_is_gone();

  struct LateReport;
  LateReport* late_reports_ = nullptr;  // the first one
  LateReport** late_end_ = &late_reports_;
  Node* last_of_turn_ = ready_.end();  // the last node of this turn; the end if that has run, and between two turns
  /// To read the steady clock takes longer than a step. So if turns have a single step each, the clock is not read
  /// again for this many turns.
  static constexpr unsigned most_steps_unread = 15;
  unsigned steps_unread_ = 0;       // how many steps may still follow the last reading
  unsigned turns_left_before_ = 0;  // the `turns_left` from before `add_to_turn`
  struct Nothing final : Call {
    void run() noexcept override {}
    void drop() noexcept override {}
  } nothing_;  // stands in for the last node of a turn if that was taken out
  struct User final : ClockUser {
    explicit User(const Loop& its_loop) noexcept : loop(its_loop) {}
    Clock::time_point first_deadline() const noexcept override {
      return loop.timers.empty() ? never : loop.timers.next();
    }
    const Loop& loop;
  } clock_user_{*this};
  ClockSource* const clock_;
  ManualClock* const manual_;
  const bool probes_steps_;
  std::atomic<const ThreadState*> thread_inside_ = nullptr;
  std::size_t references_ = 1;
  Clock::time_point time_seen_{};  // of the last reading for the timers; a debugger tells by it the ages in a core file
  const Loops::Place place_{*this};

 public:
  Ages ages;  // the last member, because it is large
};

// Implementation

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE void Loop::check_thread_inside() const {
  if (is_on_other_thread()) throw WrongThread("this belongs to the thread that is inside the App's run or poll");
}

ERRAND_COLD ERRAND_ONCE void Loop::app_is_gone() { throw InvalidState("the App that this belongs to has ended"); }

ERRAND_ONCE bool Loop::jump(Clock::time_point last) {
  if (!can_jump(last)) return false;
  ages.note(ids.last(), manual_->now_);
  if (is_advancing()) {
    manual_->go_on(clock_user_.first_deadline());
  } else if (timers.next() > manual_->now_) {
    manual_->now_ = timers.next();
  }
  return true;
}

ERRAND_COLD ERRAND_ONCE void Loop::wait(Nanoseconds limit) {
  if (can_jump()) {
    if (inbox->has_reactor()) inbox->sleep(now());  // deal with input before time moves
    if (!has_work()) jump();
    return;
  }
  note_ages();
  std::optional<Clock::time_point> until;
  if (!timers.empty() && !manual_) until = timers.next();
  if (limit != Nanoseconds::max()) {
    // A Reactor cannot sleep by a ManualClock, and so gets a limit by the steady clock.
    const Clock::time_point last = add(manual_ && inbox->has_reactor() ? Clock::now() : now(), limit);
    if (!until || last < *until) until = last;
  }
  if (until && clock_ && !inbox->has_reactor()) until = add(Clock::now(), *until - clock_->now());
  if (!ready_.empty()) return;  // reading a clock of the user's has made something ready
  const Clock::time_point from = Clock::now();
  Clock::time_point to;
  {
    const Asleep asleep(counts, from, to);
    inbox->sleep(until);
  }
  if (probe) probe->slept(from, to);
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
