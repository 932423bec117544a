// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <errand/gather.hpp>

namespace errand {

namespace detail {

template <class R>
using IteratorOf = decltype(std::ranges::begin(std::declval<std::remove_reference_t<R>&>()));
template <class R>
using ItemOf = std::iter_reference_t<IteratorOf<R>>;

/// A range that can be walked through once.
template <class R>
concept ItemRange = requires(std::remove_reference_t<R>& range) {
  { std::ranges::begin(range) } -> std::input_iterator;
  { std::ranges::end(range) } -> std::sentinel_for<IteratorOf<R>>;
};

/// A callable that returns a Coro for each item of a range.
template <class F, class R>
concept GivesCoroOfEach = ItemRange<R> && std::is_invocable_v<std::decay_t<F>&, ItemOf<R>> &&
                          is_coro<std::invoke_result_t<std::decay_t<F>&, ItemOf<R>>>;

/// The result of that Coro.
template <class F, class R>
using EachResult = typename std::invoke_result_t<std::decay_t<F>&, ItemOf<R>>::value_type;

}  // namespace detail

/// Calls `f(item)` for each item of a range and runs the Coros that it returns concurrently, at most `limit` at once.
/// Returns a `std::vector` of all results in the order of the range; `void` becomes `std::monostate`, and a reference a
/// `std::reference_wrapper`.
///
/// The Coros begin in the order of the range, and each item is taken from the range when its Coro is to begin. So the
/// range may be a view or may be read only once, and a million items need no more memory than their results. An item
/// that the range gives by value is kept until its Coro has ended; any other is passed as a reference into the range.
/// `f`, and a range that is an rvalue, are moved in. A range that is an lvalue is referred to: it must not change
/// meanwhile.
///
/// Everything else is as `gather` of several Coros does it: the first failure cancels the Coros that have begun, starts
/// no other, and comes out when they have ended. An exception of `f` or of the range is such a failure. Throws
/// `InvalidState` at the call if `limit`, of any integral type, is not positive.
///
///     std::vector<Page> pages = co_await errand::gather(urls, fetch, 10);
template <class R, class F, std::integral N>
  requires detail::GivesCoroOfEach<F, R>
Coro<std::vector<detail::Element<detail::EachResult<F, R>>>> gather(R&& range, F&& f, N limit);

/// Runs a Coro for each item of a range, like `gather` with a limit, and returns the `Outcome` of each.
///
/// The Coros are cancelled only if the caller is cancelled or if the range throws. `Cancelled`, or the exception of the
/// range, then comes out when all have ended, and the failures among the outcomes are reported.
template <class R, class F, std::integral N>
  requires detail::GivesCoroOfEach<F, R>
Coro<std::vector<Outcome<detail::EachResult<F, R>>>> gather_settled(R&& range, F&& f, N limit);

// Implementation

namespace detail {

/// How an item is kept until its Coro has ended. An iterator that reads its range only once may destroy an item as soon
/// as it goes on to the next, so that the item is copied. Others give a reference that stays valid.
template <class It, class Item = std::iter_reference_t<It>>
using KeptItem = std::conditional_t<std::is_reference_v<Item> && !std::forward_iterator<It> &&
                                        std::is_constructible_v<std::remove_cvref_t<Item>, Item>,
                                    std::remove_cvref_t<Item>, Item>;

/// A `gather` with a limit. It has up to `limit` branches, the workers. Each of them takes an item, runs its Coro, and
/// takes the next one, until none is left. A worker that has taken an item adds another worker, up to the limit.
template <class R, class F, bool is_settled>
class GatherEach {
  using It = IteratorOf<R>;
  using Item = ItemOf<R>;
  using T = EachResult<F, R>;

 public:
  using Element = std::conditional_t<is_settled, Outcome<T>, detail::Element<T>>;

  GatherEach(std::remove_reference_t<R>& range, F& f, std::size_t limit)
      : it_(std::ranges::begin(range)), end_(std::ranges::end(range)), f_(f), limit_(limit) {
    all_.add(add_worker());
  }

  Branches& wait() noexcept { return all_; }
  /// Called when the wait is over. Returns the results, or throws.
  std::vector<Element> take_results() {
    if constexpr (is_settled) {
      if (!all_.has_succeeded()) report_failures();
    }
    all_.check();
    std::vector<Element> results;
    results.reserve(slots_.size());
    for (; !slots_.empty(); slots_.pop_front()) results.push_back(std::move(*slots_.front()));
    return results;
  }

 private:
  using Slot = std::optional<Element>;

  BranchBase& add_worker() {
    Coro<> worker = work();
    return workers_.emplace_back(worker);
  }

  /// One worker. Ends with an exception if the `gather` has to end.
  Coro<> work() {
    BranchBase& self = static_cast<BranchBase&>(co_await ThisChain());
    while (Slot* const slot = take_next(self)) {
      static_assert(keeps_alignment<KeptItem<It>>, "the alignment of an item may not be above the default one");
      KeptItem<It> item(*it_);
      if constexpr (is_settled) {
        co_await settle(*slot, self, item);
      } else if constexpr (std::is_void_v<T>) {
        co_await std::invoke(f_, static_cast<Item&&>(item));
        slot->emplace();
      } else {
        slot->emplace(co_await std::invoke(f_, static_cast<Item&&>(item)));
      }
    }
  }

  /// Runs the Coro of one item, and keeps its outcome. Throws `Cancelled` if a request from outside has ended it.
  Coro<> settle(Slot& slot, BranchBase& self, std::remove_reference_t<KeptItem<It>>& item) {
    std::exception_ptr error;
    bool is_cancelled = false;
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::invoke(f_, static_cast<Item&&>(item));
        slot.emplace(std::in_place);
      } else {
        slot.emplace(std::in_place, co_await std::invoke(f_, static_cast<Item&&>(item)));
      }
    } catch (...) {
      error = std::current_exception();
      is_cancelled = handling<Cancelled>();
    }
    if (!error) co_return;
    if (is_cancelled && self.was_thrown) std::rethrow_exception(error);
    slot.emplace(error, is_cancelled);
    if (self.was_thrown) throw Cancelled(self.reason_of_request(all_.was_asked_by_task()));
  }

  /// Goes on to the next item. Returns the place for its result; null if there is no item, or if the `gather` is
  /// decided. Throws `Cancelled` if there is an item which may not begin, because of a request from outside.
  Slot* take_next(BranchBase& self) {
    if (is_at_end_ || all_.is_decided()) return nullptr;
    if (std::exchange(has_begun_, true)) ++it_;
    is_at_end_ = it_ == end_;
    if (is_at_end_) return nullptr;
    if (!all_.may_begin(self)) throw Cancelled(self.take_request(all_.was_asked_by_task()));
    if (workers_.size() < limit_ && !all_.was_asked()) all_.add_later(add_worker());
    return &slots_.emplace_back();
  }

  void report_failures() noexcept {
    for (const Slot& slot : slots_) {
      if (slot && slot->exception() && !slot->cancelled()) report_branch(*all_.chain(), slot->exception());
    }
  }

  It it_;
  const std::remove_cvref_t<decltype(std::ranges::end(std::declval<std::remove_reference_t<R>&>()))> end_;
  F& f_;
  const std::size_t limit_;
  bool has_begun_ = false;  // the iterator stands at an item that was taken
  bool is_at_end_ = false;
  std::deque<Slot> slots_;  // the results of the items that were taken
  std::deque<Branch<void>> workers_;
  GatherWait all_{is_settled ? Kind::gather_settled : Kind::gather};
};

template <bool is_settled, class R, class F>
Coro<std::vector<typename GatherEach<R, F, is_settled>::Element>> run_gather_each(R range, F f, std::size_t limit) {
  GatherEach<R, F, is_settled> each(range, f, limit);
  co_await each.wait();
  co_return each.take_results();
}

template <bool is_settled, class R, class F, class N>
auto gather_each(R&& range, F&& f, N limit) {
  check_awaited_callable<F>();
  static_assert(std::is_lvalue_reference_v<R> || keeps_alignment<R>,
                "the alignment of a range that is moved in may not be above the default one: name it first");
  static_assert(!frees_temporaries_twice || std::is_lvalue_reference_v<R> || !std::is_aggregate_v<R> ||
                    std::is_trivially_destructible_v<R>,
                "this compiler destroys an aggregate twice that is created inside an awaited expression (GCC 98401): "
                "name the range first");
  if (limit < 1) raise<InvalidState>({"gather with a limit of ", std::to_string(limit), " would never begin"});
  constexpr auto most = std::numeric_limits<std::size_t>::max();
  const auto at_once = static_cast<std::uintmax_t>(limit);
  return detail::run_gather_each<is_settled, R, std::decay_t<F>>(
      std::forward<R>(range), std::forward<F>(f), at_once < most ? static_cast<std::size_t>(at_once) : most);
}

}  // namespace detail

template <class R, class F, std::integral N>
  requires detail::GivesCoroOfEach<F, R>
Coro<std::vector<detail::Element<detail::EachResult<F, R>>>> gather(R&& range, F&& f, N limit) {
  return detail::gather_each<false>(std::forward<R>(range), std::forward<F>(f), limit);
}

template <class R, class F, std::integral N>
  requires detail::GivesCoroOfEach<F, R>
Coro<std::vector<Outcome<detail::EachResult<F, R>>>> gather_settled(R&& range, F&& f, N limit) {
  return detail::gather_each<true>(std::forward<R>(range), std::forward<F>(f), limit);
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
