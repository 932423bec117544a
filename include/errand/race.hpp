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

#include <errand/detail/branch.hpp>

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
/// that moment, so that nothing can be handed to them. Cancelling the caller cancels all the Coros and awaits them.
/// Throws `InvalidState` for an empty vector.
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
  First() noexcept : Branches(false) {}
  /// Reports the failures that were kept where the race was destroyed.
  ~First() {
    if (goes_on()) return;
    if (winner_ && winner_->status == TaskStatus::failed) report_branch(*winner_);
    if (failed_) report_branch(*failed_);
  }

  /// A branch whose wait decides, not its end.
  template <class A>
  static void mark(BranchBase& branch) noexcept {
    using Plain = std::remove_cvref_t<A>;
    if constexpr (!is_coro<Plain> && !is_task_handle<Plain>) {
      if (std::is_base_of_v<Suspension, std::remove_cvref_t<Awaiter<A>>>) branch.flags |= Chain::decides_on_wake;
    }
  }

  /// The branch that decided. Throws what it ended with, unless that is a value; an error of another one beats its
  /// cancellation.
  BranchBase& winner() {
    if (failed_ && winner_->status == TaskStatus::cancelled) std::rethrow_exception(failed_->error());
    if (failed_) report_branch(*failed_);
    if (winner_->status != TaskStatus::succeeded) std::rethrow_exception(winner_->error());
    return *winner_;
  }

 private:
  const char* name() const noexcept override { return "race"; }
  void branch_ended(BranchBase& branch) noexcept override {
    decided(branch);
    if (&branch == winner_ || branch.status != TaskStatus::failed) return;
    if (failed_) {
      report_branch_later(branch);
    } else {
      failed_ = &branch;
    }
  }
  /// A request that only losers were thrown is still to come, unless the error of one comes out.
  bool count() noexcept override {
    if (!winner_ || winner_->state != Chain::State::ended) return false;
    const bool error_comes_out = failed_ && winner_->status == TaskStatus::cancelled;
    set_thrown(std::max(winner_->thrown_at, (error_comes_out ? failed_ : winner_)->thrown_at));
    return true;
  }
  void decided(BranchBase& branch) noexcept override {
    if (winner_) return;
    winner_ = &branch;
    request_all(&branch);
  }

  BranchBase* winner_ = nullptr;
  BranchBase* failed_ = nullptr;
};

template <class R, std::size_t i, class... Ts>
R take_winner(std::tuple<Branch<Ts>...>& branches, const BranchBase& winner) {
  auto& branch = std::get<i>(branches);
  if (&branch == &winner) return R(i, std::in_place_index<i>, branch.take_element());
  if constexpr (i + 1 < sizeof...(Ts)) {
    return detail::take_winner<R, i + 1>(branches, winner);
  } else {
    std::terminate();
  }
}

template <class Marks, class... Ts>
Coro<Race<std::variant<typename Outcome<Ts>::value_type...>>> race(Coro<Ts>... coros) {
  using R = Race<std::variant<typename Outcome<Ts>::value_type...>>;
  std::tuple<Branch<Ts>...> branches(std::move(coros)...);
  First first;
  std::apply(
      [&first](auto&... each) {
        Marks::mark(each...);
        (first.add(each), ...);
      },
      branches);
  co_await first;
  co_return detail::take_winner<R, 0>(branches, first.winner());
}

template <class... As>
struct MarkEach {
  template <class... Bs>
  static void mark(Bs&... branches) noexcept {
    (First::mark<As>(branches), ...);
  }
};

}  // namespace detail

template <class... As>
  requires(sizeof...(As) > 0 && (detail::Branchable<As> && ...))
Coro<Race<std::variant<typename Outcome<detail::BranchResult<As>>::value_type...>>> race(As&&... awaitables) {
  return detail::race<detail::MarkEach<As...>>(detail::as_coro(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<Race<typename Outcome<detail::BranchResult<A>>::value_type>> race(std::vector<A> awaitables) {
  using T = detail::BranchResult<A>;
  if (awaitables.empty()) throw InvalidState("a race of nothing would never end");
  std::vector<std::optional<detail::Branch<T>>> branches(awaitables.size());
  detail::First first;
  for (std::size_t i = 0; i < awaitables.size(); ++i) {
    detail::Branch<T>& branch = branches[i].emplace(detail::as_coro(std::move(awaitables[i])));
    detail::First::mark<A>(branch);
    first.add(branch);
  }
  awaitables.clear();
  co_await first;
  const detail::BranchBase& winner = first.winner();
  std::size_t index = 0;
  while (&*branches[index] != &winner) ++index;
  co_return Race<typename Outcome<T>::value_type>(index, branches[index]->take_element());
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
