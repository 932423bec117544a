// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <errand/detail/compiler.hpp>
#include <new>

namespace errand::detail {

/// Memory for frames, tasks and callbacks. A block that is given back is kept on a list of its size, one set of lists
/// a thread, and handed out again from there. A block may be given back on another thread than it came from.
void* allocate(std::size_t size);
void deallocate(void* block, std::size_t size) noexcept;

/// Gives a class the pool's `operator new` and `operator delete`.
struct Pooled {
  static void* operator new(std::size_t size) { return allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { deallocate(block, size); }
};

// Implementation

/// The lists of one thread. Trivially destructible, so that what is freed after the thread's other objects are gone,
/// a task in a global for one, still frees well: `closed` then sends each block straight back.
struct Pool {
  /// A block is 16 * n + 8 bytes: what common allocators hand out for the same cost as one of 16 * n.
  static constexpr std::size_t step = 16, header = 8, classes = 64;
  static constexpr std::uint32_t most_bytes = 1u << 18;  // kept for each size

  struct Block {
    Block* next;
  };
  struct Kept {
    Block* first = nullptr;
    std::uint32_t bytes = 0;
  };

  Kept kept[classes];
  bool guarded = false;  // the thread's end will drain the lists
  bool closed = false;   // it has

  static std::size_t index(std::size_t size) noexcept { return (size + step - header - 1) / step; }
  static std::size_t bytes(std::size_t index) noexcept { return index * step + header; }

  void drain() noexcept {
    closed = true;
    for (std::size_t i = 0; i < classes; ++i) {
      while (Block* block = kept[i].first) {
        kept[i].first = block->next;
        free_sized(block, bytes(i));
      }
    }
  }
};

inline thread_local constinit Pool thread_pool;

struct PoolGuard {
  PoolGuard() noexcept { thread_pool.guarded = true; }
  ~PoolGuard() { thread_pool.drain(); }
};

ERRAND_NOINLINE inline void guard_pool() noexcept {
  static thread_local PoolGuard guard;
  (void)guard;
}

#if ERRAND_KEEP_BLOCKS

ERRAND_NOINLINE inline void* allocate(std::size_t size) {
  const std::size_t i = Pool::index(size);
  if (i >= Pool::classes) return ::operator new(size);
  Pool::Kept& kept = thread_pool.kept[i];
  if (Pool::Block* block = kept.first) {
    kept.first = block->next;
    kept.bytes -= static_cast<std::uint32_t>(Pool::bytes(i));
    return block;
  }
  return ::operator new(Pool::bytes(i));
}

ERRAND_NOINLINE inline void deallocate(void* block, std::size_t size) noexcept {
  const std::size_t i = Pool::index(size);
  if (i >= Pool::classes) return free_sized(block, size);
  Pool& pool = thread_pool;
  Pool::Kept& kept = pool.kept[i];
  if (kept.bytes >= Pool::most_bytes || pool.closed) return free_sized(block, Pool::bytes(i));
  if (!pool.guarded) guard_pool();
  kept.bytes += static_cast<std::uint32_t>(Pool::bytes(i));
  kept.first = ::new (block) Pool::Block{kept.first};
}

#else

inline void* allocate(std::size_t size) { return ::operator new(size); }
inline void deallocate(void* block, std::size_t size) noexcept { free_sized(block, size); }

#endif

}  // namespace errand::detail
