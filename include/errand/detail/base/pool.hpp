// SPDX-License-Identifier: MIT
#pragma once

#include <errand/detail/prologue.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

#include <errand/detail/base/compiler.hpp>
#include <errand/detail/base/flag_lock.hpp>

namespace errand::detail {

/// Memory for frames, tasks and callbacks. Each thread has a list of free blocks for each size. A block that is given
/// back is kept on the list of its size, and is handed out again from there. If a list is full, many of its blocks at a
/// time go back to the slabs from which they were cut. All threads share the slabs. A block may be given back on
/// another thread than the one on which it was handed out. Throws `std::bad_alloc`.
void* allocate(std::size_t size);
/// Returns a block that was kept; null if there is none. A caller that handles null in another function, by a tail
/// call, needs no stack frame.
void* allocate_kept(std::size_t size) noexcept;
/// Like `allocate`, but does not look for a block that was kept. Throws `std::bad_alloc`.
void* allocate_from_slab(std::size_t size);
void deallocate(void* block, std::size_t size) noexcept;

/// Gives a class the pool's `operator new` and `operator delete`.
struct Pooled {
  static void* operator new(std::size_t size) { return allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { deallocate(block, size); }
};

// Implementation

/// A block that is free.
struct FreeBlock {
  FreeBlock* next;
};

/// A slab that was given back.
struct FreeSlab {
  FreeSlab* next;
};

/// A piece of memory from which slabs are cut. It is freed when none of its slabs is in use, unless it is the last
/// region of the list.
struct Region {
  Region* prev = nullptr;  // in the list of regions that have a free slab
  Region* next = nullptr;
  FreeSlab* first = nullptr;  // the slabs that were given back
  char* fresh;                // the first slab that was never used
  std::uint32_t fresh_slabs;  // how many were never used
  std::uint32_t used = 0;     // how many are in use

  Region(char* first_slab, std::uint32_t slabs) noexcept : fresh(first_slab), fresh_slabs(slabs) {}
  bool has_slab() const noexcept { return first || fresh_slabs > 0; }
};

/// Blocks of one size. A slab stands at an address that is a multiple of `size`, so that the slab of a block can be
/// told from the address of the block.
struct Slab {
  static constexpr std::size_t size = 16384;

  Region& region;
  Slab* prev = nullptr;  // in the list of slabs of its size that have a free block
  Slab* next = nullptr;
  FreeBlock* first = nullptr;
  std::uint32_t free = 0;  // how many blocks are free
  const std::uint16_t blocks;
  const std::uint16_t size_class;

  Slab(Region& of, std::size_t count, std::size_t its_class) noexcept
      : region(of), blocks(static_cast<std::uint16_t>(count)), size_class(static_cast<std::uint16_t>(its_class)) {}
  static Slab& of(void* block) noexcept {
    return *reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) / size * size);
  }
};

/// The slabs, which all threads share. There is no destructor, so that blocks can be given back until the program ends.
class Slabs {
 public:
  /// A block of size class `i` has `step * i` bytes.
  static constexpr std::size_t step = 16, classes = 65;

  struct Blocks {
    FreeBlock* first = nullptr;
    std::int32_t count = 0;
  };

  /// Takes out at least one block of this size class, and more if more are free. Throws `std::bad_alloc`.
  Blocks take(std::size_t i) {
    constexpr std::int32_t enough = 16;
    const FlagLock lock(flag_);
    Blocks taken;
    while (Slab* slab = partial_[i]) {
      unlink(*slab);
      while (slab->free > 0) {
        FreeBlock* const block = slab->first;
        slab->first = block->next;
        --slab->free;
        block->next = taken.first;
        taken.first = block;
        ++taken.count;
      }
      if (taken.count >= enough) break;
    }
    return taken.first ? taken : cut(i);
  }
  /// Takes back up to `count` blocks from the front of a list, and returns the rest of the list.
  FreeBlock* give_back(FreeBlock* first, std::int32_t count) noexcept {
    const FlagLock lock(flag_);
    while (first && count > 0) {
      FreeBlock* const begin = first;
      Slab& slab = Slab::of(begin);
      std::uint32_t blocks = 0;  // successive ones of the same slab, which go back at once
      FreeBlock* last = nullptr;
      do {
        last = first;
        first = last->next;
        ++blocks;
      } while (--count > 0 && first && &Slab::of(first) == &slab);
      if (slab.free == 0) link(slab);
      last->next = slab.first;
      slab.first = begin;
      slab.free += blocks;
      if (slab.free == slab.blocks) {
        unlink(slab);
        give_back(slab);
      }
    }
    return first;
  }

 private:
  /// Cuts a new slab, and returns all of its blocks.
  Blocks cut(std::size_t i) {
    if (!first_) add_region();
    Region& region = *first_;
    char* memory = reinterpret_cast<char*>(region.first);
    if (memory) {
      region.first = region.first->next;
    } else {
      memory = region.fresh;
      region.fresh += Slab::size;
      --region.fresh_slabs;
    }
    ++region.used;
    if (!region.has_slab()) unlink(region);

    constexpr std::size_t head = (sizeof(Slab) + step - 1) / step * step;
    const std::size_t size = i * step, count = (Slab::size - head) / size;
    ::new (static_cast<void*>(memory)) Slab(region, count, i);
    char* block = memory + head + count * size;
    FreeBlock* first = nullptr;
    for (std::size_t left = count; left > 0; --left) {
      block -= size;
      first = ::new (static_cast<void*>(block)) FreeBlock{first};
    }
    return {first, static_cast<std::int32_t>(count)};
  }
  void give_back(Slab& slab) noexcept {
    Region& region = slab.region;
    if (!region.has_slab()) link(region);
    region.first = ::new (static_cast<void*>(&slab)) FreeSlab{region.first};
    if (--region.used == 0 && region.next) {  // the last region of the list is kept for the next time
      unlink(region);
      ::operator delete(&region);
    }
  }
  void add_region() {
    constexpr std::uint32_t most = 256;
    char* const memory = static_cast<char*>(::operator new(sizeof(Region) + (slabs_ + 1) * Slab::size));
    const auto begin = reinterpret_cast<std::uintptr_t>(memory + sizeof(Region));
    link(*::new (static_cast<void*>(memory))
             Region(memory + sizeof(Region) + (Slab::size - begin % Slab::size) % Slab::size, slabs_));
    if (slabs_ < most) slabs_ *= 2;
  }

  template <class T>
  static void link(T& item, T*& first) noexcept {
    item.prev = nullptr;
    item.next = first;
    if (first) first->prev = &item;
    first = &item;
  }
  template <class T>
  static void unlink(T& item, T*& first) noexcept {
    (item.prev ? item.prev->next : first) = item.next;
    if (item.next) item.next->prev = item.prev;
  }
  void link(Region& region) noexcept { link(region, first_); }
  void unlink(Region& region) noexcept { unlink(region, first_); }
  void link(Slab& slab) noexcept { link(slab, partial_[slab.size_class]); }
  void unlink(Slab& slab) noexcept { unlink(slab, partial_[slab.size_class]); }

  std::atomic_flag flag_;
  std::uint32_t slabs_ = 4;  // how many the next region will have
  Region* first_ = nullptr;
  std::array<Slab*, classes> partial_{};
};

inline constinit Slabs all_slabs;

/// The lists of one thread. They have no destructor, so that a block can be given back after the thread's other objects
/// are destroyed. For example, a global variable may hold a task.
struct Pool {
  static constexpr std::int32_t most = 1 << 18;  // how many bytes a list may keep

  struct Kept {
    FreeBlock* first = nullptr;
    std::int32_t room = 0;  // how many more blocks may be kept
  };

  std::array<Kept, Slabs::classes> kept{};
  bool is_open = false;    // the lists will be emptied at the end of the thread, or have been
  bool is_closed = false;  // the lists have been emptied, and keep no blocks any more

  static constexpr std::size_t index(std::size_t size) noexcept { return (size + Slabs::step - 1) / Slabs::step; }
  static constexpr std::int32_t room_for(std::size_t i) noexcept {
    return most / static_cast<std::int32_t>(i * Slabs::step);
  }

  void open() noexcept {
    is_open = true;
    for (std::size_t i = 1; i < kept.size(); ++i) kept[i].room = room_for(i);
  }
  void close() noexcept {
    is_closed = true;
    for (Kept& list : kept) {
      all_slabs.give_back(list.first, std::numeric_limits<std::int32_t>::max());
      list = Kept();
    }
  }
};

inline thread_local constinit Pool thread_pool;

/// Empties the lists of its thread at the end of the thread.
struct PoolGuard {
  PoolGuard() noexcept { thread_pool.open(); }
  ~PoolGuard() { thread_pool.close(); }
};

void open_thread_pool();
/// Called if there is no room in the list of this size: half of its blocks then go back to the slabs. Also called if
/// this thread has not opened its lists yet, if it has emptied them at its end, or if there is no list for this size.
void deallocate_slowly(void* block, std::size_t size) noexcept;

ERRAND_READS_THREAD_LOCAL inline void* allocate_kept(std::size_t size) noexcept {
  const std::size_t i = Pool::index(size);
  if (i < Slabs::classes) [[likely]] {
    Pool::Kept& list = thread_pool.kept[i];
    if (FreeBlock* block = list.first) [[likely]] {
      list.first = block->next;
      ++list.room;
      return block;
    }
  }
  return nullptr;
}

ERRAND_READS_THREAD_LOCAL inline void* allocate(std::size_t size) {
  void* const block = allocate_kept(size);
  return block ? block : allocate_from_slab(size);
}

ERRAND_READS_THREAD_LOCAL inline void deallocate(void* block, std::size_t size) noexcept {
  const std::size_t i = Pool::index(size);
  if (i < Slabs::classes) [[likely]] {
    Pool::Kept& list = thread_pool.kept[i];
    if (--list.room >= 0) [[likely]] {
      list.first = ::new (block) FreeBlock{list.first};
      return;
    }
  }
  deallocate_slowly(block, size);
}

#if ERRAND_DEFINES

ERRAND_NOINLINE ERRAND_ONCE void open_thread_pool() {
  static thread_local PoolGuard guard;
  (void)guard;
}

ERRAND_NOINLINE ERRAND_ONCE void* allocate_from_slab(std::size_t size) {
  const std::size_t i = Pool::index(size);
  if (i >= Slabs::classes || !keeps_blocks()) return ::operator new(size);
  if (!thread_pool.is_open) open_thread_pool();
  Slabs::Blocks blocks = all_slabs.take(i);
  FreeBlock* const block = blocks.first;
  if (thread_pool.is_closed) {
    all_slabs.give_back(block->next, blocks.count - 1);
  } else {
    thread_pool.kept[i].first = block->next;
    thread_pool.kept[i].room -= blocks.count - 1;
  }
  return block;
}

ERRAND_NOINLINE ERRAND_ONCE void deallocate_slowly(void* block, std::size_t size) noexcept {
  const std::size_t i = Pool::index(size);
  if (i >= Slabs::classes) return free_sized(block, size);
  Pool::Kept& list = thread_pool.kept[i];
  if (!keeps_blocks()) {
    list.room = 0;  // undoes the decrement in `deallocate`: there is no room
    return free_sized(block, size);
  }
  if (!thread_pool.is_open) {
    open_thread_pool();
    --list.room;
  }
  list.first = ::new (block) FreeBlock{list.first};
  if (thread_pool.is_closed) {
    list.first = all_slabs.give_back(list.first, 1);
    list.room = 0;
  } else if (list.room < 0) {
    const std::int32_t half = Pool::room_for(i) / 2;
    list.first = all_slabs.give_back(list.first, half);
    list.room += half;
  }
}

#endif

}  // namespace errand::detail

#include <errand/detail/epilogue.hpp>
