// SPDX-License-Identifier: MIT
//
// An entry for libFuzzer: bytes become a program, which errand and the model must run alike. See run.sh.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../model/compare.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const model::Program program = model::program_of(model::Bytes(data, size));
  if (model::run(program).ok()) return 0;
  model::print_failure(program);
  std::fflush(stdout);
  std::abort();
}
