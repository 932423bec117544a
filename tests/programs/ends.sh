#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs programs that must end at once by std::terminate, and checks the messages that they print before.
#
#   tests/programs/ends.sh
#
# CXX is the compiler. CXXFLAGS are more flags.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra more <<<"${CXXFLAGS:-}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CXX:-g++}" -std=c++20 -I include -Wall -Wextra -Wpedantic -Wshadow -Werror ${more[@]+"${more[@]}"} tests/programs/ends.cpp \
  -o "$out/ends" -pthread
ulimit -c 0

# try CASE MESSAGE: the case must end with SIGABRT and print the message
try() {
  local code
  code=$({ timeout 20 "$out/ends" "$1" >"$out/log" 2>&1; echo $?; } 2>/dev/null)
  if [ "$code" != 134 ] || ! grep -qF "$2" "$out/log"; then  # SIGABRT
    echo "FAILED $1: exit code $code" && cat "$out/log" && exit 1
  fi
  echo "ok $1"
}

inside="errand: App 'mine' is destroyed inside its own run or poll, or an abort"
try destroyed_by_a_task "$inside"
try destroyed_by_a_callback_in_poll "$inside"
try destroyed_by_another_thread "$inside"
try destroyed_by_an_abort "$inside"
try task_scope_destroyed_by_another_thread "errand: a TaskScope is destroyed on another thread than that of its tasks"
try scoped_task_destroyed_by_another_thread "errand: a ScopedTask is destroyed on another thread than that of its task"
try descriptor_closed_by_another_thread "errand: a Descriptor is closed on another thread than that of the tasks that wait"
try destructor_of_a_callable_throws ""
