// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/chain.hpp>

namespace errand::detail {

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
    is_broken = true;
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
  explicit Suspension(Kind of) noexcept : TimerNode(of) {}
  Suspension(Suspension&& other) noexcept : TimerNode(other.kind) {}
  ~Suspension() { leave(); }

  /// False where a request is pending: the await does not suspend then, and `resumed` throws it.
  /// Throws `InvalidState` where it is being awaited already.
  bool suspend(PromiseBase& promise) {
    if (chain_) [[unlikely]]
      check_reuse();
    chain_ = promise.chain;
    if (!chain_->may_suspend()) return false;
    chain_->waiting = this;
    chain_->state = Chain::State::waiting;
    return true;
  }
  bool suspend(PromiseBase& promise, List& list) {
    if (!suspend(promise)) return false;
    list.push_back(*this);
    return true;
  }
  /// The same until a deadline. Throws `std::bad_alloc`; nothing is changed then.
  bool suspend_until(PromiseBase& promise, Clock::time_point when) {
    if (chain_) [[unlikely]]
      check_reuse();
    chain_ = promise.chain;
    if (!chain_->may_suspend()) return false;
    chain_->loop->timers.arm(*this, when);
    chain_->waiting = this;
    chain_->state = Chain::State::waiting;
    return true;
  }
  /// Throws `Cancelled` where the wait was interrupted by a request, `InvalidState` where it was abandoned.
  void resumed() {
    if (chain_) chain_->check_resumed();
    if (linked()) unlink();  // from where it is known that something was handed over
  }

  Chain* chain_ = nullptr;  // from the moment it is awaited

 private:
  void check_reuse() const {
    if (linked() || armed()) throw InvalidState("this is being awaited already");
  }
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
      last.is_broken = true;
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
  void hand_over_all() noexcept {
    while (!empty()) hand_over(first<Suspension>());
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

}  // namespace errand::detail
