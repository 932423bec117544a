// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "log.hpp"

namespace model {

/// What DESIGN.md, section 3, says of tasks, as an interpreter of programs: a queue, timers, wait lists, and for each
/// thread of control a stack of frames. Simple, and without anything of errand.
class Model {
 public:
  explicit Model(const Program& program) : program_(program) {
    for (int i = first_handler; i < bodies; ++i) {
      if (body(i).empty()) continue;
      Op call{Kind::coro, i, {}, {body(i)}};
      if (i == first_handler) handlers_[0].push_back(call);
      if (i > first_handler) {
        for (Block& handler : handlers_) handler.push_back(call);
      }
    }
  }

  Log run();

 private:
  struct Outcome {
    Thrown thrown;
    Value value = -1;
  };
  struct Task;
  struct Chain;
  struct Parallel;
  struct Call;

  /// What stands in the ready queue, or in the queue of timers.
  struct Item {
    enum Type : std::uint8_t { chain, call, limit, signal_limit, stop, drained, stop_limit } type;
    void* what = nullptr;
    bool operator==(const Item& other) const { return type == other.type && what == other.what; }
  };
  struct Time {
    long when = 0;
    int order = 0;  // of arming; 0: it is not armed
    auto operator<=>(const Time&) const = default;
  };

  /// A coroutine: where it is in a block.
  struct Frame {
    const Block* ops;
    int of;           // the operation that the block belongs to, or less than 0: the body
    Parallel* group;  // the innermost
    bool quiet = false;
    std::size_t at = 0;
    Value last = -1;
    // of the operation that is under way
    int stage = 0;
    Outcome saved{};
    bool has_lock = false;
    bool was_held = false;
  };

  /// A request to end: by the task's `cancel`, or by a combinator. Each is told from all others.
  enum From : std::uint8_t { by_task, by_owner };
  struct Request {
    auto operator<=>(const Request&) const = default;
    int number;
    From from;
  };
  struct Requests : std::set<Request> {
    bool has(From from) const {
      return std::any_of(begin(), end(), [from](const Request& request) { return request.from == from; });
    }
    void drop(From from) {
      std::erase_if(*this, [from](const Request& request) { return request.from == from; });
    }
    void add(const Requests& others) { insert(others.begin(), others.end()); }
    Requests and_in(const Requests& others) const {
      Requests both;
      std::set_intersection(begin(), end(), others.begin(), others.end(), std::inserter(both, both.end()));
      return both;
    }
    Requests not_in(const Requests& others) const {
      Requests left;
      std::set_difference(begin(), end(), others.begin(), others.end(), std::inserter(left, left.end()));
      return left;
    }
  };

  /// A thread of control: a task's, or that of a branch of a combinator.
  struct Chain {
    enum State : std::uint8_t { created, ready, yielding, running, waiting, ended } state = created;
    Task* task = nullptr;
    Parallel* owner = nullptr;
    std::vector<Frame> frames;
    Task* observed = nullptr;  // the task that is all that this branch awaits, or that this signal tells of
    Requests asked;            // that are still to be thrown
    Requests thrown{};         // those thrown in this branch that came from outside of its combinator
    bool interrupted = false;  // the wait was left, and the request is thrown at the resume
    bool by_the_task = false;  // that is one to the task, also if it was taken back meanwhile
    bool held = false;
    bool decides_on_wake = false;  // the end of its wait decides its race
    Outcome outcome;
    // the wait
    std::deque<Chain*>* list = nullptr;
    Time timer{};
    Time spent{};  // the time-out of a wait for a signal that a request has ended: it goes when the chain resumes
    Parallel* parallel = nullptr;
    std::vector<Task*> awaited;
    std::size_t needed = 0;
    bool handed = false;
    bool timed_out = false;
    int signal = 0;
    Outcome result{{}, 0};
  };

  /// A combinator that waits for its branches; of a TaskGroup also for the members.
  struct Parallel {
    Kind kind;
    Chain* chain;
    std::deque<Chain> branches{};
    std::vector<Chain*> live{};
    Requests asked{};      // from outside
    Requests thrown{};     // those that any branch was thrown
    Requests used{};       // those that a branch or a member that counts was thrown
    bool decided = false;  // it starts nothing more
    bool over = false;     // the time is
    Time timer{};
    Chain* first = nullptr;  // that decided
    std::vector<Chain*> failed{};
    bool has_lost = false;  // a loser of a race has failed
    Chain* cancelled = nullptr;
    std::vector<Task*> members{};
    bool ending = false;
    bool waits_for_members = false;  // the body has ended
    bool member_cancelled = false;   // by a request to the group
    bool throws_request = false;
    Thrown error{};
  };

  struct Awaiter {
    Chain* chain;
    Call* call;
    Parallel* group;
  };
  enum Status : std::uint8_t { pending, succeeded, failed, cancelled };
  struct Task {
    int id;
    int index;
    Chain chain;
    Status status = pending;
    Outcome outcome;
    unsigned requests = 0;
    int reason = -1;  // of the first request that is still to be thrown
    int handles = 0;
    bool seen = false;
    bool tells = false;  // of a failure
    std::vector<Awaiter> awaiters;
  };
  struct Call {
    const Op* op;
    enum State : std::uint8_t { waits, called, taken_back } state = waits;
    Time timer{};
    Task* task = nullptr;  // whose end it waits for
    bool has_handle = false;
  };
  struct Queue {
    std::deque<Value> items;
    std::deque<Chain*> getters, putters;
    bool closed = false;
  };

  const Block& body(int i) const { return program_.body[static_cast<std::size_t>(i)]; }
  static const Op& op_of(const Frame& frame) { return (*frame.ops)[frame.at]; }
  void log(int who, int op, Entry::What what, Value value = 0, Thrown thrown = {}) {
    log_.push_back({now_, who, op, what, value, thrown});
  }

  // The loop
  void push(Item item) { ready_.push_back(item); }
  void run_next(Item item) { (in_turn_ ? batch_ : ready_).push_front(item); }
  void remove(Item item) {
    std::erase(ready_, item);
    std::erase(batch_, item);
  }
  Time arm(long delay, Item item) {
    const Time when{now_ + delay, ++last_timer_};
    timers_[when] = item;
    return when;
  }
  /// Also where it is due and stands in the queue.
  void disarm(Time& timer, Item item) {
    if (timer.order) timers_.erase(std::exchange(timer, {}));
    remove(item);
  }
  void turn();
  void jump();
  void go_on();
  bool can_wake() const;
  bool is_due() const;
  void run(Item item);

  // Chains
  void step(Chain& chain);
  void begin_op(Chain& chain);
  void await_op(Chain& chain, const Op& op);
  void nest_op(Chain& chain, const Op& op);
  void enter(Chain& chain, const Block& block);
  void inner_ended(Chain& chain, Outcome outcome);
  void ended(Chain& chain, Outcome outcome);
  void complete(Chain& chain, Outcome outcome);
  void leave_frame(Chain& chain, Outcome outcome);
  bool may_suspend(Chain& chain);
  bool suspend(Chain& chain, std::deque<Chain*>* list);
  Outcome woken_with(Chain& chain, const Op& op);
  void woken(Chain& chain);
  void leave(Chain& chain);
  void drop_wait(Chain& chain);
  void put_back(Queue& queue, Value item);
  void destroy(Chain& chain);
  void ask(Chain& chain, From from) { ask(chain, Request{++last_request_, from}); }
  void ask(Chain& chain, Request request);
  void withdraw(Chain& chain);
  bool is_asked(const Chain& chain) const;
  Thrown take_request(Chain& chain);
  static Thrown request_of(const Chain& chain);

  // Combinators
  Parallel& parallel(Chain& chain);
  Chain& branch(Parallel& parallel, const Block& block, int of, bool quiet);
  void observe(Parallel& parallel, Task& task);
  void start(Parallel& parallel);
  void branch_ended(Parallel& parallel, Chain& branch);
  void decided(Parallel& parallel, Chain& branch);
  void end_others(Parallel& parallel, Chain& branch);
  static bool may_begin(const Chain& branch);
  static bool timed_out(const Parallel& limit);
  static Thrown::Kind end_of(const Parallel& parallel);
  static bool has_won_item(const Parallel& race);
  void ask_members(Parallel& group);
  void member_ended(Parallel& group, Task& member);
  void group_failed(Parallel& group, Thrown thrown);
  void check_over(Parallel& parallel);
  Outcome outcome_of(Parallel& parallel);

  // Tasks
  Task& make_task(const Block& block, int index, Parallel* group);
  bool cancel(Task& task, int reason);
  unsigned uncancel(Task& task);
  void end_standing(Task& task, int reason);
  void finish(Task& task, Status status, Outcome outcome);
  void retain(Task* task) {
    if (task) ++task->handles;
  }
  void release(Task* task) {
    if (!task) return;
    --task->handles;
    report_unwatched(*task);
  }
  void report_unwatched(Task& task);
  void report(Task* task, Thrown thrown);
  void report_kept(const Parallel& parallel);
  static bool is_race(const Parallel& parallel) {
    return parallel.kind == Kind::race || parallel.kind == Kind::race_tasks || parallel.kind == Kind::race_raw;
  }
  static bool has_thrown(const Parallel& parallel) { return !parallel.asked.and_in(parallel.thrown).empty(); }
  static Requests unused(const Parallel& parallel) { return parallel.asked.not_in(parallel.used); }
  void report_lost(const Chain& branch);
  Outcome look(Task& task);
  bool is_around(const Task& task) const;
  Task* current_task() const { return current_ ? current_->task : nullptr; }
  void set_slot(std::size_t slot, Task* task) {
    retain(task);
    release(std::exchange(slots_[slot], task));
  }

  // What tasks share
  Task* registered(int name) const;
  void add_name(int name, Task& task, int policy);
  void unlock();
  void give(Queue& queue, Value item);
  std::optional<Value> take(Queue& queue);
  Call& add_call(const Op& op);
  void start(Task& task);
  bool refuses(Call& call);
  Task& dispatch(int signal, Value payload, Task* failed_task = nullptr);
  void call(Call& call);
  std::optional<Outcome> plain(const Op& op, Parallel* group);
  Outcome spawn(const Op& op);
  void run_plain(const Op& op, int who, Parallel* group);

  // The end
  void drain(bool asks);
  void check_drained();
  void drained();
  void abort_all(bool reports);
  void destroy_app();

  const Program& program_;
  Log log_;
  long now_ = 0, target_ = 0;
  int steps_ = 0;
  int last_timer_ = 0, last_id_ = 0, last_request_ = 0;
  std::deque<Item> ready_, batch_;
  bool in_turn_ = false;
  std::map<Time, Item> timers_;
  std::deque<Task> tasks_;
  std::deque<Parallel> parallels_;
  std::deque<Call> calls_;
  std::deque<Block> blocks_;  // made here
  std::vector<Task*> pending_, unseen_;
  std::vector<std::pair<int, Task*>> names_;
  std::array<Task*, slots> slots_{};
  Call* last_call_ = nullptr;
  Chain* current_ = nullptr;
  Task* main_ = nullptr;
  bool lock_free_ = true, event_ = false;
  std::deque<Chain*> lockers_, event_waiters_, signal_waiters_;
  std::array<Queue, 2> queues_;
  std::array<Block, 3> handlers_;  // of each signal
  bool stop_ = false, stopping_ = false, ended_ = false, deadlock_ = false, closing_ = false;
  // the wait for the end of all tasks
  bool draining_ = false;      // it waits
  bool drain_late_ = false;    // its time is over
  bool drain_broken_ = false;  // that ended it
  bool aborted_ = false;       // only those that were added by reports are left
  int drain_up_to_ = 0;
  int drains_left_ = 3;
  Time stop_timer_;
};

}  // namespace model

#include "chains.hpp"
#include "combinators.hpp"
#include "life.hpp"
#include "operations.hpp"
#include "plain_operations.hpp"
#include "tasks.hpp"
