// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

#include <errand/detail/base/pool.hpp>
#include <errand/detail/base/ring.hpp>

namespace errand::detail {

/// How a `Queue` keeps an item from the put until a getter takes it. If moving or destroying an item runs code of the
/// user's, the item stands in a node of its own, and the queue moves only the pointer to the node. So no code of the
/// user's runs while the queue is in the middle of a change.
template <class T>
struct ItemCarrier {
  static constexpr bool is_silent = is_moved_silently<T>;

  struct Unpooled {};
  /// An item in memory of its own. If a getter gave it back, it has a number: its place in the order of all items.
  struct Node : std::conditional_t<(alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__), Unpooled, Pooled> {
    explicit Node(T&& its_item) : item(std::move(its_item)) {}
    T item;
    std::size_t number = 0;
    Node* next = nullptr;
  };

  /// The object that the queue moves from place to place: the item itself, or a pointer to its node. Whoever holds the
  /// pointer has to delete the node.
  using Carried = std::conditional_t<is_silent, T, Node*>;

  /// Moves an item into the queue's keeping. Throws what the move of the item throws, and `std::bad_alloc` if the item
  /// needs a node.
  static Carried carry(T&& item) {
    if constexpr (is_silent) {
      return std::move(item);
    } else {
      return new Node(std::move(item));
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
      return carried->item;
    }
  }
  /// Destroys the item, unless it was taken over. An item without a node needs no destruction.
  static void discard(Carried& carried) noexcept {
    if constexpr (!is_silent) delete std::exchange(carried, nullptr);
  }
};

/// Items that were handed to a getter which then did not take them, for example because its task was aborted. They
/// stand in the order in which they were put. The queue owns them, and empties this list before the list is destroyed.
template <class T>
class ReturnedItems {
  using Node = typename ItemCarrier<T>::Node;

 public:
  bool empty() const noexcept { return !first_; }
  std::size_t size() const noexcept { return size_; }
  /// Returns the number of the first item. There must be one.
  std::size_t first_number() const noexcept { return first_->number; }

  /// Inserts a node at the place that its number says. Looks from the node that was inserted last, because tasks are
  /// often aborted in the order in which they got their items.
  void insert(Node& node) noexcept {
    Node** place = inserted_ && inserted_->number < node.number ? &inserted_->next : &first_;
    while (*place && (*place)->number < node.number) place = &(*place)->next;
    node.next = std::exchange(*place, &node);
    inserted_ = &node;
    ++size_;
  }
  /// Takes the first node out. It belongs to the caller. There must be one.
  Node* remove_first() noexcept {
    --size_;
    if (inserted_ == first_) inserted_ = nullptr;
    return std::exchange(first_, first_->next);
  }

 private:
  Node* first_ = nullptr;
  Node* inserted_ = nullptr;  // the node that was inserted last, if it still stands here
  std::size_t size_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
