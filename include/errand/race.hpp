// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <errand/gather.hpp>

namespace errand {

/// The result of a `race`: which of the arguments was the first to end, and its result. `V` is a `std::variant` of the
/// results in the order of the arguments or, for a vector, the type of their result. A reference is a
/// `std::reference_wrapper`, and `void` is `std::monostate`.
template <class V>
class Race {
 public:
  /// Returns the index of the argument that ended first, counted from 0.
  std::size_t index() const noexcept { return index_; }
  /// Returns the result of the argument that ended first.
  const V& value() const& noexcept { return value_; }
  /// Returns the result, which may be changed.
  V& value() & noexcept { return value_; }
  /// Returns the result, to be moved from.
  V&& value() && noexcept { return std::move(value_); }

  /// For the library's own use: `race` makes it.
  template <class... Args>
  explicit Race(std::size_t index, Args&&... value) : index_(index), value_(std::forward<Args>(value)...) {}

 private:
  std::size_t index_;
  V value_;
};

/// Runs Coros concurrently, inside the calling task, until the first of them ends: returns its result, or throws its
/// error. Takes the same arguments as `gather`.
///
/// The others are cancelled, and their clean-up is awaited. Errors that they end with are reported; a result that one
/// of them returns all the same is destroyed. If an argument is a `Task`, it is only observed. If the caller is
/// cancelled, all the Coros are cancelled and awaited.
///
/// A race of awaitables that are neither a Coro nor a Task, such as `queue.get()`, is decided when the first of them is
/// woken. The others stop waiting at that moment, so that nothing can be handed to them. An item, a permit or a lock is
/// taken when the race resumes its caller, not before; so nothing is lost if the caller is cancelled or aborted before
/// that.
///
///     auto first = co_await errand::race(ask(primary), ask(secondary));
template <class... As>
  requires(sizeof...(As) > 0 && (detail::Branchable<As> && ...))
Coro<Race<std::variant<detail::Element<detail::BranchResult<As>>...>>> race(As&&... awaitables);
/// Runs the Coros of a vector until the first of them ends, like `race` of several arguments. Throws `InvalidState` if
/// the vector is empty.
template <class A>
  requires detail::Branchable<A>
Coro<Race<detail::Element<detail::BranchResult<A>>>> race(std::vector<A> awaitables);

// Implementation

namespace detail {

/// The wait of `race`. It ends when all branches have ended; the first branch that ends, or is woken, makes it ask the
/// others to end.
class RaceWait final : public Branches {
 public:
  RaceWait() noexcept : Branches(Kind::race) {}
  /// Reports the failures that were kept, if the race is destroyed before they could come out.
  ~RaceWait() {
    if (goes_on()) return;
    if (winner_ && winner_->status == TaskStatus::failed) report_branch(*winner_);
    if (failed_) report_branch(*failed_);
  }

  /// Called when all branches have ended. Returns the branch that decided the race: it has a value or, if it is a wait,
  /// gets its value or its error when the race takes it. Throws if an error comes out instead: the error of that
  /// branch, or of another branch if that branch was cancelled.
  BranchBase& winner() {
    if (failed_ && winner_->status == TaskStatus::cancelled) std::rethrow_exception(failed_->error());
    if (failed_) report_branch(*failed_);
    if (const std::exception_ptr error = winner_->error()) std::rethrow_exception(error);
    return *winner_;
  }

 private:
  /// A request from outside is used up only if it was thrown in the winner, because the result of a loser does not come
  /// out.
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
    if (winner_->status == TaskStatus::pending) return TaskStatus::succeeded;  // a wait: the race takes its value later
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
  RaceWait first;
  std::apply(
      [&first](auto&... each) {
        constexpr bool looks[] = {BranchFor<Ws, true>::looks..., false};
        std::size_t i = 0;
        ((each.next_is_wait = looks[++i], first.add(each)), ...);
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
  RaceWait first;
  detail::fill(branches, awaitables, first);
  for (auto& branch : branches) branch->next_is_wait = BranchFor<W, true>::looks && &branch != &branches.back();
  co_await first;
  const BranchBase& winner = first.winner();
  std::size_t index = 0;
  while (&*branches[index] != &winner) ++index;
  co_return Race<Element<BranchResult<A>>>(index, detail::take_element(*branches[index]));
}

}  // namespace detail

template <class... As>
  requires(sizeof...(As) > 0 && (detail::Branchable<As> && ...))
Coro<Race<std::variant<detail::Element<detail::BranchResult<As>>...>>> race(As&&... awaitables) {
  return detail::run_race(detail::take_argument(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<Race<detail::Element<detail::BranchResult<A>>>> race(std::vector<A> awaitables) {
  return detail::run_race(std::move(awaitables));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
