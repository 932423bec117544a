// SPDX-License-Identifier: MIT
//
// check [COUNT [FIRST_SEED]]: runs COUNT random programs on errand and on the model, and compares their logs. If COUNT
// is 1, it also shows the program. (tests/fuzz has programs that a fuzzer looks for.)

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "compare.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

using namespace model;

unsigned long long seed;

/// Called if a program crashes or aborts.
void tell_seed() { std::fprintf(stderr, "seed %llu: `check 1 %llu` shows the program\n", seed, seed); }

void tell_seed_and_die(int signal) {
  tell_seed();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned long long count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000;
  const unsigned long long first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(tell_seed);
#else
  std::signal(SIGSEGV, tell_seed_and_die);
#endif
  std::signal(SIGABRT, tell_seed_and_die);
  for (seed = first; seed < first + count; ++seed) {
    const Program program = program_of(Bytes(seed));
    if (count == 1) {
      std::printf("%s\n", text_of(program).c_str());
      std::fflush(stdout);
    }
    if (run(program).ok()) continue;
    std::printf("seed %llu\n", seed);
    print_failure(program);
    return 1;
  }
  std::printf("%llu programs, from seed %llu: errand and the model agree\n", count, first);
}
