// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/pool.hpp>

namespace errand::detail {

/// Whether moving or destroying a `T` runs no code of the user's.
template <class T>
inline constexpr bool is_moved_silently =
    std::is_trivially_move_constructible_v<T> && std::is_trivially_destructible_v<T>;

/// Items in a row: added at the end, taken from the front, in a circle that doubles when it is full. Unlike std::deque
/// it allocates nothing while it is new, nor for a few items that come and go; the room that a burst needed is given
/// back when few of its items are left.
///
/// It is in the middle of a change while an item is moved: for items whose move runs no code of the user's.
template <class T>
class Ring {
  static_assert(is_moved_silently<T>);

 public:
  Ring() noexcept = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { free(); }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// For how many items there is room before it grows.
  std::size_t room() const noexcept { return mask_ + 1; }
  /// Items are numbered in the order in which they were added.
  std::size_t front_number() const noexcept { return first_; }
  /// Gives the number of an item that comes and goes while this is empty.
  std::size_t skip() noexcept { return first_++; }

  /// Throws `std::bad_alloc`; nothing is added then.
  void push_back(T&& item) {
    if (size_ == room()) [[unlikely]]
      resize(items_ ? 2 * room() : 4);
    push_back_within_room(std::move(item));
  }
  void push_back_within_room(T&& item) noexcept {
    std::construct_at(at(size_), std::move(item));
    ++size_;
  }
  /// Gives the first item to `use(T&&)`, and what that gives.
  template <class Use>
  decltype(auto) take_front(Use use) {
    T& front = *at(0);
    ++first_;
    --size_;
    return use(std::move(front));
  }
  /// Whether there is far more room than is needed, after items were taken.
  bool has_spare_room() const noexcept { return size_ < spare_below_; }
  /// Whether there can be, after some items were taken.
  bool may_get_spare_room() const noexcept { return spare_below_ > 0; }
  /// Gives room back, if there is memory for a smaller circle.
  ERRAND_COLD void give_back() noexcept {
    try {
      resize(room() / 4);
    } catch (...) {
    }
  }
  void clear() noexcept { size_ = 0; }

 private:
  /// So many items stay without a thought; more than 16 only if they are small.
  static constexpr std::size_t few = sizeof(T) < 64 ? 1024 / sizeof(T) : 16;

  T* at(std::size_t i) const noexcept { return items_ + ((first_ + i) & mask_); }
  void free() noexcept {
    if (items_) std::allocator<T>().deallocate(items_, room());
  }
  ERRAND_NOINLINE void resize(std::size_t room_for) {
    T* const items = std::allocator<T>().allocate(room_for);
    for (std::size_t i = 0; i < size_; ++i)
      std::construct_at(items + ((first_ + i) & (room_for - 1)), std::move(*at(i)));
    free();
    items_ = items;
    mask_ = room_for - 1;
    spare_below_ = room_for > few ? room_for / 8 : 0;
  }

  T* items_ = nullptr;
  std::size_t mask_ = static_cast<std::size_t>(-1);  // the room, which is a power of two or 0, less one
  std::size_t first_ = 0;                            // counts up for ever
  std::size_t size_ = 0;
  std::size_t spare_below_ = 0;  // below so many items there is spare room
};

/// The same for items whose move or destructor is code of the user's: each stands in a node of its own, which is not in
/// the row while that code runs. So the code may use the row, and may throw: an item that cannot be moved stays where
/// it was. No item is moved once it is there.
template <class T>
class Nodes {
  struct Unpooled {};
  struct Node : std::conditional_t<(alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__), Unpooled, Pooled> {
    explicit Node(T&& its_item) : item(std::move(its_item)) {}
    T item;
    Node* next = nullptr;
  };

 public:
  Nodes() noexcept = default;
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;
  ~Nodes() { clear(); }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  std::size_t front_number() const noexcept { return number_; }
  std::size_t skip() noexcept { return number_++; }
  std::size_t room() const noexcept { return static_cast<std::size_t>(-1); }

  /// Throws what the move throws, and `std::bad_alloc`; nothing is added then.
  void push_back(T&& item) {
    Node* const made = new Node(std::move(item));
    *end_ = made;
    end_ = &made->next;
    ++size_;
  }
  void push_back_within_room(T&& item) { push_back(std::move(item)); }
  /// Gives the first item to `use(T&&)`, and what that gives. If it throws, the item is the first again.
  template <class Use>
  decltype(auto) take_front(Use use) {
    struct Taken {
      Nodes& nodes;
      Node* node;
      ~Taken() { delete node; }
    } taken{*this, &remove_first()};
    try {
      return use(std::move(taken.node->item));
    } catch (...) {
      put_first(*std::exchange(taken.node, nullptr));
      throw;
    }
  }
  bool has_spare_room() const noexcept { return false; }
  bool may_get_spare_room() const noexcept { return false; }
  void give_back() noexcept {}
  /// Destructors of items may add others.
  void clear() noexcept {
    while (first_) delete &remove_first();
  }

 private:
  void put_first(Node& node) noexcept {
    node.next = first_;
    if (!first_) end_ = &node.next;
    first_ = &node;
    ++size_;
    --number_;
  }
  Node& remove_first() noexcept {
    Node& node = *first_;
    first_ = node.next;
    if (!first_) end_ = &first_;
    --size_;
    ++number_;
    return node;
  }

  Node* first_ = nullptr;
  Node** end_ = &first_;  // where the next one is linked
  std::size_t size_ = 0;
  std::size_t number_ = 0;  // of the first item
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
