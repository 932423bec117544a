#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs that need a build of their own: depth and scale at every optimisation level, exact allocation counts, and with "threads"
# those with threads.
#
#   tests/programs/run.sh [threads]
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
  (ulimit -s "$stack" && "$out/$program" ${arguments[@]+"${arguments[@]}"})
}
arguments=()
stack=1024

if [ "${1:-}" = threads ]; then
  tests/programs/interrupts.sh
  stack=$(ulimit -s)
  arguments=(1000) && try workers_loop -O1 -g -fsanitize=thread
  arguments=(10) && try soak -O1 -g -fsanitize=address,undefined -DERRAND_KEEP_BLOCKS=0
  exit
fi

try allocations -O1 -DERRAND_KEEP_BLOCKS=0
for level in -O0 -O1 -O2 "-O1 -fsanitize=address"; do
  # shellcheck disable=SC2086
  try deep $level
  # shellcheck disable=SC2086
  arguments=(100000) && try scale $level && arguments=()
done
