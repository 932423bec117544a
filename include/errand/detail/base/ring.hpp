// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/base/pool.hpp>

namespace errand::detail {

/// True if neither moving nor destroying a `T` runs code of the user's.
template <class T>
inline constexpr bool is_moved_silently =
    std::is_trivially_move_constructible_v<T> && std::is_trivially_destructible_v<T>;

/// A queue of items in a circular buffer, which doubles when it is full. Unlike std::deque it allocates nothing when it
/// is made, nor while a few items come and go. If a burst of items has made it large, it can give room back when few of
/// them are left.
///
/// Moving an item must run no code of the user's, because the ring is in the middle of a change when it moves one.
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
  /// Returns how many items fit before the ring grows.
  std::size_t room() const noexcept { return mask_ + 1; }
  /// Returns the number of the first item. Items are numbered in the order in which they were added.
  std::size_t front_number() const noexcept { return first_; }
  /// Returns a number for an item that is never added, because the queue hands it straight to a getter. The ring must
  /// be empty.
  std::size_t skip() noexcept { return first_++; }

  /// Makes room for one more item. Throws `std::bad_alloc`.
  void make_room() {
    if (size_ == room()) [[unlikely]]
      resize(items_ ? 2 * room() : 4);
  }
  void push_back_within_room(T&& item) noexcept {
    std::construct_at(at(size_), std::move(item));
    ++size_;
  }
  /// Takes out the first item, and returns `use(item)`. There must be an item.
  template <class Use>
  decltype(auto) take_front(Use use) {
    T& front = *at(0);
    ++first_;
    --size_;
    return use(std::move(front));
  }
  /// Returns true if there is far more room than is needed. To be asked after items were taken.
  bool has_spare_room() const noexcept { return size_ < spare_below_; }
  /// Returns true if the ring is so large that `has_spare_room` can become true when items are taken.
  bool may_get_spare_room() const noexcept { return spare_below_ > 0; }
  /// Gives room back. Called if `has_spare_room`. If there is no memory for a smaller buffer, the ring keeps the large
  /// one.
  ERRAND_COLD void give_back() noexcept {
    try {
      resize(room() / 4);
    } catch (...) {
    }
  }

 private:
  /// A ring with room for no more items than this never gives room back. It is 16, or more if the items are small.
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
  std::size_t mask_ = static_cast<std::size_t>(-1);  // `room() - 1`; the room is 0 or a power of two
  std::size_t first_ = 0;                            // the number of the first item, which only grows
  std::size_t size_ = 0;
  std::size_t spare_below_ = 0;  // there is spare room if there are fewer items than this
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
