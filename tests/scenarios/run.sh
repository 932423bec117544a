#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs scenarios that are torn down after every step and starved of memory at every allocation.
#
#   tests/scenarios/run.sh [short]
#
# CXX is the compiler. CXXFLAGS are flags. They replace those of a quick build with AddressSanitizer and
# UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra flags <<<"${CXXFLAGS:--O0 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"${CXX:-g++}" -std=c++20 -I include -Wall -Wextra -Wpedantic -Wshadow -Werror -DERRAND_KEEP_BLOCKS=0 "${flags[@]}" \
  tests/scenarios/check.cpp -o "$out/check" -pthread
timeout "${TIMEOUT:-600}" "$out/check" "$@"
