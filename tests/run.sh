#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs all tests. Installs Catch2 if it is missing and this user can install packages.
#
#   tests/run.sh [BUILD_DIRECTORY [CMAKE_OPTION...]]
#
# CXX and CXXFLAGS are read by CMake. There is debug information only if BUILD_TYPE is Debug, because it takes long to
# write. The output of ctest comes last. If AT_ONCE is set, one process runs all tests, because the start of a process
# for each test takes longer than most tests, and under a sanitizer even seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -d /usr/include/catch2 ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  apt-get update -qq && apt-get install -y -qq catch2 >/dev/null || echo "Catch2 is not packaged here: CMake fetches it"
fi

build=${1:-build/tests}
[ $# -gt 0 ] && shift
jobs=$(nproc 2>/dev/null || echo 2)
cmake -S . -B "$build" -DERRAND_BUILD_TESTS=ON -DCMAKE_BUILD_TYPE="${BUILD_TYPE:-None}" "$@"
cmake --build "$build" -j "$jobs"
if [ -n "${AT_ONCE:-}" ]; then
  "$build/tests/errand_tests"
else
  ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-tests=error
fi
