// SPDX-License-Identifier: MIT
//   bench WORKLOAD N
// prints the nanoseconds and the heap bytes per operation, and a checksum.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "bench.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "bench WORKLOAD N\n");
    return 2;
  }
  const long n = std::atol(argv[2]);
  bench::Memory memory;
  const auto begin = std::chrono::steady_clock::now();
  const long checksum = bench::run(argv[1], n, memory);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  if (checksum == bench::unknown) {
    std::fprintf(stderr, "bench: no workload %s here\n", argv[1]);
    return 3;
  }
  std::printf("%s %.1f ns %.1f bytes %ld\n", argv[1], took.count() / static_cast<double>(n),
              static_cast<double>(memory.grown()) / static_cast<double>(n), checksum);
}
