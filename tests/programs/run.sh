#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs that need a build of their own: depth and scale at every optimization level, exact allocation counts, and
# system calls that fail.
# With "threads", the programs that use threads. "races" runs for so many seconds, "calls" makes so many thread calls.
#
#   tests/programs/run.sh [threads | races [SECONDS [SEED]] | calls [CALLS [SEED]]]
#
# CXX is the compiler. CXXFLAGS are more flags.
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

# Puts delays before all accesses to memory that threads share: see delays.cpp. Uses only GCC, because its
# ThreadSanitizer is a shared library.
races() {
  local wrapped=(pthread_mutex_{lock,unlock} __tsan_atomic{8,32,64}_{load,store,exchange,fetch_add,fetch_sub})
  g++ -std=c++20 -O1 "${warnings[@]}" -c tests/programs/delays.cpp -o "$out/delays.o"
  local cxx=g++ more=() arguments=("$@") stack
  stack=$(ulimit -s)
  try races -O1 -g -fsanitize=thread "$out/delays.o" "${wrapped[@]/#/-Wl,--wrap=}"
}

if [ "${1:-}" = races ]; then
  races "${@:2}"
  exit
fi
if [ "${1:-}" = calls ]; then
  stack=$(ulimit -s)
  arguments=("${@:2}") && try calls -O1 -g -fsanitize=thread
  exit
fi
if [ "${1:-}" = threads ]; then
  tests/programs/interrupts.sh
  stack=$(ulimit -s)
  arguments=(1000) && try workers_loop -O1 -g -fsanitize=thread
  races 10
  arguments=(30000) && try calls -O1 -g -fsanitize=thread
  arguments=(10) && try soak -O1 -g -fsanitize=address,undefined -DERRAND_KEEP_BLOCKS=0
  exit
fi

# Bugs of Clang's, which a page describes. GCC must not have them.
try optional_reset -O2 || { [[ $? != 127 && $cxx == clang* ]] && echo "optional_reset: $cxx has the fault"; }
try throwing_argument -O0 -fsanitize=address || { [[ $cxx == clang* ]] && echo "throwing_argument: $cxx has the fault"; }
# Python replaces a few bytes that belong together by one U+FFFD, errand each of them.
check_json='
import json, re, sys
tasks = json.loads(sys.stdin.buffer.read().decode("utf-8"))
one = lambda text: re.sub("\ufffd+", "\ufffd", text)
wrong = [task for task in tasks if one(task["name"]) != one(bytes.fromhex(task["note"]).decode("utf-8", "replace"))]
assert len(tasks) == 20000 and not wrong, wrong[:1]
assert all(wait["line"] > 0 and wait["file"] == "json.cpp" for task in tasks for wait in task["waits"])
print("json: Python reads 20000 tasks")'
try json -O1 | tail -n 1 | python3 -c "$check_json"
try allocations -O1 -DERRAND_KEEP_BLOCKS=0
if [ "$(uname)" = Linux ]; then
  wrapped=(socket connect bind listen accept4 setsockopt getsockopt getsockname recv send read write pipe epoll_create1
    epoll_ctl epoll_wait ppoll sigaction waitid waitpid syscall)
  try posix_faults -O0 -g1 -fsanitize=address,undefined -DERRAND_KEEP_BLOCKS=0 "${wrapped[@]/#/-Wl,--wrap=}"
fi
for level in -O0 -O1 -O2 "-O1 -fsanitize=address"; do
  # shellcheck disable=SC2086
  try deep $level
  # shellcheck disable=SC2086
  arguments=(100000) && try scale $level && arguments=()
done
