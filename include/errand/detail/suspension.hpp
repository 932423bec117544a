// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <errand/detail/chain.hpp>

namespace errand::detail {

/// Marks the library's own awaitables: they may be awaited as they are, all others go through a bridge.
struct OwnAwaitable {};

/// The one piece on which every wait is built. It knows how to leave what it stands in: its destructor leaves, a
/// request leaves and wakes its task. That makes cancellation, time-outs and teardown right everywhere.
///
/// An awaiter derives from one of the classes below, suspends in `await_suspend`, or where it is made (nothing runs in
/// between), and calls `resumed` in `await_resume`. It is awaited once, in the frame that it stands in.
class Suspension : public TimerNode, public OwnAwaitable {
 public:
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  /// Leaves without an end of the wait.
  void leave() noexcept;
  Chain* chain() const noexcept { return chain_; }

  const Kind kind;
  bool is_broken = false;  // what it waited for, or was handed something by, is gone

 protected:
  enum class Place : std::uint8_t { nowhere, list, counted_list, timers };  // where it stands while it waits

  Suspension(Kind of, Place place) noexcept : TimerNode(false), kind(of), place_(place) {}
  ~Suspension() = default;

  /// False where a request is pending: the await does not suspend then, and `resumed` throws it. (An `await_suspend`
  /// that gives nothing may ignore that: the chain is still running, and so goes on at once.)
  bool suspend(PromiseBase& promise) noexcept {
    chain_ = promise.chain;
    if (!chain_->may_suspend()) return false;
    begin();
    return true;
  }
  /// Throws `Cancelled` where the wait was interrupted by a request, `InvalidState` where it was abandoned.
  void resumed() {
    if (chain_) chain_->check_resumed();
  }
  void begin() noexcept {
    chain_->waiting = this;
    chain_->state = Chain::State::waiting;
  }

  const Place place_;
  Chain* chain_ = nullptr;  // from the moment it is awaited
};

/// A wait that stands nowhere: what ends it knows it.
class PlainWait : public Suspension {
 protected:
  explicit PlainWait(Kind of) noexcept : Suspension(of, Place::nowhere) {}
};

/// A wait in the timer queue.
class TimedWait : public Suspension {
 public:
  void leave() noexcept {
    if (armed()) chain_->loop->timers.disarm(*this);
  }

 protected:
  explicit TimedWait(Kind of) noexcept : Suspension(of, Place::timers) {}
  TimedWait(Kind of, Chain& chain) noexcept : TimedWait(of) { chain_ = &chain; }
  ~TimedWait() { leave(); }

  /// As `suspend`, where the chain is known, for a while. Throws `std::bad_alloc`, and what a clock of the user's
  /// throws; nothing is changed then.
  bool suspend_for(Nanoseconds delay) {
    Loop& loop = *chain_->loop;
    const Clock::time_point now = loop.now();  // a clock of the user's may ask for the end
    if (!chain_->may_suspend()) return false;
    if (now < never - delay) [[likely]]
      loop.timers.arm_finite(*this, now + delay);
    begin();
    return true;
  }
  /// The same until a deadline.
  bool suspend_until(Clock::time_point when) {
    if (!chain_->may_suspend()) return false;
    chain_->loop->timers.arm(*this, when);
    begin();
    return true;
  }
};

/// A wait in a list, which is woken with `wake` by whoever holds the list.
class Waiter : public Link, public Suspension {
 public:
  /// The wait has ended: leaves the list, and puts the chain at the end of the ready queue.
  void wake() noexcept {
    unlink();
    chain_->woken();
  }
  /// What it waits for is being destroyed.
  void abandon() noexcept {
    is_broken = true;
    chain_->flags |= Chain::broken;
    wake();
  }
  void leave() noexcept {
    if (linked()) unlink();
  }

 protected:
  explicit Waiter(Kind of, Place place = Place::list) noexcept : Suspension(of, place) {}
  ~Waiter() {
    if (linked()) [[unlikely]]
      unlink();
  }

  /// As the one without a list.
  ERRAND_INLINE bool suspend(PromiseBase& promise, List& list) {
    Chain& chain = *promise.chain;
    if (chain.flags & (Chain::asked | Chain::held)) [[unlikely]]
      return suspend_specially(promise, list);
    stand_in(list, chain);
    return true;
  }
  /// Waits in this list from now on.
  void stand_in(List& list, Chain& chain) noexcept {
    chain_ = &chain;
    begin();
    list.push_back(*this);
  }
  void resumed() {
    Suspension::resumed();
    leave();  // the list where it is known that something was handed over
  }

 private:
  ERRAND_NOINLINE bool suspend_specially(PromiseBase& promise, List& list) {
    if (!Suspension::suspend(promise)) return false;
    list.push_back(*this);
    return true;
  }
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
  CountedWaiter(Kind of, std::size_t& count) noexcept : Waiter(of, Place::counted_list), count_(count) {}
  ~CountedWaiter() { leave(); }

  bool suspend(PromiseBase& promise, List& list) {
    if (!Waiter::suspend(promise, list)) return false;
    ++count_;
    return true;
  }

 private:
  std::size_t& count_;
};

inline void Suspension::leave() noexcept {
  if (place_ == Place::list) static_cast<Waiter*>(this)->leave();
  if (place_ == Place::counted_list) static_cast<CountedWaiter*>(this)->leave();
  if (place_ == Place::timers) static_cast<TimedWait*>(this)->leave();
}

/// The waiters of a primitive, in the order in which they began to wait. Destroying it while someone waits makes their
/// awaits throw `InvalidState`; so it does to those that something was handed to and that have not resumed yet.
class WaitList {
 public:
  WaitList() noexcept = default;
  ~WaitList() {
    check_thread_in_destructor();
    while (!waiting_.empty()) first<Waiter>().abandon();
    while (!handed_.empty()) {
      Waiter& last = of<Waiter>(handed_.front());
      last.unlink();
      last.is_broken = true;
      last.chain()->flags |= Chain::broken;
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
      end_program_on_wrong_thread();
  }
  template <class Awaiter>
  Awaiter& first() noexcept {
    return of<Awaiter>(waiting_.front());
  }
  void wake_all() noexcept {
    while (!empty()) first<Waiter>().wake();
  }
  /// Whether the first waiter's App is the one that this thread is inside of: if it is not, `check_thread` knows more.
  bool waits_on_this_thread() const noexcept {
    return static_cast<const Waiter&>(*waiting_.begin()).chain()->loop == this_thread().loop;
  }
  /// Wakes a waiter that was given something. Until it resumes, it is known here.
  void hand_over(Waiter& to) noexcept {
    to.unlink();
    handed_.push_back(to);
    to.chain()->woken();
  }
  void hand_over_all() noexcept {
    while (!empty()) hand_over(first<Waiter>());
  }
  /// Keeps a waiter out of the list while code of the user's runs, which may use the list. Afterwards it is the first
  /// again, unless it has left.
  class Apart {
   public:
    Apart(WaitList& of, Waiter& waiter) noexcept : of_(of) {
      waiter.unlink();
      alone_.push_back(waiter);
    }
    ~Apart() {
      if (has_left()) return;
      Link& waiter = alone_.pop_front();
      of_.waiting_.push_front(waiter);
    }
    Apart(const Apart&) = delete;
    Apart& operator=(const Apart&) = delete;
    bool has_left() const noexcept { return alone_.empty(); }

   private:
    WaitList& of_;
    List alone_;
  };
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
  ERRAND_COLD void end_program_on_wrong_thread() const noexcept {
    try {
      loop_of_first().check_thread();
    } catch (const WrongThread&) {
      end_program("a primitive, or a permit of one, is destroyed on another thread than that of the tasks that wait");
    }
  }

  List waiting_;
  List handed_;
};

}  // namespace errand::detail
