// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstdint>
#include <errand/detail/loop.hpp>
#include <errand/detail/node.hpp>
#include <string>
#include <utility>

namespace errand::detail {

class Branches;
class Suspension;

/// What every coroutine of the library has in its frame, whatever its result.
struct PromiseBase {
  Chain* chain = nullptr;         // set when it starts
  PromiseBase* parent = nullptr;  // whose await goes on when this one ends; null for the outermost
  const char* file = nullptr;     // where it awaits
  std::uint32_t line = 0;
  bool has_value = false;  // what the result's storage holds
  bool has_error = false;
  bool is_cancelled = false;  // the error is a Cancelled
  bool is_generator = false;

  PromiseBase() noexcept = default;
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  /// Every promise has this base at its start and an alignment that moves neither, so that the address of the base is
  /// that of the promise; `Promise<T>` asserts it.
  std::coroutine_handle<> handle() noexcept { return std::coroutine_handle<PromiseBase>::from_promise(*this); }

  void enter(PromiseBase& child) noexcept;  // this coroutine awaits that one
  void leave() noexcept;                    // it has come to its end
};

/// A generator's frame belongs to an object, which is told when the chain destroys it.
struct GeneratorBase : PromiseBase {
  GeneratorBase** owner = nullptr;

  GeneratorBase() noexcept { is_generator = true; }
};

/// One thread of control: a coroutine and those that it awaits, one inside the other. A task is one; so is each branch
/// of a combinator. It is the node that stands in the ready queue.
///
/// Control passes by the trampoline in `Loop::resume`: whoever awaits a Coro, or ends one, only says in `leaf` who is
/// next. So the stack stays flat at any depth, with every compiler and every option.
class Chain : public Node {
 public:
  enum class State : std::uint8_t {
    created,   // queued for its first step
    ready,     // queued: the wait has ended, with its result or interrupted
    yielding,  // queued: the wait, a `yield`, ends only when it resumes
    running,
    waiting,  // at the suspension `waiting`
    ended,    // the outermost coroutine has come to its end, or the frames are
              // gone
  };
  enum Flag : std::uint8_t {
    asked_by_task = 1,   // a request to the task that is still to be thrown
    asked_by_owner = 2,  // the same, from the combinator that this is a branch of
    asked = asked_by_task | asked_by_owner,
    interrupted = 4,  // the wait was left because of a request, which is thrown
                      // at the resume
    broken = 8,       // what was waited for is gone
    held = 16,        // requests are held back, while a clean-up is under way
    is_branch = 32,
    decides_on_wake = 64,  // the end of its wait decides a race
    has_work = 128,        // a callable, which makes the coroutine in `begin`
  };

  State state = State::created;
  std::uint8_t flags = 0;
  std::uint32_t requests = 0;  // of a task: those not taken back
  Loop* loop;
  PromiseBase* leaf = nullptr;  // the innermost coroutine: the one to resume
  Suspension* waiting = nullptr;

  explicit Chain(Loop* its_loop) noexcept : Node(Kind::chain), loop(its_loop) {}

  /// Before the first step of what was asked to end, or `has_work`. False where there is no step to make.
  virtual bool begin() noexcept = 0;
  /// The outermost coroutine, still `leaf`, has come to its end.
  virtual void ended() noexcept = 0;
  /// The chain of the task that this is, or is a branch of.
  virtual Chain& root() noexcept = 0;
  /// Of a task: why it was asked to end.
  virtual std::string request_reason() const { return {}; }

  void woken() noexcept;
  /// Lets all others that are ready run first. False where a request is pending.
  bool yield() noexcept {
    if (!may_suspend()) return false;
    state = State::yielding;
    loop->make_ready(*this);
    return true;
  }
  bool may_suspend() noexcept { return !(flags & (asked | held)) || may_suspend_if_asked(); }
  void check_resumed() {
    if (flags & (interrupted | broken)) throw_interruption();
  }

  /// Asks this chain and all its branches to end: each is thrown a `Cancelled` at the await where it is suspended, or
  /// the next one that suspends.
  void request(Flag origin) noexcept;
  /// Takes back what `asked_by_task` has not been thrown, nor interrupted a wait.
  void withdraw() noexcept;
  /// Whether a request of the task is still to be thrown in this chain or in a branch of it.
  bool is_asked_by_task() noexcept;
  /// Destroys all frames without running them further: branches before the frame that holds them, the last first, and
  /// the innermost frame of each first. Constant stack.
  void destroy() noexcept { destroy_above(nullptr); }
  /// The same of the frames inside this one, which is suspended in an await. That await then throws `InvalidState`.
  void cut(PromiseBase& frame) noexcept;

 protected:
  ~Chain() = default;

 private:
  template <class Visit>
  void visit(Visit visit) noexcept;
  bool may_suspend_if_asked() noexcept;
  void throw_interruption();
  bool ask(Flag origin) noexcept;
  void destroy_above(PromiseBase* last) noexcept;
  void destroy_frames(PromiseBase* last) noexcept;
};

/// Marks the library's own awaitables: they may be awaited as they are, all others go through a bridge.
struct OwnAwaitable {};

/// The one piece on which every wait is built: a place in a wait list, or in the timer queue, that knows how to leave
/// it. Its destructor leaves, a request leaves and wakes its task: that makes cancellation, time-outs and teardown
/// right everywhere.
///
/// An awaiter derives from it, calls `suspend` in `await_suspend` and `resumed` in `await_resume`, and is woken with
/// `wake` by whoever holds the list. It can be moved until it is awaited, not after.
class Suspension : public TimerNode, public OwnAwaitable {
 public:
  Suspension& operator=(const Suspension&) = delete;

  /// The wait has ended: leaves the list, and puts the chain at the end of the ready queue.
  void wake() noexcept {
    unlink();
    chain_->woken();
  }
  /// What it waits for is being destroyed.
  void abandon() noexcept {
    chain_->flags |= Chain::broken;
    wake();
  }
  /// Leaves without an end of the wait.
  void leave() noexcept {
    if (linked()) unlink();
    if (armed()) chain_->loop->timers.disarm(*this);
  }
  Chain* chain() const noexcept { return chain_; }

 protected:
  /// Whether what it waited for, or was handed something by, is gone.
  bool is_broken() const noexcept { return chain_ && (chain_->flags & Chain::broken); }

  explicit Suspension(Kind of) noexcept : TimerNode(of) {}
  Suspension(Suspension&& other) noexcept : TimerNode(other.kind) {}
  ~Suspension() { leave(); }

  /// False where a request is pending: the await does not suspend then, and `resumed` throws it.
  bool suspend(PromiseBase& promise) noexcept {
    chain_ = promise.chain;
    if (!chain_->may_suspend()) return false;
    chain_->waiting = this;
    chain_->state = Chain::State::waiting;
    return true;
  }
  bool suspend(PromiseBase& promise, List& list) noexcept {
    if (!suspend(promise)) return false;
    list.push_back(*this);
    return true;
  }
  /// The same until a deadline. Throws `std::bad_alloc`; nothing is changed then.
  bool suspend_until(PromiseBase& promise, Clock::time_point when) {
    chain_ = promise.chain;
    if (chain_->may_suspend()) chain_->loop->timers.arm(*this, when);
    return suspend(promise);
  }
  /// Throws `Cancelled` where the wait was interrupted by a request, `InvalidState` where it was abandoned.
  void resumed() {
    if (chain_) chain_->check_resumed();
  }

  Chain* chain_ = nullptr;  // from the moment it is awaited
};

/// The waiters of a primitive, in the order in which they began to wait. Destroying it while someone waits makes their
/// awaits throw `InvalidState`; so it does to those that something was handed to and that have not resumed yet.
class WaitList {
 public:
  WaitList() noexcept = default;
  ~WaitList() {
    while (!waiting_.empty()) first<Suspension>().abandon();
    while (!handed_.empty()) {
      Suspension& last = of<Suspension>(handed_.front());
      last.unlink();
      last.chain()->flags |= Chain::broken;
    }
  }

  bool empty() const noexcept { return waiting_.empty(); }
  template <class Awaiter>
  Awaiter& first() noexcept {
    return of<Awaiter>(waiting_.front());
  }
  /// Wakes the first, if there is one.
  void wake_one() noexcept {
    if (!empty()) first<Suspension>().wake();
  }
  void wake_all() noexcept {
    while (!empty()) first<Suspension>().wake();
  }
  /// Wakes a waiter that was given something. Until it resumes, it is known here.
  void hand_over(Suspension& to) noexcept {
    to.wake();
    handed_.push_back(to);
  }
  /// Where waiters stand.
  List& list() noexcept { return waiting_; }
  template <class Awaiter>
  static Awaiter& of(Link& link) noexcept {
    return static_cast<Awaiter&>(static_cast<Suspension&>(static_cast<TimerNode&>(static_cast<Node&>(link))));
  }

 private:
  List waiting_;
  List handed_;
};

/// A part of a task that runs beside others of the same task: each Coro given to a combinator is one.
class BranchBase : public Chain {
 public:
  struct Sibling : Link {
    BranchBase* branch;
  };

  BranchBase() noexcept : Chain(nullptr) {
    flags = is_branch;
    sibling.branch = this;
  }
  Chain& root() noexcept final { return *root_; }
  /// The chain whose combinator started it.
  Chain& above() const noexcept;

  /// How it ended.
  enum class Ending : std::uint8_t { none, value, error, cancelled };
  virtual std::exception_ptr error() const noexcept = 0;

  Sibling sibling;  // in the list of its owner while it is alive
  Branches* owner = nullptr;
  Ending ending = Ending::none;
  bool observed_cancelled = false;  // it only observes a task, which was cancelled

 private:
  friend class Branches;
  Chain* root_ = nullptr;
};

/// The wait of a combinator for its branches. `co_await branches` starts those that were added, in order and at once,
/// and ends, at once too, when the last of them has ended.
class Branches : public Suspension {
 public:
  Branches() noexcept : Suspension(Kind::branches) {}
  Branches(Branches&&) = delete;

  void add(BranchBase& branch) noexcept {
    branch.owner = this;
    live.push_back(branch.sibling);
  }

  bool await_ready() const noexcept { return is_over(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) noexcept {
    start(awaiting.promise());
  }
  /// Does not throw: what the branches ended with is for the combinator to look at. A request that none of them was
  /// thrown is pending again.
  void await_resume() noexcept {
    if (chain_ && asked_ && !thrown_) chain_->flags |= asked_;
  }
  /// Throws that request now, if there is one.
  void throw_pending_request() {
    if (chain_ && !chain_->may_suspend()) chain_->check_resumed();
  }

  /// A branch, no longer among `live`, has ended.
  virtual void branch_ended(BranchBase&) noexcept {}
  /// The wait of a branch that `decides_on_wake` has ended.
  virtual void decided(BranchBase&) noexcept {}
  /// A request has come from outside, and goes on to the branches.
  virtual void asked_to_end(Chain::Flag) noexcept {}
  /// Whether there is nothing left to wait for.
  virtual bool is_over() const noexcept { return live.empty(); }

  /// Asks all that are alive to end.
  void request_all() noexcept {
    for (Link* link = live.begin(); link != live.end(); link = link->next) {
      branch(*link).request(Chain::asked_by_owner);
    }
  }

  /// Whether the task, or a combinator outside, has asked this one to end.
  bool was_asked() const noexcept { return asked_ != 0; }

  /// A branch says that it has come to its end.
  void ended(BranchBase& branch) noexcept;
  /// Goes on with the combinator, where there is nothing left to wait for.
  void check_over() noexcept;

  static BranchBase& branch(Link& sibling) noexcept { return *static_cast<BranchBase::Sibling&>(sibling).branch; }

  List live;

 protected:
  ~Branches() = default;

 private:
  friend class Chain;

  void start(PromiseBase& promise) noexcept;

  std::uint8_t asked_ = 0;  // requests handed on to the branches
  bool thrown_ = false;     // one of them has been thrown it
};

// Implementation; `Loop::run_timed` stands in task_state.hpp

inline void PromiseBase::enter(PromiseBase& child) noexcept {
  child.chain = chain;
  child.parent = this;
  chain->leaf = &child;
}

inline void PromiseBase::leave() noexcept {
  if (parent) {
    chain->leaf = parent;
  } else {
    chain->state = Chain::State::ended;
  }
}

inline void Chain::woken() noexcept {
  state = State::ready;
  loop->make_ready(*this);
  if (flags & decides_on_wake) [[unlikely]]
    static_cast<BranchBase*>(this)->owner->decided(static_cast<BranchBase&>(*this));
}

ERRAND_NOINLINE inline bool Chain::may_suspend_if_asked() noexcept {
  if (flags & held) return true;
  flags |= interrupted;
  return false;
}

ERRAND_NOINLINE inline void Chain::throw_interruption() {
  if (flags & broken) {
    flags &= static_cast<std::uint8_t>(~broken);
    const char* what = waiting ? name_of(waiting->kind) : "generator";
    throw InvalidState(std::string("the ") + what + " that was waited for has been destroyed");
  }
  const bool by_task = flags & asked_by_task;
  flags &= static_cast<std::uint8_t>(~(asked | interrupted));
  for (Chain* chain = this; chain->flags & is_branch;) {
    BranchBase* branch = static_cast<BranchBase*>(chain);
    branch->owner->thrown_ = true;
    chain = &branch->above();
  }
  throw Cancelled(by_task ? root().request_reason() : std::string());
}

/// Visits this chain and, where `visit` says so, the branches that it waits for; in order, in constant stack.
template <class Visit>
void Chain::visit(Visit visit) noexcept {
  Chain* chain = this;
  for (;;) {
    if (visit(*chain) && chain->state == State::waiting && chain->waiting->kind == Kind::branches) {
      List& live = static_cast<Branches*>(chain->waiting)->live;
      if (!live.empty()) {
        chain = &Branches::branch(live.front());
        continue;
      }
    }
    for (;;) {
      if (chain == this) return;
      BranchBase* branch = static_cast<BranchBase*>(chain);
      Link* following = branch->sibling.next;
      if (following != branch->owner->live.end()) {
        chain = &Branches::branch(*following);
        break;
      }
      chain = &branch->above();
    }
  }
}

inline void Chain::request(Flag origin) noexcept {
  visit([origin](Chain& chain) { return chain.ask(origin); });
}

/// True where the request goes to the branches instead.
inline bool Chain::ask(Flag origin) noexcept {
  if (state == State::ended) return false;
  if (state == State::waiting && waiting->kind == Kind::branches && !(flags & held)) {
    Branches& branches = static_cast<Branches&>(*waiting);
    branches.asked_ |= origin;
    branches.thrown_ = false;
    branches.asked_to_end(origin);
    return true;
  }
  flags |= origin;
  if (flags & held) return false;
  if (state == State::yielding) {
    flags |= interrupted;
  } else if (state == State::waiting && waiting->kind != Kind::foreign) {
    flags |= interrupted;
    waiting->leave();
    state = State::ready;
    loop->make_ready(*this);
  }
  return false;
}

inline void Chain::withdraw() noexcept {
  visit([](Chain& chain) {
    if (chain.state == State::waiting && chain.waiting->kind == Kind::branches) {
      static_cast<Branches&>(*chain.waiting).asked_ &= static_cast<std::uint8_t>(~asked_by_task);
    }
    if (!(chain.flags & interrupted) || chain.state == State::yielding) {
      chain.flags &= static_cast<std::uint8_t>(~asked_by_task);
      if (!(chain.flags & asked)) chain.flags &= static_cast<std::uint8_t>(~interrupted);
    }
    return true;
  });
}

inline bool Chain::is_asked_by_task() noexcept {
  bool found = false;
  visit([&found](Chain& chain) {
    found |= (chain.flags & asked_by_task) != 0;
    return !found;
  });
  return found;
}

inline void Chain::destroy_above(PromiseBase* last) noexcept {
  Chain* chain = this;
  for (;;) {
    if (chain->state == State::waiting && chain->waiting->kind == Kind::branches) {
      List& live = static_cast<Branches*>(chain->waiting)->live;
      if (!live.empty()) {
        chain = &Branches::branch(live.back());
        continue;
      }
    }
    chain->destroy_frames(chain == this ? last : nullptr);
    if (chain == this) return;
    BranchBase* branch = static_cast<BranchBase*>(chain);
    branch->sibling.unlink();
    chain = &branch->above();
  }
}

inline void Chain::destroy_frames(PromiseBase* last) noexcept {
  state = State::ended;
  if (linked()) unlink();
  while (leaf != last) {
    PromiseBase* inner = leaf;
    leaf = inner->parent;
    if (inner->is_generator) *static_cast<GeneratorBase*>(inner)->owner = nullptr;
    inner->handle().destroy();
  }
  waiting = nullptr;
  if (linked()) unlink();  // a destructor may have woken it
}

inline void Chain::cut(PromiseBase& frame) noexcept {
  destroy_above(&frame);
  flags |= broken;
  state = State::ready;
  loop->make_ready(*this);
}

inline Chain& BranchBase::above() const noexcept { return *owner->chain(); }

inline void Branches::start(PromiseBase& promise) noexcept {
  chain_ = promise.chain;
  Chain& chain = *chain_;
  if (!(chain.flags & Chain::held)) {
    asked_ = chain.flags & Chain::asked;
    chain.flags &= static_cast<std::uint8_t>(~Chain::asked);
  }
  List first;
  for (Link* link = live.begin(); link != live.end(); link = link->next) {
    BranchBase& started = branch(*link);
    started.loop = chain.loop;
    started.root_ = &chain.root();
    started.leaf->chain = &started;
    // What is asked already still runs to its first suspension, as a Coro would that is awaited without a combinator.
    started.state = asked_ ? Chain::State::ready : Chain::State::created;
    started.flags |= asked_;
    first.push_back(started);
  }
  chain.waiting = this;
  chain.state = Chain::State::waiting;
  chain.loop->run_next(first);
}

inline void Branches::ended(BranchBase& branch) noexcept {
  branch.sibling.unlink();
  branch_ended(branch);
  check_over();
}

inline void Branches::check_over() noexcept {
  if (!is_over()) return;
  chain_->state = Chain::State::ready;
  chain_->loop->run_next(*chain_);
}

inline void Loop::wake_all(List& list) noexcept {
  while (!list.empty()) WaitList::of<Suspension>(list.front()).wake();
}

inline void Loop::turn() {
  const bool was = std::exchange(attention, true);
  turns();
  attention = was;
}

inline void Loop::turns() {
  const Inbox& others = *inbox;
  in_turn_ = true;
  do {
    if (others.pending()) [[unlikely]]
      inbox->take(*ready_);
    if (!timers.empty()) take_due();
    std::swap(ready_, batch_);
    List& batch = *batch_;
    while (!batch.empty()) {
      Node& node = static_cast<Node&>(batch.pop_front());
      if (node.kind == Kind::chain && !timed_) [[likely]] {
        resume(static_cast<Chain&>(node));
      } else {
        run(node);
      }
    }
  } while (!attention && !ready_->empty() && !others.pending());
  in_turn_ = false;
  current = nullptr;
}

inline void Loop::take_due() {
  const Clock::time_point reading = now();
  while (!timers.empty() && timers.next() <= reading) {
    TimerNode& due = timers.pop();
    if (due.kind == Kind::call) {
      make_ready(due);
    } else {
      static_cast<Suspension&>(due).chain()->woken();
    }
  }
}

inline void Loop::resume(Chain& chain) noexcept {
  current = &chain;
  if (chain.state == Chain::State::created && (chain.flags & (Chain::asked | Chain::has_work)) && !chain.begin())
    return;
  chain.state = Chain::State::running;
  do {
    chain.leaf->handle().resume();
  } while (chain.state == Chain::State::running);
  if (chain.state == Chain::State::ended) chain.ended();
}

}  // namespace errand::detail
