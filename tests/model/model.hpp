// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "log.hpp"

namespace model {

/// The rules that errand's tasks follow, as an interpreter of programs. It has a queue, timers, wait lists, and a stack
/// of frames for each thread of control. It is simple, and uses no code of errand.
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
  struct Subscriber;
  struct Reader;
  struct Timeout;

  /// An entry of the ready queue or of the timer queue.
  struct Item {
    enum Type : std::uint8_t { chain, call, limit, signal_limit, stop, drained, stop_limit } type;
    void* what = nullptr;
    bool operator==(const Item& other) const { return type == other.type && what == other.what; }
  };
  struct Time {
    long when = 0;
    int order = 0;  // numbers the timers as they are armed; 0 if it is not armed
    auto operator<=>(const Time&) const = default;
  };

  /// A coroutine: a block of operations, and how far it has come.
  struct Frame {
    const Block* ops;
    int owner_op;     // the operation that the block belongs to; less than 0 if the block is a body
    Parallel* group;  // the innermost group around the block
    bool quiet = false;
    std::size_t at = 0;
    Value last = -1;
    // state of the operation that is under way
    int stage = 0;
    Outcome saved{};
    bool has_lock = false;
    int permits = 0;
    bool was_held = false;
  };

  /// A request to end, by the task's `cancel` or by a combinator. Each has a number of its own.
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

  /// The thread of control of a task, or of a branch of a combinator.
  struct Chain {
    enum State : std::uint8_t { created, ready, yielding, running, waiting, ended } state = created;
    Task* task = nullptr;
    Parallel* owner = nullptr;
    std::vector<Frame> frames;
    std::size_t item = 0;      // the number of the block that this branch of a `gather_each` runs
    Task* observed = nullptr;  // the only task that this branch awaits, or the task whose failure this signal reports
    Requests asked;            // requests that are still to be thrown
    Requests thrown{};         // requests from outside its combinator that were thrown in this branch
    bool interrupted = false;  // the wait was left, and a request is thrown when the chain resumes
    bool by_the_task = false;  // the request was made to the task, and may have been taken back meanwhile
    bool held = false;
    bool decides_on_wake = false;  // the race is decided when this wait has ended
    Outcome outcome;
    // state of the wait
    std::deque<Chain*>* list = nullptr;
    Time timer{};
    Time ended_limit{};  // the time-out of a wait for a signal that a request has ended: removed when the chain resumes
    Parallel* parallel = nullptr;
    std::vector<Task*> awaited;
    std::size_t needed = 0;
    bool handed = false;
    int wants = 0;                     // the number of permits that it waits for
    Subscriber* subscriber = nullptr;  // that has handed an item to it
    int number = 0;                    // of the item that was handed to it
    Reader* reader = nullptr;          // whose next value it waits for
    bool timed_out = false;
    int signal = 0;
    Outcome result{{}, 0};
  };

  /// A combinator that waits for its branches. A TaskGroup also waits for its members.
  struct Parallel {
    Kind kind;
    Chain* chain;
    std::deque<Chain> branches{};
    std::vector<Chain*> live{};
    Requests asked{};         // requests from outside
    Requests thrown{};        // requests that were thrown in any branch
    Requests used{};          // requests that were thrown in a branch or a member whose end counts
    bool decided = false;     // no more branches are started
    bool time_is_up = false;  // the time limit has been reached
    bool is_broken = false;   // the Timeout has been destroyed before it was reached
    Timeout* timeout = nullptr;
    Time timer{};
    Chain* first = nullptr;  // the branch that decided
    std::vector<Chain*> failed{};
    std::size_t next_item = 0;  // the block of a `gather_each` that begins next
    std::vector<Value> results{};
    bool has_lost = false;  // a loser of the race has failed
    Chain* cancelled = nullptr;
    std::vector<Task*> members{};
    bool ending = false;
    bool waits_for_members = false;  // the body has ended
    bool member_cancelled = false;   // a request to the group has cancelled a member
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
    int reason = -1;  // the operation of the first request that is still to be thrown
    int handles = 0;
    bool seen = false;
    bool is_report = false;  // it is the task of a signal that reports a failure
    std::vector<Awaiter> awaiters;
  };
  struct Call {
    const Op* op;
    enum State : std::uint8_t { waits, called, taken_back } state = waits;
    Time timer{};
    Task* task = nullptr;  // the task whose end it waits for
    bool has_handle = false;
  };
  struct Queue {
    std::deque<Value> items;
    std::deque<Chain*> getters, putters;
    bool closed = false;
  };

  /// A subscription to the Broadcast. Its items are numbered in the order in which they were sent.
  struct Subscriber {
    std::size_t capacity;
    bool closed;
    std::map<int, Value> items{};
    int last = 0;
    Value lost = 0;
    std::deque<Chain*> waiters{};
    std::vector<Chain*> handed{};  // the waiters that have been handed an item, and have not resumed yet
  };

  /// A time limit that can be moved.
  struct Timeout {
    int limit;
    long end;
    Parallel* wait = nullptr;  // the wait that is under way
  };
  static constexpr long never = std::numeric_limits<long>::max();

  /// A reader of the Watch, and the number of the last change that it has given.
  struct Reader {
    int seen;
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
  /// Removes the timer. If the timer is due already, removes its item from the ready queue.
  void disarm(Time& timer, Item item) {
    if (timer.order) timers_.erase(std::exchange(timer, {}));
    remove(item);
  }
  void turn();
  void jump();
  void continue_advance();
  bool can_wake() const;
  bool is_due() const;
  void run(Item item);

  // Chains
  void step(Chain& chain);
  void begin_op(Chain& chain);
  void await_op(Chain& chain, const Op& op);
  void nest_op(Chain& chain, const Op& op);
  void enter(Chain& chain, const Block& block);
  void enter_with_grant(Chain& chain);
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
  Chain& branch(Parallel& parallel);
  Chain& branch(Parallel& parallel, const Block& block, int owner_op, bool quiet);
  void take_item(Chain& worker);
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
  void end_without_resuming(Task& task, int reason);
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
  void report_unthrown(const Parallel& parallel);
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

  // Names, queues, locks, signals and calls
  Task* registered(int name) const;
  void add_name(int name, Task& task, int policy);
  void unlock();
  bool try_take(int permits);
  void give_back(int permits);
  void serve();
  void give(Queue& queue, Value item);
  std::optional<Value> take(Queue& queue);
  Call& add_call(const Op& op);
  void send(Value item);
  void end_sends();
  void subscribe(std::size_t slot, std::size_t capacity);
  void unsubscribe(std::size_t slot);
  void give(Subscriber& to, int number, Value item);
  Value take(Subscriber& from);
  void forget_subscriber(Chain& chain);
  void set_watch(Value value);
  void make_timeout(std::size_t slot, int limit);
  void end_timeout(std::size_t slot);
  void restart(Timeout& timeout, int limit);
  void forget_timeout(Parallel& wait);
  static bool is_met(const Op& op, Value value) { return value % 4 == op.arguments[0]; }
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
  std::deque<Block> blocks_;  // blocks that the model itself has made
  std::vector<Task*> pending_, unseen_;
  std::vector<std::pair<int, Task*>> names_;
  std::array<Task*, slots> slots_{};
  Call* last_call_ = nullptr;
  Chain* current_ = nullptr;
  Task* main_ = nullptr;
  bool lock_free_ = true, event_ = false;
  int free_permits_ = permits_at_start;
  std::deque<Chain*> lockers_, acquirers_, event_waiters_, signal_waiters_;
  std::array<Queue, 2> queues_;
  std::deque<Subscriber> subscribers_;          // all that there have ever been
  std::vector<Subscriber*> audience_;           // those that get what is sent, in this order
  std::array<Subscriber*, 2> subscriptions_{};  // variables
  bool sends_ended_ = false;
  Value watched_ = 0;
  int changes_ = 0;  // of the Watch
  std::deque<Chain*> watchers_;
  std::deque<Timeout> all_timeouts_;    // all that there have ever been
  std::array<Timeout*, 2> timeouts_{};  // variables
  std::deque<Reader> all_readers_;      // all that there have ever been
  std::array<Reader*, 2> readers_{};    // variables
  std::array<Block, 3> handlers_;       // the handlers of each signal
  bool stop_ = false, stopping_ = false, ended_ = false, deadlock_ = false, closing_ = false;
  // the wait for the end of all tasks
  bool draining_ = false;      // the wait is under way
  bool drain_late_ = false;    // the time limit of the wait is over
  bool drain_broken_ = false;  // the time limit has ended the wait
  bool aborted_ = false;       // only tasks that were added by reports are left
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
