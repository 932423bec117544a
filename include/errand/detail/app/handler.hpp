// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include <errand/coro.hpp>
#include <errand/detail/app/worker_copy.hpp>
#include <errand/signal.hpp>

namespace errand::detail {

/// A handler of signals, whatever the type of its callable.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual Coro<> call(const Signal& signal) = 0;
  virtual WorkerCopy<Handler> copy() const = 0;
};

template <class F>
class HandlerOf final : public Handler {
 public:
  static_assert(std::is_invocable_v<F&, const Signal&> || std::is_invocable_v<F&>,
                "a signal handler takes a const Signal&, or nothing");
  static_assert(keeps_alignment<F>,
                "the alignment of a signal handler, which is that of its captures, may not be above the default one: "
                "keep such data in a std::unique_ptr");

  template <class G>
    requires(!std::same_as<std::remove_cvref_t<G>, HandlerOf>)
  explicit HandlerOf(G&& f) : f_(std::forward<G>(f)) {}

  Coro<> call(const Signal& signal) override {
    if constexpr (is_coro<std::remove_cvref_t<decltype(invoke(signal))>>) {
      co_await invoke(signal);
    } else {
      invoke(signal);
      co_return;
    }
  }
  WorkerCopy<Handler> copy() const override { return detail::copy_for_worker<Handler, HandlerOf>(f_); }

 private:
  decltype(auto) invoke(const Signal& signal) {
    if constexpr (std::is_invocable_v<F&, const Signal&>) {
      return std::invoke(f_, signal);
    } else {
      return std::invoke(f_);
    }
  }

  F f_;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
