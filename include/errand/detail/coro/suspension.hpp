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
  /// Throws as `resumed` says. The throw of a request is inlined into the coroutine, because each function that an
  /// exception passes costs 3,500 instructions: a fifth of a cancel (W6).
  ERRAND_INLINE void throw_ending() {
    if (throw_unless_asked()) throw cancelled();
  }
  /// Throws what `throw_ending` throws, unless it is a request: returns true then.
  bool throw_unless_asked();
  /// Takes the request that has ended this wait, and returns it as it is thrown.
  ERRAND_NOINLINE Cancelled cancelled() noexcept { return Cancelled(take_request()); }
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
  enum class Place : std::uint8_t { nowhere, list, told_list, timers, outside };  // in what a wait stands

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
  void forget_ending() noexcept;
  bool may_suspend_special();
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
  /// Called when the wait has ended on its own while a request is pending. Returns true if the request is thrown, and
  /// not the result or the error.
  virtual bool gives_way() const noexcept { return false; }
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

/// A wait in a list whose primitive has to be told if the wait leaves the list because of a request.
class ToldWaiter : public Waiter {
 public:
  void leave() noexcept {
    if (!linked()) return;
    unlink();
    left();
  }

 protected:
  ToldWaiter(Kind of, Chain& chain) noexcept : Waiter(of, chain, Place::told_list) {}
  ~ToldWaiter() = default;

 private:
  /// Called when the wait has left its list and has not ended yet. Must not wake anyone, because a walk through a task
  /// and its branches may be under way.
  virtual void left() noexcept = 0;
};

/// A wait in a list that also counts how many waiters stand in it.
class CountedWaiter : public ToldWaiter {
 public:
  void wake() noexcept {
    --count_;
    Waiter::wake();
  }

 protected:
  CountedWaiter(Kind of, Chain& chain, std::size_t& count) noexcept : ToldWaiter(of, chain), count_(count) {}
  ~CountedWaiter() {
    if (linked()) --count_;
  }

  bool suspend(List& list) {
    if (!Waiter::suspend(list)) return false;
    ++count_;
    return true;
  }

 private:
  void left() noexcept final { --count_; }

  std::size_t& count_;
};

/// Called for a waiter for a task that has failed or was cancelled: throws what an await of the task throws.
[[noreturn]] void throw_task_failure(Waiter& waiter);

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE void Suspension::forget_ending() noexcept {
  if ((chain_->flags & Chain::failed_wait) && chain_->waiting == this) chain_->clear_failure();
}

ERRAND_NOINLINE ERRAND_ONCE bool Suspension::may_suspend_special() {
  chain_->check_earlier_awaits();
  if (!chain_->is_asked()) return true;
  interrupt();
  return false;
}

ERRAND_ONCE bool Suspension::leave() noexcept {
  if (place_ == Place::list) static_cast<Waiter*>(this)->leave();
  if (place_ == Place::told_list) static_cast<ToldWaiter*>(this)->leave();
  if (place_ == Place::timers) static_cast<TimedWait*>(this)->leave();
  return place_ != Place::outside || static_cast<OutsideWait*>(this)->give_up();
}

ERRAND_NOINLINE ERRAND_ONCE bool Suspension::throw_unless_asked() {
  settle();
  if (ending == Ending::reached) return false;
  chain_->clear_failure();
  if (ending == Ending::failed) {
    if (kind == Kind::task || kind == Kind::task_cancel) throw_task_failure(static_cast<Waiter&>(*this));
    if (kind == Kind::queue) throw QueueClosed();
    if (place_ == Place::list) static_cast<FailingWaiter*>(this)->throw_failure();
    static_cast<OutsideWait*>(this)->throw_failure();
  }
  if (ending == Ending::broken) raise<InvalidState>({"the ", name_of(kind), " that was waited for has been destroyed"});
  return true;
}

ERRAND_NOINLINE ERRAND_ONCE void Chain::yield_unless_asked() {
  check_earlier_awaits();
  if (is_asked()) return;
  state = State::yielding;
  loop->make_ready(*this);
}

ERRAND_COLD ERRAND_ONCE void Chain::throw_earlier_failure() {
  if (flags & failed_wait) {
    waiting->throw_ending();
  } else {
    clear_failure();
    std::rethrow_exception(*error);
  }
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
