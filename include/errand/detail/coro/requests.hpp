// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstdint>
#include <string>

#include <errand/detail/coro/branches.hpp>

// The members of Chain for requests to end: how a request reaches the waits of a chain and of what is inside it, which
// are the branches that it waits for and the members of its group; and how the request is thrown or taken back.

namespace errand::detail {

/// Calls `visit` with this chain. If that returns true and the chain waits for branches, it visits the members of the
/// group, if `with_members`, and then the branches, each of them in the same way. In order, in constant stack.
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

#if ERRAND_DEFINES

ERRAND_COLD ERRAND_ONCE std::string Chain::take_request(bool of_task) noexcept {
  flags &= static_cast<std::uint8_t>(~asked);
  note_thrown();
  return reason_of_request(of_task);
}

ERRAND_COLD ERRAND_ONCE void Chain::note_thrown() noexcept {
  for (Chain* chain = this; chain->flags & is_branch;) {
    BranchBase& branch = static_cast<BranchBase&>(*chain);
    if (branch.combinator->is_noted(branch)) break;
    branch.combinator->note_thrown(branch);
    chain = &branch.above();
  }
}

ERRAND_COLD ERRAND_ONCE std::string Chain::reason_of_request(bool of_task) noexcept {
  try {
    if (of_task) return root().request_reason();
    return flags & is_branch ? static_cast<BranchBase*>(this)->combinator->reason() : std::string();
  } catch (...) {  // there is no memory for the reason
    return {};
  }
}

ERRAND_ONCE void Chain::request(Flag origin) noexcept {
  Chain& task = root();
  visit<true>([&task, origin](Chain& chain) {
    if (&chain.root() == &task) return chain.ask(origin);
    if (!(chain.flags & is_branch)) chain.requested_with_group();
    return chain.ask(asked_by_task);
  });
}

/// Returns true if the request goes to the branches instead.
ERRAND_ONCE bool Chain::ask(Flag origin) noexcept {
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
    tell_probe();
  }
  return false;
}

ERRAND_ONCE void Chain::withdraw() noexcept {
  visit<false>([](Chain& chain) {
    if (chain.state == State::branching) static_cast<Branches&>(*chain.waiting).withdraw();
    chain.flags &= static_cast<std::uint8_t>(~asked_by_task);
    return true;
  });
}

ERRAND_COLD ERRAND_ONCE bool Chain::is_asked_by_task() noexcept {
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

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
