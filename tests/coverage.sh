#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Measures which lines and branches of each header the tests, the scenarios and the model check run. The numbers are
# gcov's, from a build without optimisation. Fails if less than 98 % of the lines are run. The lines that coverage.txt
# lists do not count.
#
#   tests/coverage.sh [BUILD_DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/coverage}
# Nothing is inlined, not even functions with the attribute always_inline, because a branch would count once for each
# place into which its function is inlined.
flags="--coverage -O0 -fno-inline -Dalways_inline=cold"
CXX=g++ CXXFLAGS=$flags cmake -S . -B "$build" -DERRAND_BUILD_TESTS=ON -DERRAND_BUILD_EXAMPLES=OFF \
  -DCMAKE_BUILD_TYPE=None >/dev/null
cmake --build "$build" -j "$(nproc 2>/dev/null || echo 2)" >"$build/log" 2>&1 || { cat "$build/log" && exit 1; }
find "$build" -name '*.gcda' -delete
ctest --test-dir "$build" -j "$(nproc 2>/dev/null || echo 2)" --output-on-failure --no-tests=error >"$build/log" 2>&1 ||
  { cat "$build/log" && exit 1; }
program() {
  # shellcheck disable=SC2086
  g++ -std=c++20 $flags -DERRAND_KEEP_BLOCKS=0 -I include -I tests "tests/$1/check.cpp" -o "$build/$1" -pthread
  "$build/$1" "$2"
}
program scenarios short
program model 1000
tests/coverage.py "$build" tests/coverage.txt 98
