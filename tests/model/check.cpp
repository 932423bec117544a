// SPDX-License-Identifier: MIT
//
// check [COUNT [FIRST_SEED]]: runs so many random programs on errand and on the model, and compares what is observed.
// With a COUNT of 1 the program is shown as well. Built with ERRAND_FUZZER and -fsanitize=fuzzer, the programs come
// from the fuzzer instead.

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "model.hpp"
#include "real.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

using namespace model;

struct Run {
  Log expected, seen;
  int wrongly_destroyed = 0;
  bool ok() const { return expected == seen && wrongly_destroyed == 0; }
};

Run run(const Program& program) {
  Run made;
  made.expected = Model(program).run();
  Real real(program);
  made.seen = real.run();
  made.wrongly_destroyed = real.wrongly_destroyed();
  return made;
}

/// The operation that comes at this place when all are counted is left out, or replaced by what is in its blocks.
/// False where there are not so many.
bool simplify(Block& block, std::size_t& place, bool keeps_inner) {
  for (auto op = block.begin(); op != block.end(); ++op) {
    if (place-- == 0) {
      const std::vector<Block> inner = std::move(op->blocks);
      auto at = block.erase(op);
      if (!keeps_inner) return true;
      for (const Block& each : inner) at = block.insert(at, each.begin(), each.end()) + static_cast<long>(each.size());
      return true;
    }
    for (Block& inner : op->blocks) {
      if (simplify(inner, place, keeps_inner)) return true;
    }
  }
  return false;
}

bool simplify(Program& program, std::size_t place, bool keeps_inner) {
  for (Block& block : program.body) {
    if (simplify(block, place, keeps_inner)) return true;
  }
  return false;
}

/// A program that fails, and in which no operation can be left out.
Program shrunk(Program program) {
  const auto adopt = [&program](const Program& smaller) {
    if (run(smaller).ok()) return false;
    program = smaller;
    return true;
  };
  for (bool again = true; again;) {
    again = false;
    for (const bool keeps_inner : {false, true}) {
      for (std::size_t place = 0;; ++place) {
        Program smaller = program;
        if (!simplify(smaller, place, keeps_inner)) break;
        if (text_of(smaller) != text_of(program) && adopt(smaller)) again = true, --place;
      }
    }
    Program plainer = program;
    plainer.held = plainer.purge_when_done = false;
    plainer.capacities = {1, 1};
    if (text_of(plainer) != text_of(program)) again |= adopt(plainer);
  }
  return program;
}

void print(const Program& program, const Run& run) {
  std::printf("%s\n", text_of(program).c_str());
  bool differs = false;
  for (std::size_t i = 0; i < std::max(run.expected.size(), run.seen.size()); ++i) {
    const std::string expected = i < run.expected.size() ? text_of(run.expected[i]) : "";
    const std::string seen = i < run.seen.size() ? text_of(run.seen[i]) : "";
    const bool is_first =
        !differs && !(i < run.expected.size() && i < run.seen.size() && run.expected[i] == run.seen[i]);
    differs |= is_first;
    if (!differs) {
      std::printf("     %s\n", expected.c_str());
    } else {
      std::printf("%s  model:  %s\n     errand: %s\n", is_first ? ">>>" : "   ", expected.c_str(), seen.c_str());
    }
  }
  if (run.wrongly_destroyed) std::printf("%d frames or arguments were not destroyed once\n", run.wrongly_destroyed);
}

void print_failure(const Program& program) {
  print(program, run(program));
  const Program smallest = shrunk(program);
  std::printf("\nshrunk:\n");
  print(smallest, run(smallest));
}

}  // namespace

#if defined(ERRAND_FUZZER)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Program program = program_of(Bytes(data, size));
  if (run(program).ok()) return 0;
  print_failure(program);
  std::fflush(stdout);
  std::abort();
}

#else

namespace {

unsigned long long seed;

/// Of a program that does not come to its end.
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

#endif
