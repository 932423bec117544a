// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <errand/detail/base/compiler.hpp>

namespace errand::detail {

/// A hash table of names. Like a List it owns nothing: its entries live elsewhere. They are looked up, added and
/// removed in constant time.
///
/// Names may come from outside, and an attacker may choose names with equal hashes. So a bucket takes a limited number
/// of entries. An entry for which its bucket has no room stands in a balanced tree, and costs O(log n) at most.
class Names {
 public:
  class Entry {
   public:
    /// The name stands elsewhere. It must not change while the entry is in the table.
    explicit Entry(const std::string& its_name) noexcept : name_(&its_name) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    const std::string& name() const noexcept { return *name_; }

   private:
    friend class Names;
    const std::string* name_;
    std::size_t hash_ = 0;   // of the name; set by `add`
    Entry* next_ = nullptr;  // in the bucket
  };

  std::size_t size() const noexcept { return size_; }

  /// Returns the entry of this name; null if there is none.
  Entry* find(std::string_view name) const noexcept {
    if (size_ == 0) return nullptr;
    const std::size_t hash = std::hash<std::string_view>()(name);
    Entry* entry = buckets_[hash & (buckets_.size() - 1)];
    while (entry && (entry->hash_ != hash || entry->name() != name)) entry = entry->next_;
    return entry || overflow_.empty() ? entry : find_in_crowd(name);
  }

  /// Adds an entry whose name is not in the table yet. If it throws `std::bad_alloc`, nothing is changed.
  void add(Entry& entry) {
    if (size_ == buckets_.size()) grow();
    entry.hash_ = std::hash<std::string_view>()(entry.name());
    if (!put(entry)) overflow_.insert(&entry);
    ++size_;
  }
  /// Puts an entry of the same name into the place of one that is in the table.
  void replace(Entry& old, Entry& entry) noexcept {
    entry.hash_ = old.hash_;
    Entry** const place = place_of(old);
    if (*place) {
      entry.next_ = old.next_;
      *place = &entry;
    } else if (auto node = overflow_.extract(&old)) {
      node.value() = &entry;
      overflow_.insert(std::move(node));
    }
  }
  void remove(Entry& entry) noexcept {
    Entry** const place = place_of(entry);
    if (*place) {
      *place = entry.next_;
    } else {
      overflow_.erase(&entry);
    }
    --size_;
  }

 private:
  /// The most entries of a bucket. If the hashes of a million names are evenly distributed, no bucket gets so long.
  static constexpr std::size_t longest = 16;

  struct Before {
    using is_transparent = void;
    bool operator()(const Entry* a, const Entry* b) const noexcept { return a->name() < b->name(); }
    bool operator()(const Entry* a, std::string_view b) const noexcept { return a->name() < b; }
    bool operator()(std::string_view a, const Entry* b) const noexcept { return a < b->name(); }
  };

  ERRAND_COLD Entry* find_in_crowd(std::string_view name) const noexcept {
    const auto found = overflow_.find(name);
    return found == overflow_.end() ? nullptr : *found;
  }
  /// Splits each bucket into two, and moves entries from the tree into the buckets that have room for them now.
  ERRAND_COLD void grow() {
    std::vector<Entry*> old(size_ == 0 ? 16 : 2 * size_);
    old.swap(buckets_);
    for (Entry* entry : old) {
      while (entry) put(*std::exchange(entry, entry->next_));
    }
    for (auto place = overflow_.begin(); place != overflow_.end();)
      place = put(**place) ? overflow_.erase(place) : ++place;
  }
  /// Returns the pointer in the bucket that points to the entry; a null pointer if the entry is in the tree.
  Entry** place_of(const Entry& entry) noexcept {
    Entry** place = &bucket(entry);
    while (*place && *place != &entry) place = &(*place)->next_;
    return place;
  }
  Entry*& bucket(const Entry& entry) noexcept { return buckets_[entry.hash_ & (buckets_.size() - 1)]; }
  /// Adds the entry to its bucket. Returns false if there is no room.
  bool put(Entry& entry) noexcept {
    Entry*& first = bucket(entry);
    std::size_t length = 0;
    for (const Entry* each = first; each; each = each->next_) ++length;
    if (length == longest) return false;
    entry.next_ = std::exchange(first, &entry);
    return true;
  }

  std::vector<Entry*> buckets_;        // their number is 0 or a power of two
  std::set<Entry*, Before> overflow_;  // entries for which their bucket had no room
  std::size_t size_ = 0;
};

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
