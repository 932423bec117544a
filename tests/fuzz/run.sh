#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzing, guided by coverage: programs for the check against the model (tests/model) grow from those in corpus/. Fails
# on a finding, and shows the program, shrunk.
#
#   tests/fuzz/run.sh SECONDS [CORPUS]   what is found is kept in CORPUS, else thrown away
#   tests/fuzz/run.sh merge CORPUS       puts the fewest of CORPUS that reach as much into corpus/
#   tests/fuzz/run.sh FILE               runs this one input, say a finding
#
# CXX is a clang++ with libFuzzer, CXXFLAGS are further flags.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra more <<<"${CXXFLAGS:-}"
build=build/fuzz
mkdir -p "$build"
"${CXX:-clang++-19}" -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I include \
  ${more[@]+"${more[@]}"} tests/fuzz/fuzz.cpp -o "$build/fuzz"
# 1,024 bytes make the longest program: two for each choice, 40 operations.
options=(-max_len=1024 -timeout=20 -artifact_prefix="$build/")

case ${1:?how many seconds?} in
  merge)
    mkdir -p "$build/merged"
    "$build/fuzz" "${options[@]}" -merge=1 "$build/merged" tests/fuzz/corpus "${2:?which corpus?}"
    ;;
  *[!0-9]*) "$build/fuzz" "${options[@]}" "$1" ;;
  *)
    found=${2:-$(mktemp -d)}
    [ $# -gt 1 ] || trap 'rm -rf "$found"' EXIT
    mkdir -p "$found"
    # What is not told: every new input. The last lines say how much was run and reached.
    "$build/fuzz" "${options[@]}" -max_total_time="$1" -print_final_stats=1 "$found" tests/fuzz/corpus 2>"$build/log" ||
      { tail -n 100 "$build/log" && exit 1; }
    grep -E 'INITED|DONE|number_of_executed_units|peak_rss' "$build/log"
    ;;
esac
