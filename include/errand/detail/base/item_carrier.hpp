// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

#include <errand/detail/base/item_list.hpp>
#include <errand/detail/base/ring.hpp>

namespace errand::detail {

/// How a `Queue` keeps an item from the put until a getter takes it. If moving or destroying an item runs code of the
/// user's, the item stands in a node of its own, and the queue moves only the pointer to the node. So no code of the
/// user's runs while the queue is in the middle of a change.
template <class T>
struct ItemCarrier {
  static constexpr bool is_silent = is_moved_silently<T>;

  using Node = Item<T>;

  /// The object that the queue moves from place to place: the item itself, or a pointer to its node. Whoever holds the
  /// pointer has to delete the node.
  using Carried = std::conditional_t<is_silent, T, Node*>;

  /// Moves an item into the queue's keeping. Throws what the move of the item throws, and `std::bad_alloc` if the item
  /// needs a node.
  static Carried carry(T&& item) {
    if constexpr (is_silent) {
      return std::move(item);
    } else {
      return new Node(std::in_place, std::move(item));
    }
  }
  /// Moves the item or its node out. It belongs to the caller from now on.
  static Carried take_over(Carried& carried) noexcept {
    if constexpr (is_silent) {
      return std::move(carried);
    } else {
      return std::exchange(carried, nullptr);
    }
  }
  static T& item_of(Carried& carried) noexcept {
    if constexpr (is_silent) {
      return carried;
    } else {
      return carried->value;
    }
  }
  /// Destroys the item, unless it was taken over. An item without a node needs no destruction.
  static void discard(Carried& carried) noexcept {
    if constexpr (!is_silent) delete std::exchange(carried, nullptr);
  }
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
