// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

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

/// A slab that was given back.
struct FreeSlab {
  FreeSlab* next;
};

/// A piece of memory that slabs are cut from. It is freed when none of them is in use.
struct Region {
  Region* prev = nullptr;  // among those that have a slab left
  Region* next = nullptr;
  FreeSlab* first = nullptr;
  char* fresh;  // the first slab that was never used
  std::uint32_t fresh_slabs;
  std::uint32_t used = 0;

  Region(char* first_slab, std::uint32_t slabs) noexcept : fresh(first_slab), fresh_slabs(slabs) {}
  bool has_slab() const noexcept { return first || fresh_slabs > 0; }
};

/// Blocks of one size. It stands at a multiple of its own size, which is how a block finds it. A block that no thread
/// keeps is retired; when all of its blocks are, the slab can be used anew.
struct Slab {
  static constexpr std::size_t size = 8192;

  Region& region;
  const std::uint32_t blocks;
  std::atomic<std::uint32_t> retired = 0;

  Slab(Region& of, std::uint32_t count) noexcept : region(of), blocks(count) {}

  inline static void retire(void* block, std::uint32_t count = 1) noexcept;
};

/// The regions, for all threads. Nothing here has a destructor to run: it serves to the very end.
class Slabs {
 public:
  /// Memory for a slab, and its region. Throws `std::bad_alloc`.
  std::pair<Region*, char*> take() {
    const Lock lock(flag_);
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
    return {&region, memory};
  }
  void give_back(Slab& slab) noexcept {
    const Lock lock(flag_);
    Region& region = slab.region;
    if (!region.has_slab()) link(region);
    region.first = ::new (static_cast<void*>(&slab)) FreeSlab{region.first};
    if (--region.used == 0 && region.next) {  // one is left for the next time
      unlink(region);
      ::operator delete(&region);
    }
  }

 private:
  class Lock {
   public:
    explicit Lock(std::atomic_flag& flag) noexcept : flag_(flag) {
      while (flag_.test_and_set(std::memory_order_acquire)) flag_.wait(true, std::memory_order_relaxed);
    }
    ~Lock() {
      flag_.clear(std::memory_order_release);
      flag_.notify_one();
    }

   private:
    std::atomic_flag& flag_;
  };

  void add_region() {
    constexpr std::uint32_t most = 128;
    char* const memory = static_cast<char*>(::operator new(sizeof(Region) + (slabs_ + 1) * Slab::size));
    const auto begin = reinterpret_cast<std::uintptr_t>(memory + sizeof(Region));
    link(*::new (static_cast<void*>(memory))
             Region(memory + sizeof(Region) + (Slab::size - begin % Slab::size) % Slab::size, slabs_));
    if (slabs_ < most) slabs_ *= 2;
  }
  void link(Region& region) noexcept {
    region.prev = nullptr;
    region.next = first_;
    if (first_) first_->prev = &region;
    first_ = &region;
  }
  void unlink(Region& region) noexcept {
    (region.prev ? region.prev->next : first_) = region.next;
    if (region.next) region.next->prev = region.prev;
  }

  std::atomic_flag flag_;
  std::uint32_t slabs_ = 8;  // of the next region
  Region* first_ = nullptr;
};

inline constinit Slabs all_slabs;

inline void Slab::retire(void* block, std::uint32_t count) noexcept {
  Slab* slab = reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) / size * size);
  const std::uint32_t all = slab->blocks;  // afterwards it may be another thread's
  if (slab->retired.fetch_add(count, std::memory_order_acq_rel) + count == all) all_slabs.give_back(*slab);
}

/// The lists of one thread. Trivially destructible, so that what is freed after the thread's other objects are gone, a
/// task in a global for one, still frees well.
struct Pool {
  static constexpr std::size_t step = 16, classes = 65;
  static constexpr std::size_t head = (sizeof(Slab) + step - 1) / step * step;
  static constexpr std::size_t most = 1u << 22;  // bytes that are kept at most

  struct Block {
    Block* next;
  };
  struct Kept {
    Block* first = nullptr;
    char* next = nullptr;        // the first block of the newest slab that was never handed out
    std::uint32_t uncarved = 0;  // how many there are
  };

  Kept kept[classes];
  std::size_t room = 0;  // how many more bytes may be kept
  bool is_open = false;  // the thread's end will drain the lists, or has done it

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
    const auto [region, memory] = all_slabs.take();
    const auto count = static_cast<std::uint32_t>((Slab::size - head) / (i * step));
    ::new (static_cast<void*>(memory)) Slab(*region, count);
    kept[i].next = memory + head;
    kept[i].uncarved = count;
  }

  void open() noexcept {
    is_open = true;
    room = most;
  }
  void close() noexcept {
    room = 0;
    for (Kept& list : kept) {
      while (Block* block = list.first) {
        list.first = block->next;
        Slab::retire(block);
      }
      if (list.uncarved > 0) Slab::retire(list.next, list.uncarved);
      list.uncarved = 0;
    }
  }
};

inline thread_local constinit Pool thread_pool;

struct PoolGuard {
  PoolGuard() noexcept { thread_pool.open(); }
  ~PoolGuard() { thread_pool.close(); }
};

#if ERRAND_KEEP_BLOCKS

ERRAND_NOINLINE inline void open_thread_pool() {
  static thread_local PoolGuard guard;
  (void)guard;
}

ERRAND_NOINLINE inline void* allocate_anew(std::size_t size) {
  if (!thread_pool.is_open) open_thread_pool();
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
    open_thread_pool();
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
