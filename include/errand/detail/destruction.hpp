// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <errand/detail/branches.hpp>

namespace errand::detail {

/// The destruction of a chain's frames, while it is under way. Destructors of the user's run meanwhile, and may ask for
/// that of what is around them. It would free what stands further up on the stack, and so is put off to the end of all
/// that is inside.
class Destruction {
 public:
  explicit Destruction(Chain& chain) noexcept
      : at(&chain),
        loop_(*chain.loop),
        outer_(std::exchange(loop_.destruction, this)),
        depth_(outer_ ? outer_->depth_ + 1 : 1) {}
  ~Destruction() {
    loop_.destruction = outer_;
    if (loop_.put_off.any()) [[unlikely]]
      loop_.put_off.settle();
  }
  Destruction(const Destruction&) = delete;
  Destruction& operator=(const Destruction&) = delete;

  /// Whether one is under way inside this chain.
  static bool is_inside(const Chain& chain) noexcept { return chain.loop->destruction && is_any_inside(chain); }

  /// Whether so many are under way, one inside the other, that the next has to wait for the end of the innermost: each
  /// takes some of the stack.
  static bool is_deep(const Loop& loop) noexcept {
    constexpr unsigned deepest = 32;
    return loop.destruction && loop.destruction->depth_ == deepest;
  }

  Chain* at;  // whose frames are just being destroyed

 private:
  ERRAND_NOINLINE static bool is_any_inside(const Chain& chain) noexcept {
    for (const Destruction* each = chain.loop->destruction; each; each = each->outer_) {
      if (chain.is_around(each->at)) return true;
    }
    return false;
  }

  Loop& loop_;
  Destruction* const outer_;
  const unsigned depth_;  // 1: the outermost
};

// Implementation, and that of what destroys frames

inline bool Chain::is_around(const Chain* inner) const noexcept {
  while (inner && inner != this) {
    if (inner->flags & is_branch) {
      inner = &static_cast<const BranchBase*>(inner)->above();
    } else {
      const Branches* const of = inner->group();
      inner = of ? of->chain() : nullptr;
    }
  }
  return inner;
}

ERRAND_COLD inline void Chain::destroy_above(PromiseBase* last) noexcept {
  Chain* chain = this;
  for (;;) {
    loop->destruction->at = chain;
    if (chain->state == State::branching) {
      Branches& branches = static_cast<Branches&>(*chain->waiting);
      branches.destroying();
      if (Chain* const inner = branches.next_to_destroy()) {
        chain = inner;
        continue;
      }
      branches.hand_back();  // where the chain goes on
    }
    chain->destroy_frames(chain == this ? last : nullptr);
    if (chain == this) return;
    Chain* const destroyed = chain;
    if (chain->flags & is_branch) {
      chain = &static_cast<BranchBase*>(chain)->above();
      BranchBase& branch = static_cast<BranchBase&>(*destroyed);
      branch.owner->branch_destroyed(branch);
    } else {
      chain = chain->group()->chain();
      destroyed->ended_by_group();
    }
  }
}

inline void Chain::destroy_frames(PromiseBase* last) noexcept {
  state = State::ended;
  while (leaf && &leaf.promise() != last) {
    PromiseBase& inner = leaf.promise();
    leaf = inner.parent;
    if (inner.is_generator) static_cast<GeneratorBase&>(inner).leave_owner();
    inner.handle().destroy();
  }
  if (linked()) loop->take_out(*this);  // it was ready, or a destructor has woken it
}

inline void Chain::cut(PromiseBase& frame) noexcept {
  Destruction destruction(*this);
  destroy_above(&frame);
  flags = static_cast<std::uint8_t>((flags | broken) & ~interrupted);  // a request is thrown out of a later await
  if (root().requests == 0)
    flags &= static_cast<std::uint8_t>(~asked_by_task);  // it had left a wait for one taken back
  waiting = nullptr;
  state = State::ready;
  loop->make_ready(*this);
}

inline void GeneratorBase::drop() noexcept {
  owner = nullptr;
  if (!is_asked) {
    PromiseBase::drop();
    return;
  }
  try {
    chain->loop->check_thread();
  } catch (const WrongThread&) {
    end_program("a generator is destroyed on another thread than that of the task that waits for its next value");
  }
  if (chain->is_around(chain->loop->current) || Destruction::is_inside(*chain) || Destruction::is_deep(*chain->loop)) {
    chain->loop->put_off.add(*this);
  } else {
    chain->cut(parent.promise());
  }
}

ERRAND_COLD inline void PutOff::add(GeneratorBase& generator) noexcept {
  any_ = true;
  generators_.push_back(generator);
  if (!loop_.destruction) settle_soon();
}

/// Each may make room for others, or put off more.
ERRAND_COLD inline void PutOff::settle() noexcept {
  if (std::exchange(is_settling_, true)) return;
  while (settle_one()) continue;
  is_settling_ = false;
  any_ = !generators_.empty() || !tasks_.empty();
  if (!generators_.empty() && !loop_.destruction) settle_soon();
}

ERRAND_COLD inline bool PutOff::settle_one() noexcept {
  for (Link* link = tasks_.begin(); link != tasks_.end(); link = link->next) {
    if (end_task(*link)) return true;
  }
  for (Link* link = generators_.begin(); link != generators_.end(); link = link->next) {
    GeneratorBase& generator = static_cast<GeneratorBase&>(*link);
    const Chain& chain = *generator.chain;
    if (generator.is_asked && (chain.is_around(loop_.current) || Destruction::is_inside(chain))) continue;
    generator.unlink();
    generator.drop();
    return true;
  }
  return false;
}

/// Behind the step that is under way.
ERRAND_COLD inline void PutOff::settle_soon() noexcept {
  if (!Call::linked()) loop_.run_next(*this);
}

}  // namespace errand::detail
