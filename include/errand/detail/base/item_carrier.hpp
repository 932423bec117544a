// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

#include <errand/detail/base/pool.hpp>
#include <errand/detail/base/ring.hpp>

namespace errand::detail {

/// How a `Queue` keeps an item from the put until a getter takes it. If to move or to destroy an item runs code of the
/// user's, the item stands in a node of its own, and the queue moves only the pointer: so none of that code runs in the
/// middle of what the queue does.
template <class T>
struct ItemCarrier {
  static constexpr bool is_silent = is_moved_silently<T>;

  struct Unpooled {};
  /// An item in memory of its own. One that a getter gave back has a number: its place in the order of all items.
  struct Node : std::conditional_t<(alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__), Unpooled, Pooled> {
    explicit Node(T&& its_item) : item(std::move(its_item)) {}
    T item;
    std::size_t number = 0;
    Node* next = nullptr;
  };

  /// What the queue moves from place to place: the item, or its node, which belongs to whoever has the pointer.
  using Carried = std::conditional_t<is_silent, T, Node*>;

  /// Throws what the move of the item throws, and `std::bad_alloc` if it needs a node.
  static Carried carry(T&& item) {
    if constexpr (is_silent) {
      return std::move(item);
    } else {
      return new Node(std::move(item));
    }
  }
  /// Moves it out: it belongs to the caller from now on.
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
      return carried->item;
    }
  }
  /// Destroys the item, unless it was taken over.
  static void discard(Carried& carried) noexcept {
    if constexpr (!is_silent) delete std::exchange(carried, nullptr);
  }
};

/// The items that were handed to getters which then did not take them, in the order in which they were put. They belong
/// to the queue, which empties the list before it is destroyed.
template <class T>
class ReturnedItems {
  using Node = typename ItemCarrier<T>::Node;

 public:
  bool empty() const noexcept { return !first_; }
  std::size_t size() const noexcept { return size_; }
  /// The number of the first item. Not to be called if there is none.
  std::size_t first_number() const noexcept { return first_->number; }

  /// Puts the node into its place by its number.
  void insert(Node& node) noexcept {
    Node** place = &first_;
    while (*place && (*place)->number < node.number) place = &(*place)->next;
    node.next = std::exchange(*place, &node);
    ++size_;
  }
  /// Takes the first node out. It belongs to the caller.
  Node* remove_first() noexcept {
    --size_;
    return std::exchange(first_, first_->next);
  }

 private:
  Node* first_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
