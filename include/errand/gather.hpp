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

#include <errand/detail/task/wait_branch.hpp>

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
/// caller cancels the Coros, and `Cancelled` comes out when all have ended; the failures among the outcomes are
/// reported then.
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
  /// Reports the first failure if that has not come out: the gather was destroyed.
  ~All() {
    if (!goes_on() && failed_) report_branch(*failed_);
  }

  /// Throws what the first failure was; if there is none, the `Cancelled` of one that was cancelled.
  void check() {
    if (failed_) std::rethrow_exception(failed_->error());
    if (cancelled_) std::rethrow_exception(cancelled_->error());
  }

 private:
  const char* name() const noexcept override { return "gather"; }
  void branch_ended(BranchBase& branch) noexcept override {
    use_thrown(branch);
    if (branch.status == TaskStatus::succeeded) return;
    if (branch.status == TaskStatus::cancelled) {
      if (!cancelled_) cancelled_ = &branch;
    } else if (!failed_) {
      failed_ = &branch;
    } else {
      report_branch_later(branch);
    }
    if (!is_decided()) decide();
  }
  TaskStatus end_status() const noexcept override {
    if (failed_) return TaskStatus::failed;
    return cancelled_ ? TaskStatus::cancelled : TaskStatus::succeeded;
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

  /// Throws `Cancelled` if the caller was asked to end and that ended a branch; reports the failures then.
  void check() {
    if (!cancelled_) return;
    while (!failed_.empty()) report_branch(branch(failed_.pop_front()));
    if (cancelled_->status == TaskStatus::cancelled) std::rethrow_exception(cancelled_->error());
    throw Cancelled(chain()->reason_of_request(was_asked_by_task()));
  }

 private:
  const char* name() const noexcept override { return "gather_settled"; }
  void branch_ended(BranchBase& ended) noexcept override {
    use_thrown(ended);
    if (ended.status == TaskStatus::failed && !ended.observed_cancelled) failed_.push_back(ended.sibling);
    if (ended.status != TaskStatus::succeeded && ended.was_thrown && !cancelled_) cancelled_ = &ended;
  }
  TaskStatus end_status() const noexcept override { return cancelled_ ? TaskStatus::cancelled : TaskStatus::succeeded; }

  List failed_;
  BranchBase* cancelled_ = nullptr;  // the first that a request from outside has ended
};

template <class W, bool is_raced = false>
using BranchVector = std::vector<std::optional<BranchOf<W, is_raced>>>;

template <class V, class A>
void fill(V& branches, std::vector<A>& awaitables, Branches& all) {
  std::size_t i = 0;
  for (A& awaitable : awaitables) {
    auto work = detail::as_work(std::move(awaitable));
    all.add(branches[i++].emplace(work));
  }
  awaitables.clear();
}

template <class B>
auto take_part(B& branch) -> Part<decltype(branch.take())> {
  if constexpr (std::is_void_v<decltype(branch.take())>) {
    branch.take();
    return {};
  } else {
    return branch.take();
  }
}

template <class... Ws>
Coro<std::tuple<Part<ResultOf<Ws>>...>> run_gather(Ws... works) {
  std::tuple<BranchOf<Ws>...> branches(works...);
  All all;
  std::apply([&all](auto&... each) { (all.add(each), ...); }, branches);
  co_await all;
  all.check();
  co_return std::apply([](auto&... each) { return std::tuple<Part<ResultOf<Ws>>...>(detail::take_part(each)...); },
                       branches);
}

template <class A>
Coro<std::vector<Element<BranchResult<A>>>> run_gather(std::vector<A> awaitables) {
  BranchVector<WorkOf<A>> branches(awaitables.size());
  All all;
  detail::fill(branches, awaitables, all);
  co_await all;
  all.check();
  std::vector<Element<BranchResult<A>>> results;
  results.reserve(branches.size());
  for (auto& branch : branches) results.push_back(detail::take_element(*branch));
  co_return results;
}

template <class... Ws>
Coro<std::tuple<Outcome<ResultOf<Ws>>...>> run_gather_settled(Ws... works) {
  std::tuple<BranchOf<Ws>...> branches(works...);
  Settled all;
  std::apply([&all](auto&... each) { (all.add(each), ...); }, branches);
  co_await all;
  all.check();
  co_return std::apply([](auto&... each) { return std::tuple<Outcome<ResultOf<Ws>>...>(each.outcome()...); }, branches);
}

template <class A>
Coro<std::vector<Outcome<BranchResult<A>>>> run_gather_settled(std::vector<A> awaitables) {
  BranchVector<WorkOf<A>> branches(awaitables.size());
  Settled all;
  detail::fill(branches, awaitables, all);
  co_await all;
  all.check();
  std::vector<Outcome<BranchResult<A>>> outcomes;
  outcomes.reserve(branches.size());
  for (auto& branch : branches) outcomes.push_back(branch->outcome());
  co_return outcomes;
}

}  // namespace detail

template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<detail::Part<detail::BranchResult<As>>...>> gather(As&&... awaitables) {
  return detail::run_gather(detail::as_work(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<std::vector<detail::Element<detail::BranchResult<A>>>> gather(std::vector<A> awaitables) {
  return detail::run_gather(std::move(awaitables));
}

template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<Outcome<detail::BranchResult<As>>...>> gather_settled(As&&... awaitables) {
  return detail::run_gather_settled(detail::as_work(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<std::vector<Outcome<detail::BranchResult<A>>>> gather_settled(std::vector<A> awaitables) {
  return detail::run_gather_settled(std::move(awaitables));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
