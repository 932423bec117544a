#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that each program of a directory compiles without a warning, and prints the text of its .expected file.
#
#   tests/usage.sh DIRECTORY [TIMES [NAME...]]
#
# CXX is the compiler, CXXFLAGS are further flags, and LDFLAGS those that only link. ERRAND_INCLUDE is the directory of
# the headers, if it is not include/. EMULATOR is a command that runs a program for another machine, and SUFFIX the end
# of such a program's name.
set -euo pipefail
directory=$(cd "$1" && pwd)
times=${2:-1}
names=("${@:3}")
cd "$(dirname "$0")/.."

cxx=${CXX:-g++}
read -ra more <<<"${CXXFLAGS:-} ${LDFLAGS:-}"
read -ra emulator <<<"${EMULATOR:-}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if [ ${#names[@]} = 0 ]; then
  for source in "$directory"/*.cpp; do names+=("$(basename "$source" .cpp)"); done
fi
for name in "${names[@]}"; do
  source=$directory/$name.cpp
  program=$out/$name${SUFFIX:-}
  "$cxx" -std=c++20 -I "${ERRAND_INCLUDE:-include}" -Wall -Wextra -Wpedantic -Wshadow -Werror ${more[@]+"${more[@]}"} "$source" -o "$program" -pthread
  for _ in $(seq "$times"); do
    ${emulator[@]+"${emulator[@]}"} "$program" | tr -d '\r' >"$out/$name.out"
    diff "$directory/$name.expected" "$out/$name.out"
  done
  echo "usage/$name: as expected, $times times (${more[*]-})"
done
