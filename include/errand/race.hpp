// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <errand/gather.hpp>

namespace errand {

/// How a `race` was decided: which of the arguments was the first to end, and its result. For a `race` of different
/// types `V` is a `std::variant` in the order of the arguments, for one of a vector it is their type; a reference is a
/// `std::reference_wrapper`, `void` is `std::monostate`.
template <class V>
class Race {
 public:
  /// The place of the one that decided among the arguments, from 0.
  std::size_t index() const noexcept { return index_; }
  /// Its result.
  const V& value() const& noexcept { return value_; }
  /// The same, to be changed.
  V& value() & noexcept { return value_; }
  /// The same, to be moved from.
  V&& value() && noexcept { return std::move(value_); }

  /// For the library.
  template <class... Args>
  explicit Race(std::size_t index, Args&&... value) : index_(index), value_(std::forward<Args>(value)...) {}

 private:
  std::size_t index_;
  V value_;
};

/// Runs Coros beside each other, inside the calling task, until the first of them ends: gives its result, or throws its
/// error. The others are cancelled, and their clean-up awaited; what they fail with then is reported, a result that
/// they give all the same is destroyed. A `Task` among them is only observed.
///
/// A race of other awaitables of the library is decided when the first of them is woken: the others stop waiting at
/// that moment, so that nothing can be handed to them. An item, a permit or a lock is taken when the race resumes its
/// caller, not before. Cancelling the caller cancels all the Coros and awaits them. Throws `InvalidState` for an empty
/// vector.
///
///     auto first = co_await errand::race(ask(primary), ask(secondary));
template <class... As>
  requires(sizeof...(As) > 0 && (detail::Branchable<As> && ...))
Coro<Race<std::variant<typename Outcome<detail::BranchResult<As>>::value_type...>>> race(As&&... awaitables);
/// The same of a vector.
template <class A>
  requires detail::Branchable<A>
Coro<Race<typename Outcome<detail::BranchResult<A>>::value_type>> race(std::vector<A> awaitables);

// Implementation

namespace detail {

/// Waits for all branches. The first to end, or to be woken, asks the others to end.
class First final : public Branches {
 public:
  First() noexcept = default;
  /// Reports the failures that were kept if the race was destroyed.
  ~First() {
    if (goes_on()) return;
    if (winner_ && winner_->status == TaskStatus::failed) report_branch(*winner_);
    if (failed_) report_branch(*failed_);
  }

  /// The branch that decided, which has a value or, if it is a wait, may have one. Throws an error that comes out
  /// instead: that of the branch that decided, or of another one if that was cancelled.
  BranchBase& winner() {
    if (failed_ && winner_->status == TaskStatus::cancelled) std::rethrow_exception(failed_->error());
    if (failed_) report_branch(*failed_);
    if (const std::exception_ptr error = winner_->error()) std::rethrow_exception(error);
    return *winner_;
  }

 private:
  const char* name() const noexcept override { return "race"; }
  /// Only the request that the winner was thrown is used up: a loser's result does not come out.
  void branch_ended(BranchBase& branch) noexcept override {
    decided(branch);
    if (&branch == winner_) {
      use_thrown(branch);
    } else if (branch.status == TaskStatus::failed) {
      if (failed_) {
        report_branch_later(branch);
      } else {
        failed_ = &branch;
      }
    }
  }
  void decided(BranchBase& branch) noexcept override {
    if (winner_) return;
    winner_ = &branch;
    decide(&branch);
  }
  bool has_pending() const noexcept override {
    return winner_ && winner_->state == Chain::State::ended && has_unused();
  }
  TaskStatus end_status() const noexcept override {
    if (winner_->status == TaskStatus::pending) return TaskStatus::succeeded;  // it takes its value when it goes on
    return failed_ && winner_->status == TaskStatus::cancelled ? TaskStatus::failed : winner_->status;
  }

  BranchBase* winner_ = nullptr;
  BranchBase* failed_ = nullptr;
};

template <class R, std::size_t i, class... Bs>
R take_winner(std::tuple<Bs...>& branches, const BranchBase& winner) {
  auto& branch = std::get<i>(branches);
  if (&branch == &winner) return R(i, std::in_place_index<i>, detail::take_element(branch));
  if constexpr (i + 1 < sizeof...(Bs)) {
    return detail::take_winner<R, i + 1>(branches, winner);
  } else {
    std::terminate();
  }
}

template <class... Ws>
Coro<Race<std::variant<Element<ResultOf<Ws>>...>>> run_race(Ws... works) {
  using R = Race<std::variant<Element<ResultOf<Ws>>...>>;
  std::tuple<BranchOf<Ws, true>...> branches(works...);
  First first;
  std::apply(
      [&first](auto&... each) {
        constexpr bool looks[] = {BranchFor<Ws, true>::looks..., false};
        std::size_t i = 0;
        ((each.next_looks = looks[++i], first.add(each)), ...);
      },
      branches);
  co_await first;
  co_return detail::take_winner<R, 0>(branches, first.winner());
}

template <class A>
Coro<Race<Element<BranchResult<A>>>> run_race(std::vector<A> awaitables) {
  using W = WorkOf<A>;
  if (awaitables.empty()) throw InvalidState("a race of nothing would never end");
  BranchVector<W, true> branches(awaitables.size());
  First first;
  detail::fill(branches, awaitables, first);
  for (auto& branch : branches) branch->next_looks = BranchFor<W, true>::looks && &branch != &branches.back();
  co_await first;
  const BranchBase& winner = first.winner();
  std::size_t index = 0;
  while (&*branches[index] != &winner) ++index;
  co_return Race<Element<BranchResult<A>>>(index, detail::take_element(*branches[index]));
}

}  // namespace detail

template <class... As>
  requires(sizeof...(As) > 0 && (detail::Branchable<As> && ...))
Coro<Race<std::variant<typename Outcome<detail::BranchResult<As>>::value_type...>>> race(As&&... awaitables) {
  return detail::run_race(detail::as_work(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<Race<typename Outcome<detail::BranchResult<A>>::value_type>> race(std::vector<A> awaitables) {
  return detail::run_race(std::move(awaitables));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
