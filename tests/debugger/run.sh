#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests of errand/gdb.py: what it prints of a program that hangs, and of a core file, must be what the program has
# written of itself by `dump_tasks`. The program is built by two compilers, with and without optimisation, header-only
# and with ERRAND_COMPILED. The script installs gdb if it can. If it cannot, it says that it skips the tests.
#
#   tests/debugger/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export DEBUGINFOD_URLS=  # gdb asks no server for the debug information of the system's libraries

if ! command -v gdb >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends gdb >/dev/null; } || echo "gdb: not installed"
fi
if [ "$(gdb -nx -batch -ex "python print(6 * 7)" 2>/dev/null)" != 42 ]; then
  echo "skipped: there is no gdb with Python here"
  exit
fi
if ! gdb -nx -batch -ex run --args true 2>/dev/null | grep -q "exited normally"; then
  echo "skipped: gdb may not start a process here"
  exit
fi

# checks VARIANT PROGRAM CHECK [CORE_FILE]: makes a check of check.py, inside gdb
checks() {
  local command=(gdb -q -nx -batch -ex "set pagination off" -ex "source include/errand/gdb.py"
    -ex "source tests/debugger/check.py" -ex "python run(\"$3\")")
  if [ -n "${4:-}" ]; then command+=("$2" "$4"); else command+=(--args "$2" "$2.tables"); fi
  ERRAND_EXPECTED=$2.tables timeout 60 "${command[@]}" >"$2.log" 2>&1 ||
    { cat "$2.log" && echo "FAILED $1: $3" && exit 1; }
  sed -n "s|^checked:|$1:|p" "$2.log"
}
# tries CHECK COMPILER [FLAG...]: builds the program, looks at it while it hangs, and then at its core file
tries() {
  local program sources=(tests/debugger/hang.cpp) variant="${*:2}"
  program=$(mktemp -d "$out/XXXXXX")/hang
  [[ "$variant" != *ERRAND_COMPILED* ]] || sources+=("$out/compiled.cpp")
  "${@:2}" -std=c++20 -g -pthread -Wall -Wextra -Werror -I include "${sources[@]}" -o "$program"
  checks "$variant" "$program" "$1('$program.core')"
  checks "$variant" "$program" "check_core()" "$program.core"
  if [ "$1" = check_everything ]; then
    strip --strip-debug "$program"
    checks "$variant" "$program" "check_without_debug_information()"
  fi
}
tries_snippet() {
  local program=$out/inside
  g++ -std=c++20 -g -pthread -I include examples/snippets/inside.cpp -o "$program"
  checks "examples/snippets/inside.cpp" "$program" "check_snippet('examples/expected/snippet_gdb.txt')"
}
export -f checks tries tries_snippet
export out
echo "#include <errand/compiled.hpp>" >"$out/compiled.cpp"

# Two at a time, and first those that take longest to compile.
xargs -P 2 -I{} bash -euo pipefail -c "{}" <<'END'
tries check_process g++ -O2
tries check_process g++ -O0 -DERRAND_COMPILED
tries check_process clang++-19 -O2
tries check_everything g++ -O0
tries check_process clang++-19 -O0
tries_snippet
END
