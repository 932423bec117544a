// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <errand/detail/base/list.hpp>
#include <errand/detail/coro/suspension.hpp>

namespace errand::detail {

/// A waiter to which something is handed that must not get lost: a permit, a notification. If its task is destroyed
/// after that and before it resumes, the primitive gets it back.
class HandedWaiter : public ToldWaiter {
 public:
  /// Called by the `WaitList` that hands something to this waiter.
  void handed() noexcept { was_handed_ = true; }

 protected:
  using ToldWaiter::ToldWaiter;
  ~HandedWaiter() = default;

  /// Called by `await_resume`. If this throws, the wait stays in the list in which it is.
  void pick_up() {
    Suspension::resumed();
    Waiter::leave();
    was_handed_ = false;
  }
  /// Called by the destructor of the derived class. Returns true if the primitive is to be given back what was handed
  /// over. It still exists then.
  bool must_give_back() const noexcept { return was_handed_ && ending != Ending::broken; }

  bool was_handed_ = false;

 private:
  void left() noexcept override {}
};

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
      if (!first.is_interrupted()) first.end_with(Ending::broken);
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
  /// Notes a waiter that got something from the primitive without waiting, or that has left and has still to tell the
  /// primitive something when it is destroyed. Its task has not resumed yet.
  void keep(Waiter& with) noexcept { handed_.push_back(with); }
  /// Hands something over to the first waiter, which must be a `HandedWaiter`.
  void hand_to_first() noexcept {
    HandedWaiter& first = this->first<HandedWaiter>();
    first.handed();
    hand_over(first);
  }
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
  List handed_;  // waiters that do not wait any more, and that `keep` has noted
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
