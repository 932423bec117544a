// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>

#include <errand/detail/coro/suspension.hpp>

namespace errand::detail {

/// A part of a task that runs beside other parts of the same task. A combinator makes one of each Coro, or other
/// awaitable, that it is given.
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
  /// Returns the chain that waits in the combinator.
  Chain& above() const noexcept;

  /// Returns the exception with which the branch has ended; null if it has a value.
  virtual std::exception_ptr error() const noexcept = 0;
  /// Called in a race, which first looks at each of its waits, up to the next Coro, to see if the result is there
  /// already. If no result is there, it calls this for each of them: it looks once more, and then the wait begins.
  virtual void wait() noexcept {}
  /// Called when the frames of the branch have been destroyed, because the frame of the combinator is about to be.
  /// Destroys the wait of a branch that has no coroutine.
  virtual void destroyed() noexcept {}

  Sibling sibling;            // in the list `live` of its combinator, until the branch ends
  bool is_raced = false;      // the branch is only a wait, and its end decides a race
  bool next_is_wait = false;  // in a race: the next branch is only a wait too, and is looked at before this one waits
  Branches* combinator = nullptr;
  bool observed_cancelled = false;  // the branch only observes a task, and the task was cancelled
  std::uint8_t thrown = 0;          // which requests to the combinator were thrown in this branch; flags of a Chain
  std::uint8_t was_thrown = 0;      // like `thrown`, but a new request of the same origin does not clear the flag
  Chain* root_ = nullptr;           // the chain of the task; set by `Branches::start`

 protected:
  ~BranchBase() = default;
};

/// The wait of a combinator for its branches. `co_await branches` starts the branches that were added: in order, and
/// right after the current step. The wait ends when the last branch has ended, and the combinator goes on right after
/// that step.
///
/// A request from outside comes from the task or from a combinator around this one. It goes on to every branch that is
/// alive. No request is lost. A request that was thrown in a branch is used up if `Cancelled` comes out of the
/// combinator, or if a value comes out and the branch counts for that value. An error that comes out uses up no
/// request. Requests that are not used up are pending again as soon as the last branch has ended. After a request was
/// thrown in one branch, no other branch begins.
///
/// One `Cancelled` that is thrown in a branch stands for all requests that were made to it so far, by the task and by
/// any combinator around it. So it is noted in `BranchBase::thrown` at each level, from the inside out, up to the first
/// level that has no request to note.
class Branches : public Suspension {
 public:
  explicit Branches(Kind combinator) noexcept : Suspension(combinator, Place::nowhere, nullptr) {}
  Branches(Branches&&) = delete;

  void add(BranchBase& branch) noexcept {
    branch.combinator = this;
    live.push_back(branch.sibling);
  }

  /// Adds a branch while the others are alive. It begins right after the current step, which must be that of a branch.
  void add_later(BranchBase& branch) noexcept {
    add(branch);
    chain_->loop->run_next(prepare(branch, 0));
  }

  bool await_ready() const noexcept { return is_over(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    start(*awaiting.promise().chain);
  }
  /// Does not throw. The combinator looks itself at how the branches have ended.
  void await_resume() noexcept { goes_on_ = true; }

  /// Returns the reason with which the combinator itself asks its branches to end.
  virtual std::string reason() const { return {}; }
  /// Called when a branch has ended. It is no longer in `live`.
  virtual void branch_ended(BranchBase& branch) noexcept = 0;
  /// Called when the wait of a branch that `is_raced` has ended, and for the first branch that is alive if a later one
  /// may not begin because of a request. A race is decided by this branch then.
  virtual void decided(BranchBase&) noexcept {}
  /// Called when a request has come from outside, before it goes on to the branches.
  virtual void asked_to_end() noexcept {}
  /// Called when the chain is halted or destroyed, before the branches are. May be called more than once.
  virtual void about_to_destroy() noexcept {}

  /// Returns the first of the tasks that are members of this group; null if there is none.
  virtual Chain* first_member() noexcept { return nullptr; }
  /// Returns the chain that is destroyed next, before the frame that waits here; null if none is left.
  virtual Chain* next_to_destroy() noexcept { return live.empty() ? nullptr : &branch(live.back()); }
  /// Called when nothing is left to wait for, just before the combinator is made ready.
  virtual void over() noexcept {}
  /// Returns how the combinator will end, after its branches have ended: with a value, an error, or `Cancelled`.
  virtual TaskStatus end_status() const noexcept = 0;
  /// Returns true if nothing is left to wait for.
  virtual bool is_over() const noexcept { return live.empty(); }

  /// Called when the result of the combinator is decided. No branch begins any more, and all branches that are alive
  /// are asked to end, except one. If a request from outside has reached the branches, only those that have not begun
  /// are asked: the others are left to their clean-up.
  void decide(const BranchBase* except = nullptr) noexcept;
  bool is_decided() const noexcept { return decided_; }

  /// Returns true if a request has come from outside and was not taken back.
  bool was_asked() const noexcept { return asked_ != 0; }
  bool was_asked_by_task() const noexcept { return asked_ & Chain::asked_by_task; }
  /// Returns true if a request from outside would not be used up by the branches that have ended.
  bool has_unused() const noexcept { return (asked_ & ~used_) != 0; }
  /// Returns true if it is certain that a request from outside will be pending again, although branches or members are
  /// still alive.
  virtual bool has_pending() const noexcept { return false; }

  /// Called by a branch that has come to its end.
  void finished(BranchBase& branch) noexcept;
  /// Makes the combinator ready if nothing is left to wait for. Requests that were not used up are pending again then.
  void check_over() noexcept;

  static BranchBase& branch(Link& sibling) noexcept { return *static_cast<BranchBase::Sibling&>(sibling).branch; }
  /// Called before the first step of a branch. Returns false if it may not begin any more: the combinator is decided,
  /// or a request has come from outside and a branch before this one is alive or was thrown the request.
  bool may_begin(const BranchBase& branch) noexcept {
    return !decided_ && (!asked_ || (!has_thrown_ && &Branches::branch(live.front()) == &branch));
  }
  /// Called for a branch that may not begin, which ends as cancelled. Returns the reason. If the combinator was not
  /// decided yet, the first branch that is alive decides it, and the request counts as thrown in `unbegun`.
  std::string not_begun(BranchBase& unbegun) noexcept;
  /// Called by a branch of a race after all waits up to the next Coro have been looked at: they begin to wait.
  void wait_all() noexcept {
    for (Link* link = live.begin(); link != live.end() && !decided_;) {
      Link* const next = link->next;
      branch(*link).wait();
      link = next;
    }
  }

  List live;  // the branches that have not ended, in the order added

 protected:
  ~Branches() = default;
  /// Returns true if the combinator has gone on after its branches. If it is destroyed before that, the failures that
  /// it keeps do not come out, and so its destructor reports them.
  bool goes_on() const noexcept { return goes_on_; }
  /// Called when a branch has ended that counts for the value: if a value comes out of the combinator, the requests
  /// that were thrown in this branch are used up.
  void use_thrown(const BranchBase& ended) noexcept { used_ |= static_cast<std::uint8_t>(asked_ & ended.thrown); }
  /// Called when a member of a group has swallowed the request: all requests so far are used up if a value comes out.
  void use_all() noexcept {
    used_ = noted_ = asked_;
    chain_->note_thrown();
  }

 public:
  // For Chain. It is no friend, because GCC's -Wnon-virtual-dtor warns if friends may call a protected destructor.

  /// Notes requests that have come from outside.
  void asked(std::uint8_t origins) noexcept {
    const auto others = static_cast<std::uint8_t>(~origins);
    asked_ |= origins;
    noted_ &= others;
    used_ &= others;  // because the new request has to be thrown too
    for (Link* link = live.begin(); link != live.end(); link = link->next) branch(*link).thrown &= others;
  }
  /// Notes that all requests so far were thrown in this branch.
  void note_thrown(BranchBase& in) noexcept {
    in.thrown |= asked_;
    in.was_thrown |= asked_;
    noted_ |= asked_;
    has_thrown_ |= asked_;
  }
  /// Returns true if `note_thrown` has nothing to note for this branch.
  bool is_noted(const BranchBase& in) const noexcept { return (asked_ & ~in.thrown) == 0; }
  /// Forgets the request of the task, which was taken back.
  void withdraw() noexcept {
    constexpr auto others = static_cast<std::uint8_t>(~Chain::asked_by_task);
    asked_ &= others;
    used_ &= others;
    has_thrown_ &= others;
    for (Link* link = live.begin(); link != live.end(); link = link->next) {
      branch(*link).thrown &= others;
      branch(*link).was_thrown &= others;
    }
  }
  void start(Chain& chain);
  BranchBase& prepare(BranchBase& branch, std::uint8_t pending) noexcept;

  bool goes_on_ = false;
  bool decided_ = false;
  // Flags of a Chain, for the requests from outside that were not taken back:
  std::uint8_t asked_ = 0;       // all of them
  std::uint8_t used_ = 0;        // the requests that were thrown in a branch that has ended and counts for a value
  std::uint8_t noted_ = 0;       // the requests that were thrown in any branch
  std::uint8_t has_thrown_ = 0;  // like `noted_`, but a new request of the same origin does not clear the flag
};

// Implementation, also of the members of Chain that need branches

inline void Chain::woken() noexcept {
  state = State::ready;
  loop->make_ready(*this);
  if (flags & tells_when_woken) [[unlikely]]
    tell_woken();
}

inline Chain& BranchBase::above() const noexcept { return *combinator->chain(); }

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE void Chain::tell_probe() noexcept {
  // The flag of the task tells if it is observed. A raced wait has the flag in any case.
  if (loop->probe && (root().flags & tells_when_woken)) loop->probe->woken(*this);
}

ERRAND_COLD ERRAND_ONCE void Chain::tell_woken() noexcept {
  tell_probe();
  if (!(flags & is_branch) || !static_cast<BranchBase*>(this)->is_raced) return;
  const bool was_waking = std::exchange(loop->is_waking, true);
  static_cast<BranchBase*>(this)->combinator->decided(static_cast<BranchBase&>(*this));
  loop->is_waking = was_waking;
}

ERRAND_ONCE std::string Branches::not_begun(BranchBase& unbegun) noexcept {
  const bool is_by_task = unbegun.flags & Chain::asked_by_task;
  if (decided_) return unbegun.reason_of_request(is_by_task);
  decided(branch(live.front()));
  return unbegun.take_request(is_by_task);
}

ERRAND_ONCE void Branches::start(Chain& chain) {
  chain_ = &chain;
  chain.check_earlier_awaits();
  const std::uint8_t pending = chain.is_asked() ? chain.flags & Chain::asked : 0;
  chain.flags &= static_cast<std::uint8_t>(~pending);
  asked(pending);
  NodeQueue first;
  for (Link* link = live.begin(); link != live.end(); link = link->next)
    first.push_back(prepare(branch(*link), pending));
  chain.waiting = this;
  chain.state = Chain::State::branching;
  chain.loop->run_next(first);
}

/// Makes a branch a part of the chain that waits here, before its first step, with the requests that are pending.
ERRAND_ONCE BranchBase& Branches::prepare(BranchBase& branch, std::uint8_t pending) noexcept {
  branch.loop = chain_->loop;
  branch.root_ = &chain_->root();
  branch.flags |= pending | (branch.root_->flags & Chain::tells_when_woken);
  if (branch.flags & (Chain::asked | Chain::has_work)) branch.step = Step::first;
  if (branch.leaf) branch.leaf.promise().chain = &branch;
  return branch;
}

ERRAND_ONCE void Branches::decide(const BranchBase* except) noexcept {
  decided_ = true;
  for (Link* link = live.begin(); link != live.end(); link = link->next) {
    BranchBase& each = branch(*link);
    if (&each != except && (!asked_ || each.state == Chain::State::created)) each.request(Chain::asked_by_combinator);
  }
}

ERRAND_ONCE void Branches::finished(BranchBase& branch) noexcept {
  branch.sibling.unlink();
  branch.loop->current = nullptr;  // because a report of its failure may run code that destroys it
  branch_ended(branch);
  check_over();
}

ERRAND_ONCE void Branches::check_over() noexcept {
  if (!is_over() || chain_->state != Chain::State::branching || chain_->waiting != this) return;
  over();
  const TaskStatus status = end_status();
  const std::uint8_t used = status == TaskStatus::succeeded ? used_ : status == TaskStatus::cancelled ? noted_ : 0;
  // A request that is not used up is pending at once, because before the combinator goes on the request may be taken
  // back, and the frames may be cut.
  const auto pending = static_cast<std::uint8_t>(asked_ & ~used);
  chain_->flags |= pending;
  if (chain_->flags & Chain::is_branch) {
    // A request that is pending again no longer counts as thrown in this branch of the outer combinator. But if it was
    // thrown in no branch here, the note there may be about another request with the same flag. That note stays, unless
    // an error comes out.
    const auto back = static_cast<std::uint8_t>(status == TaskStatus::failed ? pending : pending & noted_);
    static_cast<BranchBase&>(*chain_).thrown &= static_cast<std::uint8_t>(~back);
  }
  chain_->state = Chain::State::ready;
  chain_->loop->run_next(*chain_);
  chain_->tell_probe();
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
