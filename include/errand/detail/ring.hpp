// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <deque>
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
  /// For how many items there is room before it grows.
  std::size_t room() const noexcept { return mask_ + 1; }
  T& front() noexcept { return *at(0); }
  /// Items are numbered in the order in which they were added.
  std::size_t front_number() const noexcept { return first_; }
  /// Gives the number of an item that comes and goes while this is empty.
  std::size_t skip() noexcept { return first_++; }

  /// Throws `std::bad_alloc`; nothing is added then.
  void push_back(T&& item) {
    if (size_ == room()) [[unlikely]]
      grow();
    push_back_within_room(std::move(item));
  }
  void push_back_within_room(T&& item) noexcept {
    std::construct_at(at(size_), std::move(item));
    ++size_;
  }
  void pop_front() noexcept {
    std::destroy_at(at(0));
    ++first_;
    --size_;
  }

 private:
  T* at(std::size_t i) const noexcept { return items_ + ((first_ + i) & mask_); }
  void free() noexcept {
    if (items_) std::allocator<T>().deallocate(items_, room());
  }
  ERRAND_NOINLINE void grow() {
    const std::size_t more = items_ ? 2 * room() : 4;
    T* const items = std::allocator<T>().allocate(more);
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(items + ((first_ + i) & (more - 1)), std::move(*at(i)));
      std::destroy_at(at(i));
    }
    free();
    items_ = items;
    mask_ = more - 1;
  }

  T* items_ = nullptr;
  std::size_t mask_ = static_cast<std::size_t>(-1);  // the room, which is a power of two or 0, less one
  std::size_t first_ = 0;                            // counts up for ever
  std::size_t size_ = 0;
};

/// The same for items whose move may throw: none is moved once it is there.
template <class T>
class UnmovedRing {
 public:
  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size(); }
  std::size_t room() const noexcept { return items_.max_size(); }
  T& front() noexcept { return items_.front(); }
  std::size_t front_number() const noexcept { return first_; }
  std::size_t skip() noexcept { return first_++; }
  void push_back(T&& item) { items_.push_back(std::move(item)); }
  void push_back_within_room(T&& item) { items_.push_back(std::move(item)); }
  void pop_front() noexcept {
    items_.pop_front();
    ++first_;
  }

 private:
  std::deque<T> items_;
  std::size_t first_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
