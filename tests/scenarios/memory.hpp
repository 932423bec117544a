// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

// The memory of this program: every block is counted, knows its size, and can be refused. Only one source may include
// this, since it replaces the global operators.

namespace memory {

inline std::atomic<long> live = 0;     // blocks
inline std::atomic<long> asked = 0;    // since `refuse`, by those who are not spared
inline std::atomic<long> first = 0;    // the first that is refused; 0: none is
inline std::atomic<long> last = 0;     // the last one
inline std::atomic<long> refused = 0;  // since `refuse`
inline thread_local int spared = 0;

/// From now on these allocations fail, counted from 1.
inline void refuse(long from, long to) noexcept {
  asked = refused = 0;
  first = from;
  last = to;
}
inline void refuse_none() noexcept { first = 0; }

/// While one lives, what this thread asks for is given: the check's own needs.
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

/// For a breakpoint: who asks for it sees the failure from where it happens.
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

// Out of line: GCC takes what it inlines of them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) { return memory::get(size); }
[[gnu::noinline]] void operator delete(void* block) noexcept { memory::give_back(block, nullptr); }
[[gnu::noinline]] void operator delete(void* block, std::size_t size) noexcept { memory::give_back(block, &size); }
