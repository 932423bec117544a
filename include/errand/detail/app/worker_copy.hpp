// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <functional>
#include <type_traits>
#include <utility>

#include <errand/detail/base/owner.hpp>

namespace errand {

namespace detail {

/// A callable for worker 0 alone.
template <class F>
class Once {
 public:
  template <class G>
    requires(!std::is_same_v<std::remove_cvref_t<G>, Once>)
  explicit Once(G&& f) : f_(std::forward<G>(f)) {}
  Once(Once&&) = default;

  template <class... Args>
    requires std::is_invocable_v<F&, Args...>
  decltype(auto) operator()(Args&&... args) {
    return std::invoke(f_, std::forward<Args>(args)...);
  }

 private:
  F f_;
};

template <class>
inline constexpr bool is_once = false;
template <class F>
inline constexpr bool is_once<Once<F>> = true;

/// A copy for another worker. Without one, `is_for_all` tells that there should have been one.
template <class Base>
struct WorkerCopy {
  Owner<Base> copy;
  bool is_for_all;
};

/// A `Made`, made from a copy of the callable and what else it takes.
template <class Base, class Made, class F, class... Args>
WorkerCopy<Base> copy_for_worker(const F& f, Args&&... args) {
  if constexpr (is_once<F>) {
    return {{}, false};
  } else if constexpr (std::is_copy_constructible_v<F>) {
    return {Owner<Base>(new Made(f, std::forward<Args>(args)...)), true};
  } else {
    return {{}, true};
  }
}

}  // namespace detail

/// Marks a callable, a listener or a signal handler for worker 0 alone: it is never copied.
///
///     app.before_server_start(errand::once([pool = std::move(pool)](errand::App& app) { use(*pool, app); }));
template <class F>
detail::Once<std::decay_t<F>> once(F&& f) {
  return detail::Once<std::decay_t<F>>(std::forward<F>(f));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
