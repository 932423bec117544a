#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs that need a build of their own: depth at every optimisation level, and exact allocation counts.
#
#   tests/programs/run.sh
#
# CXX is the compiler, CXXFLAGS are further flags.
set -euo pipefail
cd "$(dirname "$0")/../.."

cxx=${CXX:-g++}
read -ra more <<<"${CXXFLAGS:-}"
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Werror)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

try() {
  local program=$1
  shift
  echo "$program: $cxx $*"
  "$cxx" -std=c++20 -I include "${warnings[@]}" ${more[@]+"${more[@]}"} "$@" "tests/programs/$program.cpp" -o "$out/$program" -pthread
  "$out/$program"
}

try allocations -O1 -DERRAND_KEEP_BLOCKS=0
for level in -O0 -O1 -O2 "-O1 -fsanitize=address"; do
  # shellcheck disable=SC2086
  try deep $level
done
