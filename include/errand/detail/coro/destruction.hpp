// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <utility>

#include <errand/detail/coro/requests.hpp>

namespace errand::detail {

/// Stands on the stack while the frames of a chain are being destroyed. Destructors of the user's run meanwhile, and
/// they may ask to destroy a task or a generator around them. That would free objects whose functions are still on the
/// stack. So this outer destruction is put off until everything that runs inside it is over. The destruction of frames
/// that a thread call uses is put off too, until the call has come back.
class Destruction {
 public:
  explicit Destruction(Chain& chain) noexcept : Destruction(chain, true) {}
  ~Destruction() {
    loop_.destruction = outer_;
    if (is_real_) {
      loop_.put_off.settle();
    } else {
      loop_.put_off.settle_later();
    }
  }
  Destruction(const Destruction&) = delete;
  Destruction& operator=(const Destruction&) = delete;

  /// Returns true if a destruction is under way inside this chain.
  static bool is_inside(const Chain& chain) noexcept { return chain.loop->destruction && is_any_inside(chain); }
  /// Returns true if the destruction of this chain has to wait for the end of another one: because that one is inside
  /// this chain, or because 32 destructions are under way, one inside the other, and each takes some of the stack.
  static bool must_be_put_off(const Chain& chain) noexcept {
    constexpr unsigned deepest = 32;
    const Destruction* const innermost = chain.loop->destruction;
    return innermost && (innermost->depth_ >= deepest || is_any_inside(chain));
  }

  /// Calls `visit(chain)` with the chain of each task inside which something runs now: a step, or a destruction of
  /// frames. It may visit a task twice.
  template <class Visit>
  static void visit_tasks_around_caller(const Loop& loop, Visit visit) {
    if (loop.current) visit_tasks_around(*loop.current, visit);
    for (const Destruction* each = loop.destruction; each; each = each->outer_) visit_tasks_around(*each->at, visit);
  }
  /// Calls `visit(chain)` with the chain of each task around `inner`: its own task; if this is a member of a group, the
  /// task that waits for the group; and so on outwards.
  template <class Visit>
  static void visit_tasks_around(Chain& inner, Visit visit) {
    for (Chain* chain = &inner; chain;) {
      if (chain->flags & Chain::is_branch) {
        chain = &static_cast<BranchBase*>(chain)->above();
      } else {
        visit(*chain);
        const Branches* const of = chain->group();
        chain = of ? of->chain() : nullptr;
      }
    }
  }

  Chain* at;  // the chain whose frames are being destroyed at the moment

 protected:
  Destruction(Chain& chain, bool is_one) noexcept
      : at(&chain),
        loop_(*chain.loop),
        outer_(std::exchange(loop_.destruction, this)),
        depth_(outer_ ? outer_->depth_ + 1 : 1),
        is_real_(is_one) {}

 private:
  ERRAND_NOINLINE static bool is_any_inside(const Chain& chain) noexcept {
    for (const Destruction* each = chain.loop->destruction; each; each = each->outer_) {
      if (chain.is_around(each->at)) return true;
    }
    return false;
  }

  Loop& loop_;
  Destruction* const outer_;
  const unsigned depth_;  // 1 for the outermost
  const bool is_real_;    // false for a `Pin`
};

/// Stands on the stack while code of the user's runs in the middle of a walk through this chain. Meanwhile it keeps the
/// frames of the chain from being destroyed, as a destruction inside the chain would do. If that code asks to destroy
/// them, they are destroyed right after the current step.
class Pin : private Destruction {
 public:
  explicit Pin(Chain& chain) noexcept : Destruction(chain, false) {}
};

// Implementation, also of the members of Chain, GeneratorBase and PutOff that destroy frames

#if ERRAND_DEFINES

ERRAND_ONCE bool Chain::is_around(const Chain* inner) const noexcept {
  if (state != State::branching) return inner == this;  // nothing else is inside
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

ERRAND_COLD ERRAND_ONCE void Chain::destroy_above(PromiseBase* last) noexcept {
  Chain* chain = this;
  for (;;) {
    loop->destruction->at = chain;
    if (chain->state == State::branching) {
      Branches& branches = static_cast<Branches&>(*chain->waiting);
      branches.about_to_destroy();
      if (Chain* const inner = branches.next_to_destroy()) {
        chain = inner;
        continue;
      }
      chain->flags |= branches.asked_;  // pending again, if this chain goes on: see `cut`
    }
    chain->destroy_frames(chain == this ? last : nullptr);
    if (chain == this) return;
    Chain* const destroyed = chain;
    if (chain->flags & is_branch) {
      chain = &static_cast<BranchBase*>(chain)->above();
      BranchBase& branch = static_cast<BranchBase&>(*destroyed);
      branch.sibling.unlink();
      branch.destroyed();
    } else {
      chain = chain->group()->chain();
      destroyed->destroyed_with_group();
    }
  }
}

ERRAND_ONCE void Chain::destroy_frames(PromiseBase* last) noexcept {
  state = State::ended;
  while (leaf && &leaf.promise() != last) {
    PromiseBase& inner = leaf.promise();
    leaf = inner.parent;
    if (inner.is_generator) static_cast<GeneratorBase&>(inner).forget_object();
    inner.handle().destroy();
  }
  if (linked()) loop->take_out(*this);  // because it was ready, or a destructor has woken it
}

ERRAND_ONCE bool Chain::must_stay() noexcept {
  return Destruction::must_be_put_off(*this) || (loop->thread_calls > 0 && halt());
}

ERRAND_COLD ERRAND_ONCE bool Chain::halt() noexcept {
  bool any_in_use = false;
  visit<true>([this, &any_in_use](Chain& chain) {
    if (&chain != this && !(chain.flags & is_branch)) chain.halted_with_group();
    if (chain.state == State::branching) {
      static_cast<Branches&>(*chain.waiting).about_to_destroy();
      return true;
    }
    bool in_use = false;
    if (chain.state == State::halted || (chain.state == State::waiting && !chain.waiting->leave())) {
      in_use = static_cast<OutsideWait&>(*chain.waiting).is_in_use();
    }
    if (chain.linked()) chain.loop->take_out(chain);
    chain.state = in_use ? State::halted : State::ended;
    any_in_use |= in_use;
    return false;
  });
  return any_in_use;
}

ERRAND_COLD ERRAND_ONCE void Chain::block() noexcept {
  visit<true>([](Chain& chain) {
    if (chain.state == State::halted) static_cast<OutsideWait&>(*chain.waiting).block();
    return true;
  });
}

ERRAND_ONCE void Chain::cut(PromiseBase& frame, std::exception_ptr& thrown) noexcept {
  const Destruction destruction(*this);  // its end destroys this chain if a destructor has aborted the task
  destroy_above(&frame);
  clear_failure();
  fail(thrown);
  state = State::ready;
  loop->make_ready(*this);
  tell_probe();
}

ERRAND_ONCE void GeneratorBase::drop() noexcept {
  object = nullptr;
  if (!next_await) {
    PromiseBase::drop();
    return;
  }
  chain->loop->check_thread_in_destructor(
      "a generator is destroyed on another thread than that of the task that waits for its next value");
  if (chain->is_around(chain->loop->current) || chain->must_stay()) {
    chain->loop->put_off.add(*this);
  } else {
    next_await->error = std::make_exception_ptr(InvalidState("the generator that was waited for has been destroyed"));
    chain->cut(parent.promise(), next_await->error);
  }
}

ERRAND_COLD ERRAND_ONCE void PutOff::add(GeneratorBase& generator) noexcept {
  any_ = true;
  generators_.push_back(generator);
  settle_behind_step();
}

ERRAND_COLD ERRAND_ONCE void PutOff::finish() noexcept {
  tasks_.splice_back(in_use_);
  for (Link* link = tasks_.begin(); link != tasks_.end(); link = link->next) block(*link);
  for (Link* link = generators_.begin(); link != generators_.end(); link = link->next) {
    static_cast<GeneratorBase&>(*link).chain->block();
  }
  settle_all();
}

ERRAND_COLD ERRAND_ONCE void PutOff::settle_returned() noexcept {
  tasks_.splice_back(in_use_);
  settle_all();
}

ERRAND_COLD ERRAND_ONCE void PutOff::settle_later() noexcept {
  if (any_ && !loop_.destruction && !Call::linked()) loop_.run_first(*this);
}

/// Begins again after each destruction, because that may allow others, or put off more.
ERRAND_COLD ERRAND_ONCE void PutOff::settle_all() noexcept {
  if (std::exchange(is_settling_, true)) return;
  while (settle_one()) continue;
  is_settling_ = false;
  any_ = !generators_.empty() || !tasks_.empty();
  if (!generators_.empty()) settle_behind_step();
}

ERRAND_COLD ERRAND_ONCE bool PutOff::settle_one() noexcept {
  for (Link* link = tasks_.begin(); link != tasks_.end(); link = link->next) {
    if (abort_task(*link)) return true;
  }
  for (Link* link = generators_.begin(); link != generators_.end(); link = link->next) {
    GeneratorBase& generator = static_cast<GeneratorBase&>(*link);
    Chain& chain = *generator.chain;
    if (generator.next_await && (chain.is_around(loop_.current) || chain.must_stay())) continue;
    generator.unlink();
    generator.drop();
    return true;
  }
  return false;
}

/// Called if a generator is left, because the current step is inside it: tries again right after the step. If a
/// destruction is under way, its end calls `settle`.
ERRAND_COLD ERRAND_ONCE void PutOff::settle_behind_step() noexcept {
  if (loop_.current && !loop_.destruction && !Call::linked()) loop_.run_next(*this);
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
