// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>

#include <errand/detail/suspension.hpp>

namespace errand::detail {

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

  /// What it ended with, where that is no value.
  virtual std::exception_ptr error() const noexcept = 0;

  void note_thrown(std::uint64_t when) noexcept { thrown_at = std::max(thrown_at, when); }

  Sibling sibling;  // in the list of its owner while it is alive
  Branches* owner = nullptr;
  std::uint64_t thrown_at = 0;      // when a request was last thrown in it
  bool observed_cancelled = false;  // it only observes a task, which was cancelled

 private:
  friend class Branches;
  Chain* root_ = nullptr;
};

/// The wait of a combinator for its branches. `co_await branches` starts those that were added, in order and at once,
/// and ends, at once too, when the last of them has ended.
///
/// A request that comes from outside goes on to every branch that is alive. It has reached its task as soon as it was
/// thrown in a branch that counts. In a race that is only the one whose result or error comes out. Where none was
/// thrown it, it is pending again when the last has ended.
///
/// Whether a throw was for a request is told by when each was: a branch is thrown all that has been asked of it so far,
/// by whoever is around it, at once. A time is the number of requests that the loop has seen; 0 is before the first.
class Branches : public PlainWait {
 public:
  /// Where not every branch counts, `count` says in the end which do.
  explicit Branches(bool all_count = true) noexcept : PlainWait(Kind::branches), all_count_(all_count) {}
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
  /// Does not throw: what the branches ended with is for the combinator to look at.
  void await_resume() noexcept { goes_on_ = true; }
  /// Throws that request now, if there is one.
  void throw_pending_request() {
    if (chain_ && !chain_->may_suspend()) chain_->check_resumed();
  }

  /// Of the combinator.
  virtual const char* name() const noexcept = 0;
  /// A branch, no longer among `live`, has ended.
  virtual void branch_ended(BranchBase&) noexcept {}
  /// The wait of a branch that `decides_on_wake` has ended.
  virtual void decided(BranchBase&) noexcept {}
  /// A request has come from outside, and goes on to the branches.
  virtual void asked_to_end() noexcept {}
  /// The chain is being destroyed, and this wait with it: before its branches are.
  virtual void destroying() noexcept {}

  /// The tasks that end with this wait.
  virtual Chain* first_member() noexcept { return nullptr; }
  /// What is to be destroyed next, before the frame that waits here; null where nothing is left.
  virtual Chain* next_to_destroy() noexcept { return live.empty() ? nullptr : &branch(live.back()); }
  /// There is nothing left to wait for, and the combinator will go on.
  virtual void over() noexcept {}
  /// Whether there is nothing left to wait for.
  virtual bool is_over() const noexcept { return live.empty(); }

  /// Asks all that are alive to end, but for one. Not twice: those that a request from outside has reached are left to
  /// their clean-up.
  void request_all(const BranchBase* except = nullptr) noexcept {
    if (was_asked()) return;
    for (Link* link = live.begin(); link != live.end(); link = link->next) {
      if (&branch(*link) != except) branch(*link).request(Chain::asked_by_owner);
    }
  }

  /// Whether the task, or a combinator outside, has asked this one to end.
  bool was_asked() const noexcept { return (by_task_.last | by_owner_.last) != 0; }
  bool was_asked_by_task() const noexcept { return by_task_.last != 0; }
  /// Whether such a request was thrown in a branch that counts.
  bool has_thrown() const noexcept { return is_thrown(thrown_at_); }
  /// Whether the last one has not been.
  bool has_unthrown() const noexcept { return unthrown() != 0; }

  /// A branch says that it has come to its end.
  void ended(BranchBase& branch) noexcept;
  /// Goes on with the combinator, where there is nothing left to wait for.
  void check_over() noexcept;

  static BranchBase& branch(Link& sibling) noexcept { return *static_cast<BranchBase::Sibling&>(sibling).branch; }

  List live;

 protected:
  ~Branches() = default;
  /// Whether the combinator goes on with what the branches ended with. Where it is destroyed before, the failures that
  /// it keeps come out nowhere.
  bool goes_on() const noexcept { return goes_on_; }
  /// In those of the branches that count.
  void set_thrown(std::uint64_t when) noexcept { thrown_at_ = when; }

 private:
  friend class Chain;

  void note_thrown(std::uint64_t when) noexcept { thrown_at_ = std::max(thrown_at_, when); }

  /// When the requests from outside came that were not taken back.
  struct Requests {
    void add(std::uint64_t when) noexcept {
      if (!last) first = when;
      last = when;
    }
    std::uint64_t first = UINT64_MAX;  // where there is none, later than all
    std::uint64_t last = 0;            // and before all
  };

  /// Whether what was thrown then was a request from outside, too.
  bool is_thrown(std::uint64_t when) const noexcept { return when >= by_task_.first || when >= by_owner_.first; }
  /// The requests that no branch that counts was thrown since they were last made.
  std::uint8_t unthrown() const noexcept {
    return static_cast<std::uint8_t>((thrown_at_ < by_task_.last ? Chain::asked_by_task : 0) |
                                     (thrown_at_ < by_owner_.last ? Chain::asked_by_owner : 0));
  }
  void asked(std::uint8_t origins) noexcept {
    const std::uint64_t now = ++chain_->loop->requests;
    if (origins & Chain::asked_by_task) by_task_.add(now);
    if (origins & Chain::asked_by_owner) by_owner_.add(now);
  }
  void start(PromiseBase& promise) noexcept;
  /// Counts, where not every branch does. False where that depends on what those that are alive still do.
  virtual bool count() noexcept { return live.empty(); }
  void hand_back() noexcept;
  /// Of a race that is not decided all branches count.
  ERRAND_COLD void branch_destroyed(BranchBase& branch) noexcept {
    branch.sibling.unlink();
    if (!all_count_) note_thrown(branch.thrown_at);
  }

  const bool all_count_;
  bool goes_on_ = false;
  Requests by_task_;
  Requests by_owner_;
  std::uint64_t thrown_at_ = 0;  // when one was last thrown in a branch that counts
};

// Implementation, and that of what a chain does with its branches

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

ERRAND_NOINLINE inline bool Chain::yield_specially() noexcept {
  if (!may_suspend_if_asked()) return false;
  state = State::yielding;
  loop->make_ready(*this);
  return true;
}

ERRAND_NOINLINE inline void Chain::throw_interruption() {
  if (flags & broken) {
    flags &= static_cast<std::uint8_t>(~broken);
    const char* what = waiting ? name_of(waiting->kind) : "generator";
    raise<InvalidState>({"the ", what, " that was waited for has been destroyed"});
  }
  throw Cancelled(take_request());
}

/// The request has reached its task, or a branch of it; gives its reason.
ERRAND_COLD inline std::string Chain::take_request() noexcept {
  const std::uint8_t taken = flags & asked;
  flags &= static_cast<std::uint8_t>(~(asked | interrupted));
  note_thrown(loop->requests);
  if (!(taken & asked_by_task)) return {};
  try {
    return root().request_reason();
  } catch (...) {  // no memory: it goes without the reason
    return {};
  }
}

/// A request was thrown in this chain then, and so in what is around it, as far as one has come from outside of that.
ERRAND_COLD inline void Chain::note_thrown(std::uint64_t when) noexcept {
  for (Chain* chain = this; chain->flags & is_branch;) {
    BranchBase& branch = static_cast<BranchBase&>(*chain);
    Branches& owner = *branch.owner;
    branch.note_thrown(when);
    if (!owner.all_count_ || !owner.is_thrown(when)) return;
    owner.note_thrown(when);
    chain = owner.chain();
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
        of = static_cast<BranchBase*>(chain)->owner;
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
    if (!(chain.flags & is_branch)) chain.requested_by_group();
    return chain.ask(asked_by_task);
  });
}

/// True where the request goes to the branches instead.
inline bool Chain::ask(Flag origin) noexcept {
  if (state == State::ended) {
    flags |= origin;
    return false;
  }
  if (state == State::branching && !(flags & held)) {
    Branches& branches = static_cast<Branches&>(*waiting);
    branches.asked(origin);
    branches.asked_to_end();
    return true;
  }
  flags |= origin;
  if (flags & held) return false;
  if (state == State::created) step = Step::first;
  if (state == State::yielding) {
    flags |= interrupted;
  } else if (state == State::waiting && waiting->leave()) {
    flags |= interrupted;
    state = State::ready;
    loop->make_ready(*this);
  }
  return false;
}

inline void Chain::withdraw() noexcept {
  constexpr auto others = static_cast<std::uint8_t>(~asked_by_task);
  visit<false>([](Chain& chain) {
    if (chain.state == State::branching) static_cast<Branches&>(*chain.waiting).by_task_ = {};
    // A wait that was left cannot be taken up again, but may have been left for another request.
    if (!(chain.flags & interrupted) || chain.state == State::yielding || (chain.flags & asked_by_owner)) {
      chain.flags &= others;
      if (!(chain.flags & asked)) chain.flags &= static_cast<std::uint8_t>(~interrupted);
    }
    return true;
  });
}

ERRAND_COLD inline bool Chain::is_asked_by_task() noexcept {
  bool found = false;
  visit<false>([&found](Chain& chain) {
    std::uint8_t pending = chain.flags;
    if (chain.state == State::branching) {
      Branches& branches = static_cast<Branches&>(*chain.waiting);
      if (branches.count()) pending |= branches.unthrown();
    }
    found |= (pending & asked_by_task) != 0;
    return !found;
  });
  return found;
}

inline Chain& BranchBase::above() const noexcept { return *owner->chain(); }

inline void Branches::start(PromiseBase& promise) noexcept {
  chain_ = promise.chain;
  Chain& chain = *chain_;
  const std::uint8_t pending = chain.flags & Chain::held ? 0 : chain.flags & Chain::asked;
  if (pending) {
    asked(pending);
    chain.flags &= static_cast<std::uint8_t>(~pending);
  }
  Queue first;
  for (Link* link = live.begin(); link != live.end(); link = link->next) {
    BranchBase& started = branch(*link);
    started.loop = chain.loop;
    started.root_ = &chain.root();
    started.leaf.promise().chain = &started;
    // What is asked already still runs to its first suspension, as a Coro would that is awaited without a combinator.
    started.state = pending ? Chain::State::ready : Chain::State::created;
    started.flags |= pending;
    first.push_back(started);
  }
  chain.waiting = this;
  chain.state = Chain::State::branching;
  chain.loop->run_next(first);
}

inline void Branches::ended(BranchBase& branch) noexcept {
  branch.sibling.unlink();
  branch.loop->current = nullptr;  // what reports it may destroy it
  branch_ended(branch);
  check_over();
}

/// What no branch that counts was thrown is pending again.
ERRAND_COLD inline void Branches::hand_back() noexcept {
  count();
  chain_->flags |= unthrown();
  if (!all_count_ && has_thrown()) chain_->note_thrown(thrown_at_);
}

inline void Branches::check_over() noexcept {
  if (!is_over() || chain_->state != Chain::State::branching || chain_->waiting != this) return;
  over();
  hand_back();  // at once: it may be taken back, or cut, before the combinator goes on
  chain_->state = Chain::State::ready;
  chain_->loop->run_next(*chain_);
}

}  // namespace errand::detail
