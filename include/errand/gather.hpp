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

/// The result of a branch in a tuple: `void` becomes `std::monostate`.
template <class T>
using Part = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
/// The result of a branch in a container: `void` becomes `std::monostate`, a reference a `std::reference_wrapper`, and
/// a `const T` a `T`.
template <class T>
using Element = std::remove_const_t<typename Outcome<T>::value_type>;

}  // namespace detail

/// Runs Coros concurrently, inside the calling task, and returns all their results: a `std::tuple` in the order of the
/// arguments, or a `std::vector`. `void` becomes `std::monostate`. If an argument is a `Task`, it is only observed; any
/// other awaitable of the library stands for a Coro of its result. A callable without arguments that returns a Coro is
/// called when its Coro is to begin, and is kept until that has ended.
///
/// If a Coro fails or throws `Cancelled`, or if an observed task fails or is cancelled, the other Coros are cancelled
/// and their clean-up is awaited. Then the first error comes out, or `Cancelled` if there is no error. Errors that come
/// later are reported. If the caller is cancelled, all the Coros are cancelled and awaited.
///
///     auto [user, orders] = co_await errand::gather(load_user(id), load_orders(id));
template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<detail::Part<detail::BranchResult<As>>...>> gather(As&&... awaitables);
/// Runs the Coros of a vector concurrently, like `gather` of several arguments, and returns a vector of their results.
/// Returns at once if the vector is empty.
template <class A>
  requires detail::Branchable<A>
Coro<std::vector<detail::Element<detail::BranchResult<A>>>> gather(std::vector<A> awaitables);

/// Runs Coros concurrently, like `gather`, and returns the `Outcome` of each: a failure is a result like any other.
///
/// The Coros are cancelled only if the caller is cancelled. If that ends one of them, `Cancelled` comes out when all
/// have ended, and the failures among the outcomes are reported.
template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<Outcome<detail::BranchResult<As>>...>> gather_settled(As&&... awaitables);
/// Runs the Coros of a vector concurrently, like `gather_settled` of several arguments, and returns the `Outcome` of
/// each.
template <class A>
  requires detail::Branchable<A>
Coro<std::vector<Outcome<detail::BranchResult<A>>>> gather_settled(std::vector<A> awaitables);

/// Awaits a Coro, or whatever else `gather` takes, and returns its `Outcome`: never throws what it ended with. If the
/// caller is asked to end and that ends the Coro, `Cancelled` comes out, and a failure in the outcome is reported.
///
///     auto outcome = co_await errand::settled(load_user(id));
///     if (outcome.failed()) log(outcome.what());
template <class A>
  requires detail::Branchable<A>
Coro<Outcome<detail::BranchResult<A>>> settled(A&& awaitable);

// Implementation

namespace detail {

/// The wait of `gather`. It ends when all branches have ended; the first branch that fails or is cancelled makes it ask
/// the others to end.
class GatherWait final : public Branches {
 public:
  explicit GatherWait(Kind combinator = Kind::gather) noexcept : Branches(combinator) {}
  /// Reports the first failure if the gather is destroyed before that failure has come out.
  ~GatherWait() {
    if (!goes_on() && failed_) report_branch(*failed_);
  }

  /// Called when all branches have ended. Returns true if `check` does not throw.
  bool has_succeeded() const noexcept { return !failed_ && !cancelled_; }
  /// Called when all branches have ended. Throws the first failure or, if there is none, the `Cancelled` of the first
  /// branch that was cancelled.
  void check() {
    if (failed_) std::rethrow_exception(failed_->error());
    if (cancelled_) std::rethrow_exception(cancelled_->error());
  }

 private:
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

/// The wait of `gather_settled` and `settled`. It ends when all branches have ended, in whatever way.
class SettledWait final : public Branches {
 public:
  explicit SettledWait(Kind combinator) noexcept : Branches(combinator) {}
  ~SettledWait() {
    while (!failed_.empty()) failed_.pop_front();
  }

  /// Called when all branches have ended. If the caller was asked to end and that has ended a branch, reports the
  /// failures and throws `Cancelled`.
  void check() {
    if (!cancelled_) return;
    while (!failed_.empty()) report_branch(branch(failed_.pop_front()));
    if (cancelled_->status == TaskStatus::cancelled) std::rethrow_exception(cancelled_->error());
    throw Cancelled(chain()->reason_of_request(was_asked_by_task()));
  }

 private:
  void branch_ended(BranchBase& ended) noexcept override {
    use_thrown(ended);
    if (ended.status == TaskStatus::failed && !ended.observed_cancelled) failed_.push_back(ended.sibling);
    if (ended.status != TaskStatus::succeeded && ended.was_thrown && !cancelled_) cancelled_ = &ended;
  }
  TaskStatus end_status() const noexcept override { return cancelled_ ? TaskStatus::cancelled : TaskStatus::succeeded; }

  List failed_;
  BranchBase* cancelled_ = nullptr;  // the first branch that was ended by a request from outside
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
  GatherWait all;
  std::apply([&all](auto&... each) { (all.add(each), ...); }, branches);
  co_await all;
  all.check();
  co_return std::apply([](auto&... each) { return std::tuple<Part<ResultOf<Ws>>...>(detail::take_part(each)...); },
                       branches);
}

template <class A>
Coro<std::vector<Element<BranchResult<A>>>> run_gather(std::vector<A> awaitables) {
  BranchVector<WorkOf<A>> branches(awaitables.size());
  GatherWait all;
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
  SettledWait all(Kind::gather_settled);
  std::apply([&all](auto&... each) { (all.add(each), ...); }, branches);
  co_await all;
  all.check();
  co_return std::apply([](auto&... each) { return std::tuple<Outcome<ResultOf<Ws>>...>(each.outcome()...); }, branches);
}

template <class A>
Coro<std::vector<Outcome<BranchResult<A>>>> run_gather_settled(std::vector<A> awaitables) {
  BranchVector<WorkOf<A>> branches(awaitables.size());
  SettledWait all(Kind::gather_settled);
  detail::fill(branches, awaitables, all);
  co_await all;
  all.check();
  std::vector<Outcome<BranchResult<A>>> outcomes;
  outcomes.reserve(branches.size());
  for (auto& branch : branches) outcomes.push_back(branch->outcome());
  co_return outcomes;
}

template <class W>
Coro<Outcome<ResultOf<W>>> run_settled(W work) {
  BranchOf<W> branch(work);
  SettledWait wait(Kind::settled);
  wait.add(branch);
  co_await wait;
  wait.check();
  co_return branch.outcome();
}

}  // namespace detail

template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<detail::Part<detail::BranchResult<As>>...>> gather(As&&... awaitables) {
  return detail::run_gather(detail::take_argument(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<std::vector<detail::Element<detail::BranchResult<A>>>> gather(std::vector<A> awaitables) {
  return detail::run_gather(std::move(awaitables));
}

template <class... As>
  requires(detail::Branchable<As> && ...)
Coro<std::tuple<Outcome<detail::BranchResult<As>>...>> gather_settled(As&&... awaitables) {
  return detail::run_gather_settled(detail::take_argument(std::forward<As>(awaitables))...);
}

template <class A>
  requires detail::Branchable<A>
Coro<std::vector<Outcome<detail::BranchResult<A>>>> gather_settled(std::vector<A> awaitables) {
  return detail::run_gather_settled(std::move(awaitables));
}

template <class A>
  requires detail::Branchable<A>
Coro<Outcome<detail::BranchResult<A>>> settled(A&& awaitable) {
  return detail::run_settled(detail::take_argument(std::forward<A>(awaitable)));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
