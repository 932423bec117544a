#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests with other compilers, standards, optimisation levels and checks. Each such combination is a cell.
# Prints one line for each cell, with the number of tests that passed and the seconds that the cell took. Fails if a
# cell fails. If the compiler of a cell is not installed, the cell is skipped, and its line says so.
#
#   tests/matrix.sh [CELL...]
#
# A cell is written COMPILER:STANDARD:LEVEL:CHECK, for example g++-12:20:O2:plain or clang++-19/libc++:23:O1:address.
# If :1, :2 or :3 follows, the cell has only this third of the test files. The checks are plain, address
# (AddressSanitizer and UndefinedBehaviorSanitizer), thread (ThreadSanitizer, for the tests with threads), debug (the
# checks of libstdc++) and memcheck (valgrind, with the pools on). If no cell is given, the cells at the end of this
# file run. In them each compiler and each check has all files, or thirds that add up to all files. If FILTER is set,
# every cell has only the test files that match it.
#
# There is no cell for GCC 11, which errand does not support: it crashes on coroutines of the tests themselves.
set -uo pipefail
cd "$(dirname "$0")/.."

threads="thread|worker|remote|reactor|task_scope"
some="conformance/(run|registry|results|cancellation|many)|lifetime|task_test|queue|generator|finally"

thirds=("" "conformance/" "/[a-l][a-z_]*_test" "/[m-z][a-z_]*_test")

cell() {
  local compiler standard level check third
  IFS=: read -r compiler standard level check third <<<"$1"
  local cxx=${compiler%/*} flags="-$level" filter=${FILTER:-${thirds[third]}} run=() begun=$SECONDS
  local build=build/matrix/${1//[:\/+]/-}
  command -v "$cxx" >/dev/null || { printf '%-36s skipped: no %s\n' "$1" "$cxx" && return; }
  [[ $compiler != */* ]] || flags+=" -stdlib=${compiler#*/}"
  case $check in
    plain) ;;
    address)
      flags+=" -g1 -fsanitize=address,undefined -fno-sanitize-recover=all"
      # This check marks each function with its type, as a distance in the code. Clang 14 copies the mark to the parts
      # into which it splits a coroutine. In the parts of an inline coroutine the mark does not even assemble ("Cannot
      # represent a difference across sections").
      [[ $cxx != clang++-14 ]] || flags+=" -fno-sanitize=function"
      ;;
    thread)
      flags+=" -g1 -fsanitize=thread" filter=${filter:-$threads}
      # ThreadSanitizer does not see the code of libc++.so, which includes std::promise.
      [[ $compiler != */libc++ ]] || run=(env TSAN_OPTIONS=ignore_noninstrumented_modules=1)
      ;;
    debug) flags+=" -D_GLIBCXX_ASSERTIONS -D_GLIBCXX_DEBUG" ;;
    memcheck)
      flags+=" -g1" filter=${filter:-$some}
      run=(valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite)
      ;;
    *) echo "no such check: $check" && return 1 ;;
  esac
  # CMake before 3.20 does not know C++23, and Clang 14 knows it only by the name c++2b.
  [ "$standard" = 20 ] || flags+=" -std=c++2b"
  rm -rf "$build"
  if CXX=$cxx CXXFLAGS=$flags cmake -S . -B "$build" -DERRAND_BUILD_TESTS=ON -DERRAND_BUILD_EXAMPLES=OFF \
    -DCMAKE_BUILD_TYPE=None -DERRAND_TEST_FILTER="$filter" >"$build.log" 2>&1 &&
    cmake --build "$build" -j "${JOBS:-$(nproc 2>/dev/null || echo 2)}" >>"$build.log" 2>&1 &&
    timeout 900 ${run[@]+"${run[@]}"} "$build/tests/errand_tests" >"$build.out" 2>&1; then
    printf '%-36s %5s tests %5d s\n' "$1" "$(sed -n 's/.* in \([0-9]*\) test cases*)$/\1/p' "$build.out")" \
      $((SECONDS - begun))
    rm -rf "$build"
  else
    tail -n 40 "$build.log" "$build.out" 2>/dev/null
    printf '%-36s FAILED\n' "$1"
    return 1
  fi
}

cells=("$@")
[ $# -gt 0 ] || cells=(
  g++-12:20:O3:plain g++-12:20:O2:plain:1 g++-12:23:O1:plain:2 g++-12:23:O1:address:3
  g++-12:20:O1:debug:{1,2} g++-12:20:O2:thread g++-12:20:O1:memcheck
  clang++-14:20:O1:plain clang++-14:20:O3:plain:1 clang++-14:20:O1:address:2
  clang++-16:20:O2:plain clang++-16:20:O1:address:1 clang++-16:20:O1:debug:3
  clang++-19:20:O2:address clang++-19:20:O0:plain:3 clang++-19:20:O3:plain:2 clang++-19:23:O1:plain:1
  clang++-19:20:O1:thread
  clang++-19/libc++:20:O3:plain clang++-19/libc++:20:O1:plain:2 clang++-19/libc++:23:O2:address:{1,3}
  clang++-19/libc++:20:O1:thread
)
mkdir -p build/matrix
failed=0
for each in "${cells[@]}"; do cell "$each" || failed=1; done
exit "$failed"
