// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <type_traits>
#include <utility>

#include <errand/detail/base/owner.hpp>
#include <errand/once.hpp>

namespace errand::detail {

template <class>
inline constexpr bool is_once = false;
template <class F>
inline constexpr bool is_once<Once<F>> = true;

/// A copy of a listener or a handler for another worker. If it is empty, `is_for_all` tells why: true if the callable
/// cannot be copied, false if it is for worker 0 alone.
template <class Base>
struct WorkerCopy {
  Owner<Base> copy;
  bool is_for_all;
};

/// Makes a `Made` for another worker, from a copy of the callable and the other arguments of its constructor.
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

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
