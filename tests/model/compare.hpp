// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>

#include "model.hpp"
#include "real.hpp"

namespace model {

// Running a program on errand and on the model

struct Run {
  Log expected, seen;
  int wrongly_destroyed = 0;
  bool ok() const { return expected == seen && wrongly_destroyed == 0; }
};

inline Run run(const Program& program) {
  Run made;
  made.expected = Model(program).run();
  Real real(program);
  made.seen = real.run();
  made.wrongly_destroyed = real.wrongly_destroyed();
  return made;
}

/// Leaves out the operation with the number `place`, if all operations are counted in order. With `keeps_inner`, the
/// operations of its blocks take its place. Returns false if there are not so many operations.
inline bool simplify(Block& block, std::size_t& place, bool keeps_inner) {
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

inline bool simplify(Program& program, std::size_t place, bool keeps_inner) {
  for (Block& block : program.body) {
    if (simplify(block, place, keeps_inner)) return true;
  }
  return false;
}

/// Returns a program that still fails, and from which no operation can be left out.
inline Program shrunk(Program program) {
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

inline void print(const Program& program, const Run& run) {
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

inline void print_failure(const Program& program) {
  print(program, run(program));
  const Program smallest = shrunk(program);
  std::printf("\nshrunk:\n");
  print(smallest, run(smallest));
}

}  // namespace model
