// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include <errand/detail/compiler.hpp>

namespace errand::detail {

/// Memory for frames, tasks and callbacks. A block that is given back is kept on a list of its size, one set of lists a
/// thread, and handed out again from there. A block may be given back on another thread than it came from.
void* allocate(std::size_t size);
void deallocate(void* block, std::size_t size) noexcept;

/// Gives a class the pool's `operator new` and `operator delete`.
struct Pooled {
  static void* operator new(std::size_t size) { return allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { deallocate(block, size); }
};

// Implementation

/// A piece of memory that slabs are cut from. It is freed when all of them are retired.
struct Region {
  std::atomic<std::uint32_t> retired = 0;
  const std::uint32_t slabs;

  explicit Region(std::uint32_t count) noexcept : slabs(count) {}

  void retire(std::uint32_t count) noexcept {
    const std::uint32_t all = slabs;  // afterwards another thread may free it
    if (retired.fetch_add(count, std::memory_order_acq_rel) + count == all) ::operator delete(this);
  }
};

/// Blocks of one size. It stands at a multiple of its own size, which is how a block finds it. A block that no thread
/// keeps is retired; the slab is when all of its blocks are.
struct Slab {
  static constexpr std::size_t size = 16384;

  Region& region;
  std::atomic<std::uint32_t> retired = 0;
  const std::uint32_t blocks;

  Slab(Region& of, std::uint32_t count) noexcept : region(of), blocks(count) {}

  static void retire(void* block, std::uint32_t count = 1) noexcept {
    Slab* slab = reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) / size * size);
    const std::uint32_t all = slab->blocks;
    if (slab->retired.fetch_add(count, std::memory_order_acq_rel) + count == all) slab->region.retire(1);
  }
};

/// The lists of one thread. Trivially destructible, so that what is freed after the thread's other objects are gone, a
/// task in a global for one, still frees well.
struct Pool {
  static constexpr std::size_t step = 16, classes = 65;
  static constexpr std::size_t head = (sizeof(Slab) + step - 1) / step * step;
  static constexpr std::size_t most = 1u << 22;    // bytes that are kept at most
  static constexpr std::uint32_t most_slabs = 64;  // in a region: each is twice the one before

  struct Block {
    Block* next;
  };
  struct Kept {
    Block* first = nullptr;
    char* next = nullptr;        // the first block of the newest slab that was never handed out
    std::uint32_t uncarved = 0;  // how many there are
  };

  Kept kept[classes];
  std::size_t room = 0;         // how many more bytes may be kept
  Region* region = nullptr;     // the newest
  std::uint32_t slabs = 0;      // of it, that were never used
  std::uint32_t slabs_was = 1;  // how many it had
  char* next_slab = nullptr;
  bool is_open = false;    // the thread's end will drain the lists
  bool is_closed = false;  // it has

  /// A block of class i has 16 * i bytes.
  static constexpr std::size_t index(std::size_t size) noexcept { return (size + step - 1) / step; }

  void* carve(std::size_t i) {
    Kept& list = kept[i];
    if (list.uncarved == 0) [[unlikely]]
      start_slab(i);
    --list.uncarved;
    char* block = list.next;
    list.next = block + i * step;
    return block;
  }

  ERRAND_NOINLINE void start_slab(std::size_t i) {
    if (slabs == 0) start_region();
    const auto count = static_cast<std::uint32_t>((Slab::size - head) / (i * step));
    kept[i].next = next_slab + head;
    kept[i].uncarved = is_closed ? 1 : count;
    ::new (static_cast<void*>(next_slab)) Slab(*region, count);
    if (is_closed) Slab::retire(next_slab, count - 1);
    --slabs;
    next_slab += Slab::size;
  }
  void start_region() {
    const std::uint32_t count = is_closed ? 1 : slabs_was < most_slabs ? 2 * slabs_was : most_slabs;
    char* const memory = static_cast<char*>(::operator new(sizeof(Region) + (count + 1) * Slab::size));
    region = ::new (static_cast<void*>(memory)) Region(count);
    next_slab = memory + sizeof(Region);
    next_slab += (Slab::size - reinterpret_cast<std::uintptr_t>(next_slab) % Slab::size) % Slab::size;
    slabs = slabs_was = count;
  }

  void open() noexcept {
    is_open = true;
    room = most;
  }
  void close() noexcept {
    is_closed = true;
    room = 0;
    for (Kept& list : kept) {
      while (Block* block = list.first) {
        list.first = block->next;
        Slab::retire(block);
      }
      if (list.uncarved > 0) Slab::retire(list.next, list.uncarved);
      list.uncarved = 0;
    }
    if (slabs > 0) region->retire(slabs);
    slabs = 0;
  }
};

inline thread_local constinit Pool thread_pool;

struct PoolGuard {
  PoolGuard() noexcept { thread_pool.open(); }
  ~PoolGuard() { thread_pool.close(); }
};

#if ERRAND_KEEP_BLOCKS

ERRAND_NOINLINE inline void* allocate_anew(std::size_t size) {
  const std::size_t i = Pool::index(size);
  return i < Pool::classes ? thread_pool.carve(i) : ::operator new(size);
}

ERRAND_READS_THREAD_LOCAL inline void* allocate(std::size_t size) {
  const std::size_t i = Pool::index(size);
  if (i < Pool::classes) [[likely]] {
    Pool::Kept& list = thread_pool.kept[i];
    if (Pool::Block* block = list.first) [[likely]] {
      list.first = block->next;
      thread_pool.room += i * Pool::step;
      return block;
    }
  }
  return allocate_anew(size);
}

ERRAND_NOINLINE inline void deallocate_for_good(void* block, std::size_t size) noexcept {
  if (Pool::index(size) >= Pool::classes) return free_sized(block, size);
  if (!thread_pool.is_open) {
    static thread_local PoolGuard guard;
    (void)guard;
    return deallocate(block, size);
  }
  Slab::retire(block);
}

ERRAND_READS_THREAD_LOCAL inline void deallocate(void* block, std::size_t size) noexcept {
  const std::size_t i = Pool::index(size);
  if (i < Pool::classes && thread_pool.room >= i * Pool::step) [[likely]] {
    Pool::Kept& list = thread_pool.kept[i];
    thread_pool.room -= i * Pool::step;
    list.first = ::new (block) Pool::Block{list.first};
    return;
  }
  deallocate_for_good(block, size);
}

#else

inline void* allocate(std::size_t size) { return ::operator new(size); }
inline void deallocate(void* block, std::size_t size) noexcept { free_sized(block, size); }

#endif

}  // namespace errand::detail
