// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

// The memory of this program: every block is counted, knows its size, and can be refused. Only one source file may
// include this header, because it replaces the global operators.

namespace memory {

inline std::atomic<long> live = 0;     // the number of blocks
inline std::atomic<long> asked = 0;    // allocations since `refuse`, except those that are spared
inline std::atomic<long> first = 0;    // the number of the first allocation to refuse; 0 if none is refused
inline std::atomic<long> last = 0;     // the number of the last allocation to refuse
inline std::atomic<long> refused = 0;  // allocations refused since `refuse`
inline thread_local int spared = 0;

/// From now on the allocations from number `from` to number `to` fail. The next allocation has number 1.
inline void refuse(long from, long to) noexcept {
  asked = refused = 0;
  first = from;
  last = to;
}
inline void refuse_none() noexcept { first = 0; }

/// While an object of this class lives, all allocations of its thread succeed. For the memory that the check itself
/// needs.
class Spare {
 public:
  Spare() noexcept { ++spared; }
  ~Spare() { --spared; }
  Spare(const Spare&) = delete;
};

struct Head {
  std::size_t size;
  std::uint64_t mark;
};
static_assert(sizeof(Head) == __STDCPP_DEFAULT_NEW_ALIGNMENT__);
constexpr std::uint64_t in_use = 0x6572'7261'6e64'2b31;

/// A place for a breakpoint: the stack shows which allocation fails.
[[gnu::noinline]] inline void refuse_this() {
  ++refused;
  throw std::bad_alloc();
}

inline void* get(std::size_t size) {
  if (first > 0 && spared == 0) {
    const long number = ++asked;
    if (number >= first && number <= last) refuse_this();
  }
  auto* head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
  if (!head) throw std::bad_alloc();
  ++live;
  *head = {size, in_use};
  return head + 1;
}

inline void give_back(void* block, const std::size_t* size) noexcept {
  if (!block) return;
  Head* const head = static_cast<Head*>(block) - 1;
  if (head->mark != in_use || (size && *size != head->size)) {
    std::fprintf(stderr, "FAILED a block is freed twice, or with another size than it was made with\n");
    std::abort();
  }
  head->mark = 0;
  --live;
  std::free(head);
}

}  // namespace memory

// These operators are not inlined, because GCC warns of a mismatch of new and delete if it inlines parts of them.
[[gnu::noinline]] void* operator new(std::size_t size) { return memory::get(size); }
[[gnu::noinline]] void operator delete(void* block) noexcept { memory::give_back(block, nullptr); }
[[gnu::noinline]] void operator delete(void* block, std::size_t size) noexcept { memory::give_back(block, &size); }
