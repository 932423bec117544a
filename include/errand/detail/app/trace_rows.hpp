// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

/// The rows of a trace for the tasks of an App that have not ended: a hash table by the ids of the tasks.
/// (`std::unordered_map` takes longer to compile.)
class TraceRows {
 public:
  struct Row {
    std::uint64_t id = 0;     // 0 if there is no row in this place of the table
    std::uint64_t arrow = 0;  // the number of the arrow that ends at the next step; 0 if there is none
    bool has_name = false;    // the file has the name of the task
  };

  bool empty() const noexcept { return size_ == 0; }
  /// Returns the row of this task; null if there is none. It is valid until another one is added or removed.
  Row* find(std::uint64_t id) noexcept {
    if (size_ == 0 || id == 0) return nullptr;
    Row& row = place_of(id);
    return row.id == id ? &row : nullptr;
  }
  /// Returns the row of this task, which is added if there is none.
  Row& at(std::uint64_t id);
  void remove(std::uint64_t id) noexcept;

 private:
  std::size_t next(std::size_t index) const noexcept { return (index + 1) & (places_.size() - 1); }
  /// Returns the first place for a row. Ids are consecutive numbers: without a hash the rows would stand side by side,
  /// and `remove` would walk over all of them.
  std::size_t home(std::uint64_t id) const noexcept {
    return static_cast<std::size_t>(id * 0x9e3779b97f4a7c15 >> 32) & (places_.size() - 1);
  }
  /// Returns the place where the row of this task stands, or belongs.
  Row& place_of(std::uint64_t id) noexcept {
    std::size_t index = home(id);
    while (places_[index].id != 0 && places_[index].id != id) index = next(index);
    return places_[index];
  }

  std::vector<Row> places_;  // as many as a power of two, of which at least a quarter has no row
  std::size_t size_ = 0;     // the number of rows
};

// Implementation

ERRAND_COLD inline TraceRows::Row& TraceRows::at(std::uint64_t id) {
  if (Row* const row = find(id)) return *row;
  if (4 * (size_ + 1) > 3 * places_.size()) {
    std::vector<Row> old(places_.empty() ? 16 : 2 * places_.size());
    old.swap(places_);
    for (const Row& row : old) {
      if (row.id != 0) place_of(row.id) = row;
    }
  }
  ++size_;
  Row& row = place_of(id);
  row.id = id;
  return row;
}

ERRAND_COLD inline void TraceRows::remove(std::uint64_t id) noexcept {
  Row* const row = find(id);
  if (!row) return;
  *row = Row();
  --size_;
  // The rows behind this place, up to the next free one, may now be nearer to where they belong.
  for (std::size_t index = next(static_cast<std::size_t>(row - places_.data())); places_[index].id != 0;) {
    const Row moved = places_[index];
    places_[index] = Row();
    place_of(moved.id) = moved;
    index = next(index);
  }
}

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
