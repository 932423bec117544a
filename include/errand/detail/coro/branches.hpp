// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>

#include <errand/detail/coro/suspension.hpp>

namespace errand::detail {

/// A part of a task that runs beside others of the same task: each Coro, or other work, given to a combinator is one.
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

  /// What it ended with, if that is no value.
  virtual std::exception_ptr error() const noexcept = 0;
  /// Called in a race when the waits before the next Coro have all been looked at, and none had ended: waits from now
  /// on.
  virtual void wait() noexcept {}
  /// Called when its frames have been destroyed with those of its combinator's chain: destroys what is left of it.
  virtual void destroyed() noexcept {}

  Sibling sibling;          // in the list of its combinator while it is alive
  bool next_looks = false;  // in a race: the branch after this one is looked at before this one waits
  Branches* combinator = nullptr;
  bool observed_cancelled = false;  // it only observes a task, which was cancelled
  std::uint8_t thrown = 0;          // which of the requests that the combinator was made were thrown in here
  std::uint8_t was_thrown = 0;      // the same, also if another one has come since
  Chain* root_ = nullptr;           // the chain of the task, from the start on

 protected:
  ~BranchBase() = default;
};

/// The wait of a combinator for its branches. `co_await branches` starts those that were added, in order and at once,
/// and ends, at once too, when the last of them has ended.
///
/// A request that comes from outside goes on to every branch that is alive. No request is lost: one that was thrown in
/// a branch is used up if `Cancelled` comes out of the combinator, or if a value comes out and the branch counts for
/// that. Otherwise it is pending again as soon as the last branch has ended. An error uses up nothing, whoever's error
/// it is. After a request was thrown in one branch no other begins.
///
/// A branch is thrown all that was asked of it so far at once, by whoever is around it. So a throw is noted at each
/// level that was asked from outside, up to the first where it is known: `BranchBase::thrown`.
class Branches : public Suspension {
 public:
  Branches() noexcept : Suspension(Kind::branches, Place::nowhere, nullptr) {}
  Branches(Branches&&) = delete;

  void add(BranchBase& branch) noexcept {
    branch.combinator = this;
    live.push_back(branch.sibling);
  }

  bool await_ready() const noexcept { return is_over(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiting) {
    start(*awaiting.promise().chain);
  }
  /// Does not throw: what the branches ended with is for the combinator to look at.
  void await_resume() noexcept { goes_on_ = true; }

  /// Of the combinator.
  virtual const char* name() const noexcept = 0;
  /// Why it asks its branches to end on its own.
  virtual std::string reason() const { return {}; }
  /// A branch, no longer among `live`, has ended.
  virtual void branch_ended(BranchBase& branch) noexcept = 0;
  /// The wait of a branch that `decides_on_wake` has ended.
  virtual void decided(BranchBase&) noexcept {}
  /// A request has come from outside, and goes on to the branches.
  virtual void asked_to_end() noexcept {}
  /// The chain is being destroyed, and this wait with it: before its branches are.
  virtual void destroying() noexcept {}

  /// The tasks that end with this wait.
  virtual Chain* first_member() noexcept { return nullptr; }
  /// What is to be destroyed next, before the frame that waits here; null if nothing is left.
  virtual Chain* next_to_destroy() noexcept { return live.empty() ? nullptr : &branch(live.back()); }
  /// There is nothing left to wait for, and the combinator will go on.
  virtual void over() noexcept {}
  /// What comes out of the combinator, whose branches have ended: a value, an error, or `Cancelled`.
  virtual TaskStatus end_status() const noexcept = 0;
  /// Whether there is nothing left to wait for.
  virtual bool is_over() const noexcept { return live.empty(); }

  /// The combinator is decided: starts nothing more, and asks all that are alive to end, but for one. Those that a
  /// request from outside has reached are not asked twice: they are left to their clean-up.
  void decide(const BranchBase* except = nullptr) noexcept;
  bool is_decided() const noexcept { return decided_; }

  /// Whether the task, or a combinator outside, has asked this one to end.
  bool was_asked() const noexcept { return asked_ != 0; }
  bool was_asked_by_task() const noexcept { return asked_ & Chain::asked_by_task; }
  /// Whether such a request is not used up by the branches that have ended.
  bool has_unused() const noexcept { return (asked_ & ~used_) != 0; }
  /// Whether such a request is known to be pending again, although a branch is alive.
  virtual bool has_pending() const noexcept { return false; }

  /// A branch says that it has come to its end.
  void finished(BranchBase& branch) noexcept;
  /// Goes on with the combinator if there is nothing left to wait for.
  void check_over() noexcept;

  static BranchBase& branch(Link& sibling) noexcept { return *static_cast<BranchBase::Sibling&>(sibling).branch; }
  /// Called before the first step of a branch: whether it may still begin. It may not if the combinator is decided, or
  /// if a request is pending and a branch before this one has suspended or would have.
  bool may_begin(const BranchBase& branch) noexcept {
    return !decided_ && (!asked_ || (!has_thrown_ && &Branches::branch(live.front()) == &branch));
  }
  /// A branch that may not begin ends without that. It decides nothing: if a request is pending, the branch before it
  /// that has suspended does. Gives the reason; the request counts as thrown in it.
  std::string not_begun(BranchBase& unbegun) noexcept;
  /// Lets those that have only been looked at wait.
  void wait_all() noexcept {
    for (Link* link = live.begin(); link != live.end() && !decided_;) {
      Link* const next = link->next;
      branch(*link).wait();
      link = next;
    }
  }

  List live;

 protected:
  ~Branches() = default;
  /// Whether the combinator goes on with what the branches ended with. If it is destroyed before, the failures that it
  /// keeps come out nowhere.
  bool goes_on() const noexcept { return goes_on_; }
  /// This branch has ended, and counts: the requests that were thrown in it are used up if a value comes out.
  void use_thrown(const BranchBase& ended) noexcept { used_ |= static_cast<std::uint8_t>(asked_ & ended.thrown); }
  /// The same of a task that is a part of this: all requests so far.
  void use_all() noexcept {
    used_ = noted_ = asked_;
    chain_->note_thrown();
  }

 public:  // for Chain, which is no friend: GCC's -Wnon-virtual-dtor takes a protected destructor for one that friends
          // call
  void asked(std::uint8_t origins) noexcept {
    const auto others = static_cast<std::uint8_t>(~origins);
    asked_ |= origins;
    noted_ &= others;
    used_ &= others;  // one that comes later is to be thrown too
    for (Link* link = live.begin(); link != live.end(); link = link->next) branch(*link).thrown &= others;
  }
  void note_thrown(BranchBase& in) noexcept {
    in.thrown |= asked_;
    in.was_thrown |= asked_;
    noted_ |= asked_;
    has_thrown_ |= asked_;
  }
  bool is_noted(const BranchBase& in) const noexcept { return (asked_ & ~in.thrown) == 0; }
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

  bool goes_on_ = false;
  bool decided_ = false;
  std::uint8_t asked_ = 0;       // flags of a Chain: the requests from outside that were not taken back
  std::uint8_t used_ = 0;        // those of them that were thrown in a branch that has ended and counts
  std::uint8_t noted_ = 0;       // those of them that were thrown in any branch
  std::uint8_t has_thrown_ = 0;  // the same, also if another one has come since
};

// Implementation, and that of what a chain does with its branches

inline void Chain::woken() noexcept {
  state = State::ready;
  loop->make_ready(*this);
  if (flags & decides_on_wake) [[unlikely]]
    static_cast<BranchBase*>(this)->combinator->decided(static_cast<BranchBase&>(*this));
}

ERRAND_COLD inline std::string Chain::take_request(bool of_task) noexcept {
  flags &= static_cast<std::uint8_t>(~asked);
  note_thrown();
  return reason_of_request(of_task);
}

ERRAND_COLD inline void Chain::note_thrown() noexcept {
  for (Chain* chain = this; chain->flags & is_branch;) {
    BranchBase& branch = static_cast<BranchBase&>(*chain);
    if (branch.combinator->is_noted(branch)) break;
    branch.combinator->note_thrown(branch);
    chain = &branch.above();
  }
}

inline std::string Branches::not_begun(BranchBase& unbegun) noexcept {
  const bool is_by_task = unbegun.flags & Chain::asked_by_task;
  if (decided_) return unbegun.reason_of_request(is_by_task);
  decided(branch(live.front()));
  return unbegun.take_request(is_by_task);
}

ERRAND_COLD inline std::string Chain::reason_of_request(bool of_task) noexcept {
  try {
    if (of_task) return root().request_reason();
    return flags & is_branch ? static_cast<BranchBase*>(this)->combinator->reason() : std::string();
  } catch (...) {  // no memory: it goes without the reason
    return {};
  }
}

/// Visits this chain and, where `visit` says so, what its wait is for: the members, if they are to be visited too, then
/// the branches. In order, in constant stack.
template <bool with_members, class Visit>
ERRAND_COLD void Chain::visit(Visit visit) noexcept {
  Chain* chain = this;
  for (;;) {
    Chain* to_visit = nullptr;
    if (visit(*chain) && chain->state == State::branching) {
      Branches& branches = static_cast<Branches&>(*chain->waiting);
      if constexpr (with_members) to_visit = branches.first_member();
      if (!to_visit && !branches.live.empty()) to_visit = &Branches::branch(branches.live.front());
    }
    while (!to_visit) {
      if (chain == this) return;
      Branches* of = nullptr;
      Link* branch = nullptr;
      if (chain->flags & is_branch) {
        of = static_cast<BranchBase*>(chain)->combinator;
        branch = static_cast<BranchBase*>(chain)->sibling.next;
      } else {
        of = chain->group();
        to_visit = chain->next_member();
        branch = of->live.begin();
      }
      if (!to_visit && branch != of->live.end()) to_visit = &Branches::branch(*branch);
      chain = of->chain();
    }
    chain = to_visit;
  }
}

inline void Chain::request(Flag origin) noexcept {
  Chain& task = root();
  visit<true>([&task, origin](Chain& chain) {
    if (&chain.root() == &task) return chain.ask(origin);
    if (!(chain.flags & is_branch)) chain.requested_with_group();
    return chain.ask(asked_by_task);
  });
}

/// Returns true if the request goes to the branches instead.
inline bool Chain::ask(Flag origin) noexcept {
  if (state == State::branching && !(flags & defers_requests)) {
    Branches& branches = static_cast<Branches&>(*waiting);
    branches.asked(origin);
    branches.asked_to_end();
    return true;
  }
  flags |= origin;
  if (state == State::created) step = Step::first;
  if (state == State::waiting && !(flags & defers_requests) && waiting->leave()) {
    waiting->interrupt();
    state = State::ready;
    loop->make_ready(*this);
  }
  return false;
}

inline void Chain::withdraw() noexcept {
  visit<false>([](Chain& chain) {
    if (chain.state == State::branching) static_cast<Branches&>(*chain.waiting).withdraw();
    chain.flags &= static_cast<std::uint8_t>(~asked_by_task);
    return true;
  });
}

ERRAND_COLD inline bool Chain::is_asked_by_task() noexcept {
  bool found = false;
  visit<false>([&found](Chain& chain) {
    found |= (chain.flags & asked_by_task) != 0;
    if (chain.state == State::branching) {
      const Branches& branches = static_cast<Branches&>(*chain.waiting);
      found |= branches.was_asked_by_task() && branches.has_pending();
    }
    return !found;
  });
  return found;
}

inline Chain& BranchBase::above() const noexcept { return *combinator->chain(); }

inline void Branches::start(Chain& chain) {
  chain_ = &chain;
  chain.check_earlier_awaits();
  const std::uint8_t pending = chain.is_asked() ? chain.flags & Chain::asked : 0;
  chain.flags &= static_cast<std::uint8_t>(~pending);
  asked(pending);
  Queue first;
  for (Link* link = live.begin(); link != live.end(); link = link->next) {
    BranchBase& started = branch(*link);
    started.loop = chain.loop;
    started.root_ = &chain.root();
    started.flags |= pending;
    if (started.flags & (Chain::asked | Chain::has_work)) started.step = Step::first;
    if (started.leaf) started.leaf.promise().chain = &started;
    first.push_back(started);
  }
  chain.waiting = this;
  chain.state = Chain::State::branching;
  chain.loop->run_next(first);
}

inline void Branches::decide(const BranchBase* except) noexcept {
  decided_ = true;
  for (Link* link = live.begin(); link != live.end(); link = link->next) {
    BranchBase& each = branch(*link);
    if (&each != except && (!asked_ || each.state == Chain::State::created)) each.request(Chain::asked_by_combinator);
  }
}

inline void Branches::finished(BranchBase& branch) noexcept {
  branch.sibling.unlink();
  branch.loop->current = nullptr;  // what reports it may destroy it
  branch_ended(branch);
  check_over();
}

inline void Branches::check_over() noexcept {
  if (!is_over() || chain_->state != Chain::State::branching || chain_->waiting != this) return;
  over();
  const TaskStatus status = end_status();
  const std::uint8_t used = status == TaskStatus::succeeded ? used_ : status == TaskStatus::cancelled ? noted_ : 0;
  // What is not used up is pending at once: it may be taken back, or cut, before the combinator goes on.
  const auto pending = static_cast<std::uint8_t>(asked_ & ~used);
  chain_->flags |= pending;
  if (chain_->flags & Chain::is_branch) {
    // One that was thrown in no branch may be another than that which was thrown further out.
    const auto back = static_cast<std::uint8_t>(status == TaskStatus::failed ? pending : pending & noted_);
    static_cast<BranchBase&>(*chain_).thrown &= static_cast<std::uint8_t>(~back);
  }
  chain_->state = Chain::State::ready;
  chain_->loop->run_next(*chain_);
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
