// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <errand/detail/compiler.hpp>

namespace errand::detail {

/// A hash table of names. Like a List it owns nothing: its entries live elsewhere, and are looked up, added and removed
/// in constant time.
class Names {
 public:
  class Entry {
   public:
    explicit Entry(std::string its_name) : name(std::move(its_name)) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    const std::string name;

   private:
    friend class Names;
    std::size_t hash_ = std::hash<std::string_view>()(name);
    Entry* next_ = nullptr;  // in its bucket
  };

  std::size_t size() const noexcept { return size_; }

  /// Null where there is none.
  Entry* find(std::string_view name) const noexcept {
    if (size_ == 0) return nullptr;
    const std::size_t hash = std::hash<std::string_view>()(name);
    Entry* entry = buckets_[hash & (buckets_.size() - 1)];
    while (entry && (entry->hash_ != hash || entry->name != name)) entry = entry->next_;
    return entry;
  }

  /// Makes room for one more, which has to come before every `add`. Throws `std::bad_alloc`; nothing is changed then.
  void reserve() {
    if (size_ == buckets_.size()) grow();
  }
  /// An entry whose name is not there yet.
  void add(Entry& entry) noexcept {
    put(entry);
    ++size_;
  }
  void remove(Entry& entry) noexcept {
    Entry** place = &bucket(entry);
    while (*place != &entry) place = &(*place)->next_;
    *place = entry.next_;
    --size_;
  }

 private:
  ERRAND_COLD void grow() {
    std::vector<Entry*> old(size_ == 0 ? 16 : 2 * size_);
    old.swap(buckets_);
    for (Entry* entry : old) {
      while (entry) put(*std::exchange(entry, entry->next_));
    }
  }
  Entry*& bucket(const Entry& entry) noexcept { return buckets_[entry.hash_ & (buckets_.size() - 1)]; }
  void put(Entry& entry) noexcept { entry.next_ = std::exchange(bucket(entry), &entry); }

  std::vector<Entry*> buckets_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
