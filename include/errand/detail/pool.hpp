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

/// Blocks are made in groups, with one allocation each. A block that no thread keeps is retired; the memory goes back
/// when all of its group are.
struct BlockGroup {
  std::atomic<std::uint32_t> retired = 0;
  std::uint32_t blocks;

  explicit BlockGroup(std::uint32_t count) noexcept : blocks(count) {}

  static void retire(void* block, std::uint32_t count = 1) noexcept {
    BlockGroup* group = static_cast<BlockGroup**>(block)[-1];
    const std::uint32_t blocks = group->blocks;  // afterwards another thread may free the group
    if (group->retired.fetch_add(count, std::memory_order_acq_rel) + count == blocks) ::operator delete(group);
  }
};

/// The lists of one thread. Trivially destructible, so that what is freed after the thread's other objects are gone, a
/// task in a global for one, still frees well.
struct Pool {
  /// A block of class i has room for 16 * i + 8 bytes, behind a pointer to its group.
  static constexpr std::size_t step = 16, classes = 64;
  static constexpr std::uint32_t most_bytes = 1u << 18;  // kept for each class

  struct Block {
    Block* next;
  };
  struct Kept {
    Block* first = nullptr;
    std::uint32_t room = 0;      // how many more may be kept
    std::uint32_t uncarved = 0;  // blocks of the newest group that were never handed out
    char* next = nullptr;        // the first of them
  };

  Kept kept[classes];
  bool is_open = false;    // the thread's end will drain the lists
  bool is_closed = false;  // it has

  static std::size_t index(std::size_t size) noexcept { return (size + 7) / step; }
  static std::size_t bytes(std::size_t index) noexcept { return (index + 1) * step; }  // with the pointer
  static std::uint32_t group_size(std::size_t index) noexcept {
    return static_cast<std::uint32_t>(bytes(index) < 512 ? 8192 / bytes(index) : 16);
  }

  void* carve(std::size_t i) {
    Kept& list = kept[i];
    if (list.uncarved == 0) {
      const std::uint32_t count = is_closed ? 1 : group_size(i);
      char* memory = static_cast<char*>(::operator new(sizeof(BlockGroup) + count * bytes(i)));
      ::new (static_cast<void*>(memory)) BlockGroup(count);
      list.next = memory;
      list.uncarved = count;
      BlockGroup* group = reinterpret_cast<BlockGroup*>(memory);
      for (std::uint32_t k = 0; k < count; ++k) {
        ::new (static_cast<void*>(memory + sizeof(BlockGroup) + k * bytes(i))) BlockGroup*(group);
      }
      list.next = memory + sizeof(BlockGroup) + sizeof(BlockGroup*);
    }
    --list.uncarved;
    char* block = list.next;
    list.next += bytes(i);
    return block;
  }

  void open() noexcept {
    is_open = true;
    for (std::size_t i = 0; i < classes; ++i) kept[i].room = static_cast<std::uint32_t>(most_bytes / bytes(i));
  }
  void close() noexcept {
    is_closed = true;
    for (Kept& list : kept) {
      list.room = 0;
      while (Block* block = list.first) {
        list.first = block->next;
        BlockGroup::retire(block);
      }
      if (list.uncarved > 0) BlockGroup::retire(list.next, list.uncarved);
      list.uncarved = 0;
    }
  }
};

static_assert(sizeof(BlockGroup) == sizeof(BlockGroup*), "a block is aligned as operator new aligns");

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

ERRAND_NOINLINE inline void* allocate(std::size_t size) {
  const std::size_t i = Pool::index(size);
  if (i < Pool::classes) [[likely]] {
    Pool::Kept& list = thread_pool.kept[i];
    if (Pool::Block* block = list.first) [[likely]] {
      list.first = block->next;
      ++list.room;
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
  BlockGroup::retire(block);
}

ERRAND_NOINLINE inline void deallocate(void* block, std::size_t size) noexcept {
  const std::size_t i = Pool::index(size);
  if (i < Pool::classes) [[likely]] {
    Pool::Kept& list = thread_pool.kept[i];
    if (list.room > 0) [[likely]] {
      --list.room;
      list.first = ::new (block) Pool::Block{list.first};
      return;
    }
  }
  deallocate_for_good(block, size);
}

#else

inline void* allocate(std::size_t size) { return ::operator new(size); }
inline void deallocate(void* block, std::size_t size) noexcept { free_sized(block, size); }

#endif

}  // namespace errand::detail
