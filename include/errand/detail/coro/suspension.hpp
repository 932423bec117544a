// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>

#include <errand/detail/coro/chain.hpp>

namespace errand::detail {

/// Marks the library's own awaitables: they may be awaited as they are, all others go through a bridge.
struct OwnAwaitable {};

/// How a wait has ended. The wait keeps it until its `await_resume`, because GCC calls that only after the other awaits
/// of the same expression have begun and ended: `co_await a.wait() + co_await b.wait()`.
enum class Ending : std::uint8_t {
  reached,            // what it waited for has come, or it has not ended yet
  yielded,            // it waits for nothing, and lets others run: a request that comes before it resumes is thrown
  cancelled_by_task,  // a request to the task ended it
  cancelled_by_combinator,  // a request of the combinator did
  broken,                   // what it waited for is gone
  failed,                   // what it waited for has come, and is an error
};

/// The one piece on which every wait is built. It knows how to leave what it stands in: its destructor leaves, a
/// request leaves and wakes its task. That makes cancellation, time-outs and teardown right everywhere.
///
/// An awaiter derives from one of the classes below. It is made with the chain that awaits it. That has no effect,
/// because the expression that it stands in may never await it: the wait begins in `await_ready`, which calls
/// `Chain::check_earlier_awaits` if it takes something, or in `await_suspend`. `await_resume` calls `resumed`. It is
/// awaited once, in the frame that it stands in.
class Suspension : public TimerNode, public OwnAwaitable {
 public:
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  /// Takes this waiter out of the list or the timer queue that it stands in, because its task was asked to end, or is
  /// being destroyed. The wait has not ended: the caller decides what the task sees. Returns false if it is an
  /// `OutsideWait` that cannot be left: that wait goes on.
  bool leave() noexcept;
  Chain* chain() const noexcept { return chain_; }
  /// It has ended in this way, and will throw. With GCC its chain may be waiting for another await of the same
  /// expression by then: that one goes on.
  void end_with(Ending how) noexcept {
    ending = how;
    if (chain_->waiting == this) chain_->flags |= Chain::failed_wait;
  }
  /// A request that is pending ends this wait, which is the last one of its chain.
  void interrupt() noexcept {
    chain_->waiting = this;
    end_with(chain_->flags & Chain::asked_by_task ? Ending::cancelled_by_task : Ending::cancelled_by_combinator);
  }
  bool is_interrupted() const noexcept {
    return ending == Ending::cancelled_by_task || ending == Ending::cancelled_by_combinator;
  }
  /// Called when its chain goes on: from here on `ending` does not change.
  void settle() noexcept {
    if (ending != Ending::yielded) return;
    ending = Ending::reached;
    if (chain_->is_asked()) interrupt();
  }
  /// Throws `Cancelled` if a request ended the wait, `InvalidState` if what it waited for is gone, and its error.
  void resumed() {
    if (ending != Ending::reached) [[unlikely]]
      throw_ending();
  }
  void throw_ending();
  /// This is the wait of its chain, before it stands in a list.
  void begin() noexcept {
    chain_->waiting = this;
    chain_->state = Chain::State::waiting;
  }

  /// The request that has ended it is thrown. Gives its reason: that of the task's request, if one came in the same
  /// turn.
  std::string take_request() noexcept {
    return chain_->take_request(ending == Ending::cancelled_by_task || (chain_->flags & Chain::asked_by_task));
  }

  const Kind kind;
  Ending ending = Ending::reached;

 protected:
  enum class Place : std::uint8_t { nowhere, list, counted_list, timers, outside };  // where it stands while it waits

  Suspension(Kind of, Place place, Chain* chain) noexcept : TimerNode(false), kind(of), place_(place), chain_(chain) {}
  ~Suspension() {
    if (ending != Ending::reached) [[unlikely]]
      forget_ending();
  }

  /// False if a request is pending: the await does not suspend then, and `resumed` throws the request. An
  /// `await_suspend` that gives nothing may ignore the result: the chain is still running, and so goes on at once.
  bool suspend() {
    if (!may_suspend()) [[unlikely]]
      return false;
    begin();
    return true;
  }
  /// The check alone.
  ERRAND_INLINE bool may_suspend() { return !(chain_->flags & Chain::special) || may_suspend_special(); }
  /// Does not wait, but lets others run first.
  void yield() {
    ending = Ending::yielded;
    chain_->yield();
  }

  const Place place_;
  Chain* chain_;  // null until it is awaited, of a wait that was made without

 private:
  /// It may never have thrown, because another part of the expression has: `f(co_await a.wait(), fails())`.
  ERRAND_COLD void forget_ending() noexcept {
    if ((chain_->flags & Chain::failed_wait) && chain_->waiting == this) chain_->forget_failed();
  }
  ERRAND_NOINLINE bool may_suspend_special() {
    chain_->check_earlier_awaits();
    if (!chain_->is_asked()) return true;
    interrupt();
    return false;
  }
};

/// A wait for something that is under way outside the App's thread, and that may not be possible to take back.
class OutsideWait : public Suspension {
 public:
  /// Called if the task is asked to end, or is to be destroyed. Returns true if the wait is over with that. If not, it
  /// goes on until what it waits for has come back.
  virtual bool give_up() noexcept = 0;
  /// Whether another thread may be using the frame that waits here, or any frame around it: none of them may go.
  virtual bool is_in_use() const noexcept { return false; }
  /// Blocks the App's thread until it is not in use.
  virtual void block() noexcept {}
  /// Called when it has ended on its own: whether with an error.
  virtual bool has_failed() const noexcept = 0;
  /// Throws the error; called if it has ended as `Ending::failed`.
  [[noreturn]] virtual void throw_failure() = 0;

 protected:
  OutsideWait(Kind of, Chain& chain) noexcept : Suspension(of, Place::outside, &chain) {}
  ~OutsideWait() = default;
};

/// A wait in the timer queue.
class TimedWait : public Suspension {
 public:
  void leave() noexcept {
    if (armed()) chain_->loop->timers.disarm(*this);
  }

 protected:
  explicit TimedWait(Kind of) noexcept : Suspension(of, Place::timers, nullptr) {}
  TimedWait(Kind of, Chain& chain) noexcept : Suspension(of, Place::timers, &chain) {}
  ~TimedWait() { leave(); }

  /// Suspends the chain for a while. Throws `std::bad_alloc`, and what a clock of the user's throws;
  /// nothing is changed then.
  void suspend_for(Nanoseconds delay) {
    Loop& loop = *chain_->loop;
    const Clock::time_point now = loop.now();  // a clock of the user's may ask for the end
    if (!may_suspend()) [[unlikely]]
      return;
    if (now < never - delay) [[likely]]
      loop.timers.arm_finite(*this, now + delay);
    begin();
  }
  /// The same until a deadline.
  void suspend_until(Clock::time_point when) {
    if (!may_suspend()) return;
    chain_->loop->timers.arm(*this, when);
    begin();
  }
};

/// A wait in a list, which is woken with `wake` by whoever holds the list.
class Waiter : public Suspension, public Link {
 public:
  /// The wait has ended: leaves the list, and puts the chain at the end of the ready queue.
  void wake() noexcept {
    unlink();
    chain_->woken();
  }
  /// The wait has ended with an error.
  void wake_failed() noexcept {
    end_with(Ending::failed);
    wake();
  }
  /// What it waits for is being destroyed.
  void abandon() noexcept {
    end_with(Ending::broken);
    wake();
  }
  void leave() noexcept {
    if (linked()) unlink();
  }

 protected:
  Waiter(Kind of, Chain& chain, Place place = Place::list) noexcept : Suspension(of, place, &chain) {}
  explicit Waiter(Kind of, Chain* chain = nullptr) noexcept : Suspension(of, Place::list, chain) {}
  ~Waiter() {
    if (linked()) [[unlikely]]
      unlink();
  }

  /// Like `Suspension::suspend`, and also appends this waiter to `list`.
  ERRAND_INLINE bool suspend(List& list) {
    if (chain_->flags & Chain::special) [[unlikely]]
      return suspend_unless_asked(list);
    stand_in(list);
    return true;
  }
  /// Waits in this list from now on.
  void stand_in(List& list) noexcept {
    begin();
    list.push_back(*this);
  }
  void resumed() {
    leave();  // it may stand in the list of those that a `WaitList` has handed something to
    Suspension::resumed();
  }

 private:
  ERRAND_NOINLINE bool suspend_unless_asked(List& list) {
    if (!may_suspend()) return false;
    stand_in(list);
    return true;
  }
};

/// A wait in a list that can fail in a way of its own: what is not a task nor a queue.
class FailingWaiter : public Waiter {
 public:
  /// Throws the error; called if it has ended as `Ending::failed`.
  [[noreturn]] virtual void throw_failure() = 0;

 protected:
  using Waiter::Waiter;
  ~FailingWaiter() = default;
};

/// A wait in a list whose holder knows at any time how many wait in it.
class CountedWaiter : public Waiter {
 public:
  void wake() noexcept {
    --count_;
    Waiter::wake();
  }
  void leave() noexcept {
    if (!linked()) return;
    --count_;
    unlink();
  }

 protected:
  CountedWaiter(Kind of, Chain& chain, std::size_t& count) noexcept
      : Waiter(of, chain, Place::counted_list), count_(count) {}
  ~CountedWaiter() { leave(); }

  bool suspend(List& list) {
    if (!Waiter::suspend(list)) return false;
    ++count_;
    return true;
  }

 private:
  std::size_t& count_;
};

inline bool Suspension::leave() noexcept {
  if (place_ == Place::list) static_cast<Waiter*>(this)->leave();
  if (place_ == Place::counted_list) static_cast<CountedWaiter*>(this)->leave();
  if (place_ == Place::timers) static_cast<TimedWait*>(this)->leave();
  return place_ != Place::outside || static_cast<OutsideWait*>(this)->give_up();
}

/// Throws what the task has ended with that this one waits for.
[[noreturn]] void throw_task_failure(Waiter& waiter);

ERRAND_NOINLINE inline void Suspension::throw_ending() {
  settle();
  if (ending == Ending::reached) return;
  chain_->forget_failed();
  if (ending == Ending::failed) {
    if (kind == Kind::task || kind == Kind::task_cancel) throw_task_failure(static_cast<Waiter&>(*this));
    if (kind == Kind::queue) throw QueueClosed();
    if (place_ == Place::list) static_cast<FailingWaiter*>(this)->throw_failure();
    static_cast<OutsideWait*>(this)->throw_failure();
  }
  if (ending == Ending::broken) raise<InvalidState>({"the ", name_of(kind), " that was waited for has been destroyed"});
  throw Cancelled(take_request());
}

ERRAND_NOINLINE inline void Chain::yield_unless_asked() {
  check_earlier_awaits();
  if (is_asked()) return;
  state = State::yielding;
  loop->make_ready(*this);
}

ERRAND_COLD inline void Chain::throw_earlier_failure() {
  if (flags & failed_wait) {
    waiting->throw_ending();
  } else {
    forget_failed();
    std::rethrow_exception(*error);
  }
}

/// The waiters of a primitive, in the order in which they began to wait. Destroying it while someone waits makes their
/// awaits throw `InvalidState`, also if something was handed to them and they have not resumed yet.
class WaitList {
 public:
  WaitList() noexcept = default;
  ~WaitList() {
    check_thread_in_destructor();
    abandon_all();
    while (!handed_.empty()) {
      Waiter& first = of<Waiter>(handed_.front());
      first.unlink();
      first.end_with(Ending::broken);
    }
  }

  bool empty() const noexcept { return waiting_.empty(); }
  /// Throws `WrongThread` if another thread is inside the App whose tasks wait here. Every member of a primitive calls
  /// this before it changes or reads anything.
  void check_thread() const {
    if (!waiting_.empty() || !handed_.empty()) [[unlikely]]
      loop_of_first().check_thread();
  }
  /// The same for a destructor, which ends the program in place of throwing.
  void check_thread_in_destructor() const noexcept {
    if (!waiting_.empty() || !handed_.empty()) [[unlikely]]
      loop_of_first().check_thread_in_destructor(
          "a primitive, or a permit of one, is destroyed on another thread than that of the tasks that wait");
  }
  template <class Awaiter>
  Awaiter& first() noexcept {
    return of<Awaiter>(waiting_.front());
  }
  void wake_all() noexcept {
    while (!empty()) first<Waiter>().wake();
  }
  /// What they wait for goes.
  void abandon_all() noexcept {
    while (!empty()) first<Waiter>().abandon();
  }
  /// Whether the first waiter's App is the one that this thread is inside of: if it is not, `check_thread` knows more.
  bool waits_on_this_thread() const noexcept {
    return static_cast<const Waiter&>(*waiting_.begin()).chain()->loop == this_thread().loop;
  }
  /// Wakes a waiter that was given something. Until it resumes, it is known here.
  void hand_over(Waiter& to) noexcept {
    to.unlink();
    keep(to);
    to.chain()->woken();
  }
  /// This waiter, which does not wait, has something of the primitive's until it resumes.
  void keep(Waiter& with) noexcept { handed_.push_back(with); }
  void hand_over_all() noexcept {
    while (!empty()) hand_over(first<Waiter>());
  }
  /// The same of an error.
  void fail_all() noexcept {
    while (!empty()) {
      first<Waiter>().end_with(Ending::failed);
      hand_over(first<Waiter>());
    }
  }
  /// Where waiters stand.
  List& list() noexcept { return waiting_; }
  template <class Awaiter>
  static Awaiter& of(Link& link) noexcept {
    return static_cast<Awaiter&>(static_cast<Waiter&>(link));
  }

 private:
  ERRAND_COLD const Loop& loop_of_first() const noexcept {
    const Link& first = *(waiting_.empty() ? handed_ : waiting_).begin();
    return *static_cast<const Waiter&>(first).chain()->loop;
  }
  List waiting_;
  List handed_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
