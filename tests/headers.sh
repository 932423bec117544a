#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every header compiles alone, without a warning, and to no code: nobody pays for what he does not use. CXX is the
# compiler, CXXFLAGS are further flags.
set -uo pipefail
cd "$(dirname "$0")/.."
export OBJECTS
OBJECTS=$(mktemp -d) && trap 'rm -rf "$OBJECTS"' EXIT

check() {
  read -ra more <<<"${CXXFLAGS:-}"
  object=$OBJECTS/${1//\//+}.o
  echo "#include <${1#include/}>" |
    "${CXX:-g++}" -std=c++20 -O1 -I include -Wall -Wextra -Wpedantic -Wshadow -Werror ${more[@]+"${more[@]}"} \
      -c -x c++ - -o "$object" ||
    { echo "FAILED $1 does not compile alone"; exit 1; }
  # A class whose first virtual function becomes inline only below is emitted everywhere, with all that it reaches.
  ! nm -C "$object" | grep errand:: || { echo "FAILED $1 leaves code in a program that does not use it"; exit 1; }
}
export -f check
find include -name '*.hpp' | sort | xargs -P "$(nproc 2>/dev/null || echo 2)" -I{} bash -c 'check {}' &&
  echo "every header compiles alone"
