#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzing, guided by coverage: programs for the check against the model (tests/model) grow from the inputs in corpus/.
# If errand and the model differ, the script fails and shows the program, shrunk.
#
#   tests/fuzz/run.sh SECONDS [CORPUS]   keeps new inputs in CORPUS; without CORPUS they are thrown away
#   tests/fuzz/run.sh merge CORPUS       puts the fewest inputs that reach as much into build/fuzz/merged/
#   tests/fuzz/run.sh FILE               runs this one input, for example a finding
#
# CXX is a clang++ with libFuzzer. CXXFLAGS are more flags.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra more <<<"${CXXFLAGS:-}"
build=build/fuzz
mkdir -p "$build"
"${CXX:-clang++-19}" -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I include \
  ${more[@]+"${more[@]}"} tests/fuzz/fuzz.cpp -o "$build/fuzz"
# The longest program needs 1,024 bytes: it has 40 operations, and two bytes for each choice.
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
    # The log has a line for every new input, which is not shown. Its last lines say how much was run and reached.
    "$build/fuzz" "${options[@]}" -max_total_time="$1" -print_final_stats=1 "$found" tests/fuzz/corpus 2>"$build/log" ||
      { tail -n 100 "$build/log" && exit 1; }
    grep -E 'INITED|DONE|number_of_executed_units|peak_rss' "$build/log"
    ;;
esac
