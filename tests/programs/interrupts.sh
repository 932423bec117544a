#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sends SIGINT and SIGTERM to a program. After one signal the program cleans up. After two it ends at once. A third one
# ends the process, whatever the loop is doing.
#
#   tests/programs/interrupts.sh
#
# CXX is the compiler. CXXFLAGS are more flags.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra more <<<"${CXXFLAGS:-}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CXX:-g++}" -std=c++20 -I include ${more[@]+"${more[@]}"} tests/programs/interrupted.cpp -o "$out/interrupted" -pthread

saw() {
  for _ in $(seq 200); do
    grep -q "$1" "$out/log" && return
    sleep 0.05
  done
  echo "FAILED never saw '$1'" && cat "$out/log" && exit 1
}
# try SIGNAL SECONDS SIGNALS EXPECTED: SECONDS is how long the clean-up takes, SIGNALS is 1 or 2
try() {
  : >"$out/log"  # empty the log, because it may still have the output of the run before
  "$out/interrupted" "$2" >"$out/log" &
  local pid=$! started=$SECONDS
  saw ready
  kill -s "$1" "$pid"
  if [ "$3" = 2 ]; then
    saw "cleaning up"
    kill -s "$1" "$pid"
  fi
  wait "$pid"
  [ $((SECONDS - started)) -lt 20 ] || { echo "FAILED $1 took too long" && exit 1; }
  [ "$(paste -sd';' "$out/log")" = "$4" ] || { echo "FAILED $1 x $3" && cat "$out/log" && exit 1; }
  echo "ok $1 x $3"
}

# try_third SIGNAL EXIT_CODE: sends the signal three times to a program that is stuck
try_third() {
  : >"$out/log"
  "$out/interrupted" stuck >"$out/log" &
  local pid=$! started=$SECONDS code=0
  saw ready
  for _ in 1 2 3; do
    kill -s "$1" "$pid"
    sleep 0.2
  done
  wait "$pid" 2>/dev/null || code=$?
  [ $((SECONDS - started)) -lt 20 ] || { echo "FAILED $1 took too long" && exit 1; }
  [ "$code" = "$2" ] || { echo "FAILED $1 x 3: exit code $code" && exit 1; }
  echo "ok $1 x 3"
}

try_third INT 130
try_third TERM 143
for signal in INT TERM; do
  try "$signal" 0 1 "ready;cleaning up;cleaned;local destroyed;stopped;handlers put back"
  try "$signal" 60 2 "ready;cleaning up;local destroyed;stopped;handlers put back"
done
