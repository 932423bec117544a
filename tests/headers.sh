#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every header compiles alone, and without a warning. CXX is the compiler, CXXFLAGS are further flags.
set -uo pipefail
cd "$(dirname "$0")/.."

check() {
  read -ra more <<<"${CXXFLAGS:-}"
  echo "#include <${1#include/}>" |
    "${CXX:-g++}" -std=c++20 -I include -Wall -Wextra -Wpedantic -Wshadow -Werror ${more[@]+"${more[@]}"} -fsyntax-only -x c++ - ||
    { echo "FAILED $1 does not compile alone"; exit 1; }
}
export -f check
find include -name '*.hpp' | sort | xargs -P "$(nproc 2>/dev/null || echo 2)" -I{} bash -c 'check {}' &&
  echo "every header compiles alone"
