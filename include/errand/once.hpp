// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <functional>
#include <type_traits>
#include <utility>

namespace errand {

namespace detail {
template <class F>
class Once;
}

/// Marks a callable, a listener or a signal handler as one for worker 0 alone. In a run with several workers, a
/// callable without the mark is copied for each worker. A marked one is not, and so need not be copyable.
///
///     app.before_server_start(errand::once([pool = std::move(pool)](errand::App& app) { use(*pool, app); }));
template <class F>
detail::Once<std::decay_t<F>> once(F&& f);

// Implementation

namespace detail {

/// The marked callable. It can be moved, but not copied.
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

}  // namespace detail

template <class F>
detail::Once<std::decay_t<F>> once(F&& f) {
  return detail::Once<std::decay_t<F>>(std::forward<F>(f));
}

}  // namespace errand

#include <errand/detail/epilogue.hpp>
