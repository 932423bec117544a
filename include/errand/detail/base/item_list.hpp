// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <errand/detail/base/pool.hpp>

namespace errand::detail {

struct Unpooled {};

/// An item in memory of its own, which is never moved, so that it can change hands without code of the user's. It has a
/// number if its place among other items counts.
template <class T>
struct Item : std::conditional_t<(alignof(T) > __STDCPP_DEFAULT_NEW_ALIGNMENT__), Unpooled, Pooled> {
  template <class U>
  explicit Item(std::in_place_t, U&& from) : value(std::forward<U>(from)) {}
  T value;
  std::uint64_t number = 0;
  Item* next = nullptr;  // in the list in which it stands
};

/// A list of items, which it owns. If an item that somebody had got comes back, its number tells its place.
template <class T>
class ItemList {
 public:
  ItemList() noexcept = default;
  ItemList(const ItemList&) = delete;
  ItemList& operator=(const ItemList&) = delete;
  ~ItemList() {
    while (!empty()) delete &pop_front();
  }

  bool empty() const noexcept { return !first_; }
  std::size_t size() const noexcept { return size_; }
  /// Returns the number of the first item. There must be one.
  std::uint64_t first_number() const noexcept { return first_->number; }

  void push_back(Item<T>& item) noexcept {
    put(last_ ? last_->next : first_, item);
    last_ = &item;
  }
  /// Inserts an item at the place that its number says. Looks from the item that was inserted last, because tasks are
  /// often aborted in the order in which they got their items.
  void insert(Item<T>& item) noexcept {
    Item<T>** place = inserted_ && inserted_->number < item.number ? &inserted_->next : &first_;
    while (*place && (*place)->number < item.number) place = &(*place)->next;
    if (!*place) last_ = &item;
    put(*place, item);
    inserted_ = &item;
  }
  /// Takes the first item out. It belongs to the caller. There must be one.
  Item<T>& pop_front() noexcept {
    --size_;
    if (inserted_ == first_) inserted_ = nullptr;
    if (last_ == first_) last_ = nullptr;
    return *std::exchange(first_, first_->next);
  }

 private:
  void put(Item<T>*& place, Item<T>& item) noexcept {
    item.next = std::exchange(place, &item);
    ++size_;
  }

  Item<T>* first_ = nullptr;
  Item<T>* last_ = nullptr;
  Item<T>* inserted_ = nullptr;  // the item that was inserted last, if it still stands here
  std::size_t size_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
