// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <errand/detail/task/spawn.hpp>
#include <errand/detail/task/wait_branch.hpp>

namespace errand {

namespace detail {

/// The type of the result of a part (the body or the clean-up), which is a Coro, or a callable without arguments that
/// returns a Coro or a plain value.
template <class W>
struct PartWork {
  static_assert(std::is_invocable_v<W&>, "a Coro, or a callable f() that gives one, is wanted here");
  using Plain = std::invoke_result_t<W&>;
  using type = typename TaskResult<Plain>::type;
};
template <class T>
struct PartWork<Coro<T>> {
  using type = T;
};
template <class W>
using PartResult = typename PartWork<std::decay_t<W>>::type;

}  // namespace detail

/// Awaits `body` and then `cleanup`, whether `body` returns, throws, or is cancelled.
///
/// Each of the two is a Coro, or a callable without arguments that returns a Coro or a plain value. The clean-up runs
/// once, and may await. Requests to end the task are held back meanwhile: after the clean-up, the next await that would
/// have to wait throws them. A clean-up that is a plain function runs even if there is no memory for a coroutine.
///
/// Returns what `body` returns, and throws what `body` throws. If the clean-up throws, its error comes out instead, and
/// an error of the body is reported. `abort`, and the end of the App, destroy both without running them further.
///
/// The two may be lambdas that are created inside the `co_await` if they capture by reference, as here. If a capture by
/// value has a destructor, name the lambda first: GCC 12 would destroy it twice, and so it does not compile there.
///
///     co_await errand::finally([&]() -> errand::Coro<> { … },
///                              [&]() -> errand::Coro<> { co_await app.cancel_task(name); });
template <class Body, class Cleanup>
Coro<detail::PartResult<Body>> finally(Body&& body, Cleanup&& cleanup);

// Implementation

namespace detail {

/// Holds back requests to the chain while it lives.
class Hold {
 public:
  explicit Hold(Chain& chain) noexcept : chain_(chain), outer_(chain.flags & Chain::defers_requests) {
    chain.flags |= Chain::defers_requests;
  }
  ~Hold() {
    if (!outer_) chain_.flags &= static_cast<std::uint8_t>(~Chain::defers_requests);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Chain& chain_;
  const bool outer_;
};

/// Keeps the error of the body until it comes out. If it never does, because the clean-up throws or the frame is
/// destroyed, the destructor reports it.
struct Kept {
  Kept(Chain& its_chain, std::exception_ptr its_error) noexcept : chain(its_chain), error(std::move(its_error)) {}
  Kept(const Kept&) = delete;
  ~Kept() {
    if (error) report_branch(chain, std::move(error));
  }
  Chain& chain;
  std::exception_ptr error;
};

template <class W>
inline constexpr bool is_plain_part = !is_coro<std::remove_cvref_t<std::invoke_result_t<W&>>>;
template <class T>
inline constexpr bool is_plain_part<Coro<T>> = false;

template <class W>
Coro<PartResult<W>> begin_part(W& work) {
  if constexpr (is_coro<W>) {
    return std::move(work);
  } else if constexpr (!is_plain_part<W>) {
    return std::invoke(work);
  } else {
    return [](W& plain) -> Coro<PartResult<W>> { co_return std::invoke(plain); }(work);
  }
}

template <class T, class Body, class Cleanup>
Coro<T> finally(Body body, Cleanup cleanup) {
  std::optional<typename Outcome<T>::value_type> value;
  std::exception_ptr error;
  bool is_cancelled = false;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await detail::begin_part(body);
    } else {
      value.emplace(co_await detail::begin_part(body));
    }
  } catch (...) {
    error = std::current_exception();
    is_cancelled = handling<Cancelled>();
  }
  Chain& chain = co_await ThisChain();
  Kept kept(chain, is_cancelled ? nullptr : error);
  std::exception_ptr cleanup_error;
  try {
    const Hold hold(chain);
    if constexpr (is_plain_part<Cleanup>) {
      std::invoke(cleanup);  // directly, because there may be no memory for a coroutine
    } else {
      co_await detail::begin_part(cleanup);
    }
  } catch (...) {
    cleanup_error = std::current_exception();
  }
  if (cleanup_error) std::rethrow_exception(cleanup_error);
  kept.error = nullptr;
  if (error) std::rethrow_exception(error);
  if constexpr (std::is_reference_v<T>) {
    co_return value->get();
  } else if constexpr (!std::is_void_v<T>) {
    co_return std::move(*value);
  }
}

}  // namespace detail

template <class Body, class Cleanup>
Coro<detail::PartResult<Body>> finally(Body&& body, Cleanup&& cleanup) {
  detail::check_awaited_callable<Body>();
  detail::check_awaited_callable<Cleanup>();
  return detail::finally<detail::PartResult<Body>, std::decay_t<Body>, std::decay_t<Cleanup>>(
      std::forward<Body>(body), std::forward<Cleanup>(cleanup));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
