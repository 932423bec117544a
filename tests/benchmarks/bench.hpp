// SPDX-License-Identifier: MIT
#pragma once

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace bench {

/// Measures how many bytes the heap grows between `begin` and `end`.
class Memory {
 public:
  void begin() { at_begin_ = used(); }
  void end() { grown_ = used() - at_begin_; }
  std::size_t grown() const { return grown_; }

 private:
  static std::size_t used() {
    const auto heap = ::mallinfo2();
    return heap.uordblks + heap.hblkhd;
  }
  std::size_t at_begin_ = 0;
  std::size_t grown_ = 0;
};

/// Gives the same numbers to all contestants.
class Random {
 public:
  long operator()(long below) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<long>((state_ >> 33) % static_cast<std::uint64_t>(below));
  }

 private:
  std::uint64_t state_ = 1;
};

inline constexpr long unknown = std::numeric_limits<long>::min();

/// Does `n` operations of a workload. Returns a checksum, or `unknown` if this contestant does not have the workload.
/// Each contestant defines this function.
long run(std::string_view workload, long n, Memory& memory);

}  // namespace bench
