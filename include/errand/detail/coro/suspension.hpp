// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>

#include <errand/detail/coro/chain.hpp>

namespace errand::detail {

/// Marks the library's own awaitables: they may be awaited as they are. All others are awaited through a `Bridged`.
struct OwnAwaitable {};

/// How a wait has ended. The wait keeps its ending until `await_resume`, because GCC calls `await_resume` only after
/// the other awaits of the same expression have begun and ended: `co_await a.wait() + co_await b.wait()`.
enum class Ending : std::uint8_t {
  reached,                  // the wait has its result, or has not ended yet
  yielded,                  // a yield, which waits for nothing: a request that comes before the chain resumes is thrown
  cancelled_by_task,        // a request to the task ended the wait
  cancelled_by_combinator,  // a request of a combinator ended the wait
  broken,                   // the primitive was destroyed
  failed,                   // the result is an error
};

/// The base of every wait. A wait knows how to leave the list or the timer queue that it stands in: its destructor
/// leaves it, and a request leaves it and makes the chain ready. So cancellation, time-outs and teardown need no code
/// in the primitives.
///
/// An awaiter derives from one of the classes below. It is constructed with the chain that awaits it. The construction
/// has no other effect, because the expression may never get to await it. The wait begins in `await_ready`, which must
/// call `Chain::check_earlier_awaits` if it takes something, or in `await_suspend`. `await_resume` calls `resumed`. The
/// awaiter is awaited once, and stands in the frame that awaits it.
class Suspension : public TimerNode, public OwnAwaitable {
 public:
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  /// Takes this wait out of the list or the timer queue that it stands in, because its task was asked to end, or is
  /// being destroyed. The wait has not ended: the caller decides what the task sees. Returns false if this is an
  /// `OutsideWait` that cannot be left: the wait goes on.
  bool leave() noexcept;
  Chain* chain() const noexcept { return chain_; }
  /// Notes how the wait has ended: `resumed` will throw. With GCC, its chain may already be waiting in another await of
  /// the same expression: the other await goes on.
  void end_with(Ending how) noexcept {
    ending = how;
    if (chain_->waiting == this) chain_->flags |= Chain::failed_wait;
  }
  /// Called when a pending request ends this wait, which is the latest wait of its chain.
  void interrupt() noexcept {
    chain_->waiting = this;
    end_with(chain_->flags & Chain::asked_by_task ? Ending::cancelled_by_task : Ending::cancelled_by_combinator);
  }
  bool is_interrupted() const noexcept {
    return ending == Ending::cancelled_by_task || ending == Ending::cancelled_by_combinator;
  }
  /// Called when the chain goes on: decides how a yield has ended. From here on, `ending` does not change.
  void settle() noexcept {
    if (ending != Ending::yielded) return;
    ending = Ending::reached;
    if (chain_->is_asked()) interrupt();
  }
  /// Throws `Cancelled` if a request ended the wait, `InvalidState` if the primitive was destroyed, and the error if
  /// the result is one.
  void resumed() {
    if (ending != Ending::reached) [[unlikely]]
      throw_ending();
  }
  void throw_ending();
  /// Makes this the wait of its chain. The caller puts it into a list or the timer queue afterwards.
  void begin() noexcept {
    chain_->waiting = this;
    chain_->state = Chain::State::waiting;
  }

  /// Called when the request that has ended this wait is thrown. Returns the reason: that of the request to the task,
  /// if one is pending too.
  std::string take_request() noexcept {
    return chain_->take_request(ending == Ending::cancelled_by_task || (chain_->flags & Chain::asked_by_task));
  }

  const Kind kind;
  Ending ending = Ending::reached;

 protected:
  enum class Place : std::uint8_t { nowhere, list, counted_list, timers, outside };  // in what a wait stands

  Suspension(Kind of, Place place, Chain* chain) noexcept : TimerNode(false), kind(of), place_(place), chain_(chain) {}
  ~Suspension() {
    if (ending != Ending::reached) [[unlikely]]
      forget_ending();
  }

  /// Begins the wait. Returns false if a request is pending: then the await does not suspend, and `resumed` throws the
  /// request. An `await_suspend` that returns nothing may ignore the result: the state of the chain is still `running`,
  /// so the loop resumes the coroutine at once.
  bool suspend() {
    if (!may_suspend()) [[unlikely]]
      return false;
    begin();
    return true;
  }
  /// Like `suspend`, but does not begin the wait.
  ERRAND_INLINE bool may_suspend() { return !(chain_->flags & Chain::special) || may_suspend_special(); }
  /// Lets other chains run first, and waits for nothing.
  void yield() {
    ending = Ending::yielded;
    chain_->yield();
  }

  const Place place_;
  Chain* chain_;  // null until the await, if the wait was constructed without its chain

 private:
  /// Called when a wait is destroyed that has an ending to throw. It may never have thrown it, because another part of
  /// the expression has thrown: `f(co_await a.wait(), fails())`.
  ERRAND_COLD void forget_ending() noexcept {
    if ((chain_->flags & Chain::failed_wait) && chain_->waiting == this) chain_->clear_failure();
  }
  ERRAND_NOINLINE bool may_suspend_special() {
    chain_->check_earlier_awaits();
    if (!chain_->is_asked()) return true;
    interrupt();
    return false;
  }
};

/// A wait for something that is under way outside the App's thread, and that perhaps cannot be taken back.
class OutsideWait : public Suspension {
 public:
  /// Called if the task is asked to end, or is to be destroyed. Returns true if the wait is over now. If not, it goes
  /// on until the thread call or the awaitable has come back.
  virtual bool give_up() noexcept = 0;
  /// Returns true if another thread may be using the frame that waits here, or a frame around it. Then none of these
  /// frames may be destroyed.
  virtual bool is_in_use() const noexcept { return false; }
  /// Blocks the App's thread until no other thread uses these frames.
  virtual void block() noexcept {}
  /// Called when the wait has ended on its own. Returns true if it has ended with an error.
  virtual bool has_failed() const noexcept = 0;
  /// Throws the error. Called if the wait has ended as `Ending::failed`.
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

  /// Suspends the chain for this time, unless a request is pending. Throws `std::bad_alloc`, and any exception that a
  /// clock of the user's throws; then nothing has changed.
  void suspend_for(Nanoseconds delay) {
    Loop& loop = *chain_->loop;
    // The clock comes before the check, because a clock of the user's may ask the task to end.
    const Clock::time_point now = loop.now();
    if (!may_suspend()) [[unlikely]]
      return;
    if (now < never - delay) [[likely]]
      loop.timers.arm_finite(*this, now + delay);
    begin();
  }
  /// Suspends the chain until a deadline, unless a request is pending. Throws `std::bad_alloc`.
  void suspend_until(Clock::time_point when) {
    if (!may_suspend()) return;
    chain_->loop->timers.arm(*this, when);
    begin();
  }
};

/// A wait in a list. The primitive that has the list wakes it, with `wake`.
class Waiter : public Suspension, public Link {
 public:
  /// Ends the wait: leaves the list, and puts the chain at the end of the ready queue.
  void wake() noexcept {
    unlink();
    chain_->woken();
  }
  /// Ends the wait with an error.
  void wake_failed() noexcept {
    end_with(Ending::failed);
    wake();
  }
  /// Ends the wait because the primitive is being destroyed.
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
  ERRAND_INLINE ~Waiter() {
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
  /// Begins the wait, in this list. The caller has checked that no request is pending.
  void stand_in(List& list) noexcept {
    begin();
    list.push_back(*this);
  }
  void resumed() {
    leave();  // because a `WaitList` keeps a waiter in a list of its own after it has handed something to it
    Suspension::resumed();
  }

 private:
  ERRAND_NOINLINE bool suspend_unless_asked(List& list) {
    if (!may_suspend()) return false;
    stand_in(list);
    return true;
  }
};

/// A wait in a list that can end with an error, and that is not for a task or a queue: these two need no virtual
/// function, because `Suspension` knows their errors.
class FailingWaiter : public Waiter {
 public:
  /// Throws the error. Called if the wait has ended as `Ending::failed`.
  [[noreturn]] virtual void throw_failure() = 0;

 protected:
  using Waiter::Waiter;
  ~FailingWaiter() = default;
};

/// A wait in a list that also counts how many waiters stand in it.
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

/// Called for a waiter for a task that has failed or was cancelled: throws what an await of the task throws.
[[noreturn]] void throw_task_failure(Waiter& waiter);

ERRAND_NOINLINE inline void Suspension::throw_ending() {
  settle();
  if (ending == Ending::reached) return;
  chain_->clear_failure();
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
    clear_failure();
    std::rethrow_exception(*error);
  }
}

/// The waiters of a primitive, in the order in which they began to wait. If it is destroyed while tasks wait, their
/// awaits throw `InvalidState`, also if something was handed to a waiter and its task has not resumed yet.
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
  /// Throws `WrongThread` if another thread is inside the App whose tasks wait here. Every member function of a
  /// primitive calls this before it changes or reads anything.
  void check_thread() const {
    if (!waiting_.empty() || !handed_.empty()) [[unlikely]]
      loop_of_first().check_thread();
  }
  /// The check for a destructor, which cannot throw: ends the program if another thread is inside that App.
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
  /// Ends all waits because the primitive is being destroyed.
  void abandon_all() noexcept {
    while (!empty()) first<Waiter>().abandon();
  }
  /// Returns true if this thread is inside the App of the first waiter, which must exist. If not, call `check_thread`.
  bool waits_on_this_thread() const noexcept {
    return static_cast<const Waiter&>(*waiting_.begin()).chain()->loop == this_thread().loop;
  }
  /// Wakes a waiter to which the caller has given something. The waiter stays known here until its task resumes.
  void hand_over(Waiter& to) noexcept {
    to.unlink();
    keep(to);
    to.chain()->woken();
  }
  /// Notes a waiter that got something from the primitive without waiting, and has it until its task resumes.
  void keep(Waiter& with) noexcept { handed_.push_back(with); }
  /// Wakes all waiters, as `hand_over` does.
  void hand_over_all() noexcept {
    while (!empty()) hand_over(first<Waiter>());
  }
  /// Wakes all waiters, as `hand_over` does. Each of them gets an error.
  void fail_all() noexcept {
    while (!empty()) {
      first<Waiter>().end_with(Ending::failed);
      hand_over(first<Waiter>());
    }
  }
  /// The list in which new waiters stand.
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
  List handed_;  // waiters that were given something, and whose tasks have not resumed yet
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
