// SPDX-License-Identifier: MIT
//
// The entry point for libFuzzer. It makes a program of the bytes and runs it on errand and on the model, which must log
// the same events. See run.sh.

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
