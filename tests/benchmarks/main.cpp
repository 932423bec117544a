// SPDX-License-Identifier: MIT
//   bench WORKLOAD N [TIMES]
// does N operations, TIMES times. Prints the nanoseconds an operation of the last time, the heap bytes an operation of
// the first time, and a checksum.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "bench.hpp"

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "bench WORKLOAD N [TIMES]\n");
    return 2;
  }
  const long n = std::atol(argv[2]);
  const int times = argc == 4 ? std::atoi(argv[3]) : 1;
  bench::Memory memory;
  for (int i = 1; i < times; ++i) (void)bench::run(argv[1], n, memory);
  bench::Memory memory_of_last;
  const auto begin = std::chrono::steady_clock::now();
  const long checksum = bench::run(argv[1], n, times > 1 ? memory_of_last : memory);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  if (checksum == bench::unknown) {
    std::fprintf(stderr, "bench: no workload %s here\n", argv[1]);
    return 3;
  }
  std::printf("%s %.1f ns %.1f bytes %ld\n", argv[1], took.count() / static_cast<double>(n),
              static_cast<double>(memory.grown()) / static_cast<double>(n), checksum);
}
