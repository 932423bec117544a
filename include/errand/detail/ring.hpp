// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <errand/detail/compiler.hpp>

namespace errand::detail {

/// Items in a row: added at the end, taken from the front, in a circle that doubles when it is full. Unlike std::deque
/// it allocates nothing while it is new, and nothing once it is as large as it gets.
template <class T>
class Ring {
  static_assert(std::is_nothrow_move_constructible_v<T>);

 public:
  Ring() noexcept = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    while (size_ > 0) pop_front();
    free();
  }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  T& front() noexcept { return *at(0); }

  /// Throws `std::bad_alloc`; nothing is added then.
  void push_back(T&& item) {
    if (size_ == room_) [[unlikely]]
      grow();
    std::construct_at(at(size_), std::move(item));
    ++size_;
  }
  void push_front(T&& item) {
    if (size_ == room_) grow();
    std::construct_at(at(room_ - 1), std::move(item));
    --first_;
    ++size_;
  }
  void pop_front() noexcept {
    std::destroy_at(at(0));
    ++first_;
    --size_;
  }

 private:
  T* at(std::size_t i) const noexcept { return items_ + ((first_ + i) & (room_ - 1)); }
  void free() noexcept {
    if (items_) std::allocator<T>().deallocate(items_, room_);
  }
  ERRAND_NOINLINE void grow() {
    const std::size_t room = room_ > 0 ? 2 * room_ : 4;
    T* const items = std::allocator<T>().allocate(room);
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(items + i, std::move(*at(i)));
      std::destroy_at(at(i));
    }
    free();
    items_ = items;
    room_ = room;
    first_ = 0;
  }

  T* items_ = nullptr;
  std::size_t room_ = 0;   // 0, or a power of two
  std::size_t first_ = 0;  // counts up for ever
  std::size_t size_ = 0;
};

}  // namespace errand::detail
