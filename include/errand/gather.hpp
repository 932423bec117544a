// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

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

namespace detail {

/// A result as part of a tuple or a variant: `void` as a `std::monostate`.
template <class T>
using Part = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
/// A result in a container: a reference as a `std::reference_wrapper` too.
template <class T>
using Element = typename Outcome<T>::value_type;

}  // namespace detail

/// Runs Coros beside each other, inside the calling task, and gives all their results: a `std::tuple` in the order of
/// the arguments, or a `std::vector`; `void` becomes `std::monostate`. A `Task` among them is only observed, any other
/// awaitable of the library stands for a Coro of its result.
///
/// The first failure, or the cancellation of an observed task, comes out: the other Coros are cancelled before, and
/// their clean-up awaited; what they fail with then is reported. Cancelling the caller cancels all the Coros and awaits
/// them.
///
///     auto [user, orders] = co_await errand::gather(load_user(id), load_orders(id));
template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<detail::Part<detail::BranchResult<As>>...>> gather(As&&... awaitables);
/// The same of a vector; returns at once for an empty one.
template <class A>
  requires detail::Branchable<A>
Coro<std::vector<detail::Element<detail::BranchResult<A>>>> gather(std::vector<A> awaitables);

/// Runs them likewise, but a failure is a result like any other: gives the `Outcome` of each. Only cancelling the
/// caller cancels the Coros, and `Cancelled` comes out when all have ended.
template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<Outcome<detail::BranchResult<As>>...>> gather_settled(As&&... awaitables);
/// The same of a vector.
template <class A>
  requires detail::Branchable<A>
Coro<std::vector<Outcome<detail::BranchResult<A>>>> gather_settled(std::vector<A> awaitables);

// Implementation

namespace detail {

/// Waits for all branches. The first failure asks the others to end.
class All final : public Branches {
 public:
  /// Reports the first failure where that has not come out: the gather was destroyed.
  ~All() {
    if (!goes_on() && failed_) report_branch(*failed_);
  }

  /// Throws what the first failure was; where there is none, the `Cancelled` of one that was cancelled.
  void check() {
    if (failed_) std::rethrow_exception(failed_->error());
    if (cancelled_) std::rethrow_exception(cancelled_->error());
  }

 private:
  const char* name() const noexcept override { return "gather"; }
  void branch_ended(BranchBase& branch) noexcept override {
    if (branch.status == TaskStatus::succeeded) return;
    const bool is_first = !failed_ && !cancelled_;
    if (branch.status == TaskStatus::cancelled) {
      if (!cancelled_) cancelled_ = &branch;
    } else if (!failed_) {
      failed_ = &branch;
    } else {
      report_branch_later(branch);
    }
    if (is_first) request_all();
  }

  BranchBase* failed_ = nullptr;
  BranchBase* cancelled_ = nullptr;
};

/// Waits for all branches, however they end.
class Settled final : public Branches {
 public:
  ~Settled() {
    while (!failed_.empty()) failed_.pop_front();
  }

  /// Where the caller was asked to end, and a branch did: throws its `Cancelled`, or an error, which beats it.
  void check() {
    if (!has_thrown() || !cancelled_) return;
    if (failed_.empty()) std::rethrow_exception(cancelled_->error());
    BranchBase& first = branch(failed_.pop_front());
    while (!failed_.empty()) report_branch(branch(failed_.pop_front()));
    std::rethrow_exception(first.error());
  }

 private:
  const char* name() const noexcept override { return "gather_settled"; }
  void branch_ended(BranchBase& ended) noexcept override {
    if (ended.status == TaskStatus::failed && !ended.observed_cancelled) failed_.push_back(ended.sibling);
    if (ended.status == TaskStatus::cancelled && !cancelled_) cancelled_ = &ended;
  }

  List failed_;
  BranchBase* cancelled_ = nullptr;
};

template <class T>
Part<T> take_part(Branch<T>& branch) {
  if constexpr (std::is_void_v<T>) {
    branch.take();
    return {};
  } else {
    return branch.take();
  }
}

template <class T>
using BranchVector = std::vector<std::optional<Branch<T>>>;

template <class T, class A>
void fill(BranchVector<T>& branches, std::vector<A>& awaitables, Branches& all) {
  std::size_t i = 0;
  for (A& awaitable : awaitables) all.add(branches[i++].emplace(detail::as_coro(std::move(awaitable))));
  awaitables.clear();
}

template <class... Ts>
Coro<std::tuple<Part<Ts>...>> gather(Coro<Ts>... coros) {
  std::tuple<Branch<Ts>...> branches(std::move(coros)...);
  All all;
  std::apply([&all](auto&... each) { (all.add(each), ...); }, branches);
  co_await all;
  all.check();
  co_return std::apply([](auto&... each) { return std::tuple<Part<Ts>...>(detail::take_part(each)...); }, branches);
}

template <class... Ts>
Coro<std::tuple<Outcome<Ts>...>> gather_settled(Coro<Ts>... coros) {
  std::tuple<Branch<Ts>...> branches(std::move(coros)...);
  Settled all;
  std::apply([&all](auto&... each) { (all.add(each), ...); }, branches);
  co_await all;
  all.check();
  co_return std::apply([](auto&... each) { return std::tuple<Outcome<Ts>...>(each.outcome()...); }, branches);
}

}  // namespace detail

template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<detail::Part<detail::BranchResult<As>>...>> gather(As&&... awaitables) {
  return detail::gather(detail::as_coro(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<std::vector<detail::Element<detail::BranchResult<A>>>> gather(std::vector<A> awaitables) {
  using T = detail::BranchResult<A>;
  detail::BranchVector<T> branches(awaitables.size());
  detail::All all;
  detail::fill(branches, awaitables, all);
  co_await all;
  all.check();
  std::vector<detail::Element<T>> results;
  results.reserve(branches.size());
  for (auto& branch : branches) results.push_back(branch->take_element());
  co_return results;
}

template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<Outcome<detail::BranchResult<As>>...>> gather_settled(As&&... awaitables) {
  return detail::gather_settled(detail::as_coro(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<std::vector<Outcome<detail::BranchResult<A>>>> gather_settled(std::vector<A> awaitables) {
  using T = detail::BranchResult<A>;
  detail::BranchVector<T> branches(awaitables.size());
  detail::Settled all;
  detail::fill(branches, awaitables, all);
  co_await all;
  all.check();
  std::vector<Outcome<T>> outcomes;
  outcomes.reserve(branches.size());
  for (auto& branch : branches) outcomes.push_back(branch->outcome());
  co_return outcomes;
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
