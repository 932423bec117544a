// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/base/pool.hpp>

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

  /// For one item more. Throws `std::bad_alloc`.
  void make_room() {
    if (size_ == room()) [[unlikely]]
      resize(items_ ? 2 * room() : 4);
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

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
