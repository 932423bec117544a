#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests with other compilers, standards, optimisation levels and checks, and for other machines. Each such
# combination is a cell, and prints one line of a table, with its time and its result. Fails if a cell fails.
#
#   tests/matrix.sh [smoke | short | full | CELL...]
#
# A cell is written [RELEASE@]COMPILER:STANDARD:LEVEL:CHECK[:PART], for example g++-12:20:O2:plain,
# clang++-19/libc++:23:O1:address, windows:20:O1:plain:2 or trixie@g++-14:20:O2:plain.
# - RELEASE is another release of Debian, whose compilers run in a directory with that release. It is made once, and
#   kept in ERRAND_CHROOTS (~/.cache/errand). This needs root, debootstrap, and about 2 GB for each release.
# - COMPILER is a command, or a machine. The programs for a machine run in an emulator: wine, qemu or node.
# - CHECK is plain, which runs the examples and the programs of ../shared/usage too; smoke, which runs only one
#   program of the README; address (AddressSanitizer and UndefinedBehaviorSanitizer); thread (ThreadSanitizer, for the
#   tests with threads); debug (the checks of libstdc++); memcheck (valgrind, with the pools on); headers, which
#   compiles each header alone, with more warnings; or module, which runs programs with `import errand;`.
# - PART is a number from 1 to 6, for this sixth of the test files, or 0 for none of them. These tests link
#   errand::compiled, and of the examples only the programs of the documentation run. Without PART, a cell has all test
#   files and examples, from the headers alone. If FILTER is set, every cell has only the test files that match it.
#
# Each core runs one cell at a time, or JOBS cells run at a time. What a cell needs is installed, if this user can do so,
# Debian has it, and INSTALL is not `no`. Otherwise the cell is skipped, and the table says what it lacks. If all cells
# are skipped, the run fails, unless INSTALL is `no`.
#
# There is no cell for GCC 11, which errand does not support: it crashes on coroutines of the tests themselves. i686 needs
# the qemu of Debian 13 or later: that of Debian 12 gives the thread-locals of one thread to another.
set -uo pipefail
cd "$(dirname "$0")/.."

smoke=({windows,s390x,armhf}:20:O0:smoke)
short=(
  g++-12:20:O1:plain:1 clang++-14:20:O1:plain:2 clang++-19/libc++:20:O1:plain:3
  windows:20:O1:plain:4 s390x:20:O1:plain:5 armhf:20:O1:plain:6
)
full=(
  windows:20:O2:plain:{1,5} s390x:20:O2:plain:{3,5} armhf:20:O2:plain:{1,6}
  trixie@i686:20:O1:plain:2 aarch64:20:O1:plain:4 riscv64:20:O1:plain:5 trixie@web:20:O1:plain:1
  sid@g++-15:20:O1:plain:3 sid@g++-16:20:O1:plain:1 sid@g++-16:20:O2:headers sid@g++-16:20:O1:module
  sid@clang++-21:20:O2:plain:2 sid@clang++-21/libc++:23:O1:plain:6 sid@clang++-21:20:O2:headers
  trixie@g++-13:20:O1:plain:4 trixie@g++-14:20:O2:plain:5 trixie@g++-14:23:O1:address:6
  trixie@clang++-17:20:O1:plain:3 trixie@clang++-17:20:O1:module trixie@clang++-18:20:O1:plain:1
  clang++-14:20:O1:plain:4 clang++-16:20:O1:plain:5 clang++-19/libc++:20:O3:plain:3
  g++-12:20:O3:plain:6 g++-12:20:O1:debug:4 g++-12:20:O1:memcheck clang++-19:20:O1:thread
)

threads="thread|worker|remote|reactor|task_scope"
some="conformance/(run|registry|results|cancellation|many)|lifetime|task_test|queue|generator|finally"
parts=("/main[.]cpp" "conformance/|/natural/" "/[a-f][a-z_]*_test" "/[g-l][a-z_]*_test" "/([m-q]|ta)[a-z_]*_test"
  "/[rs][a-z_]*_test" "/(t[b-z]|[u-z])[a-z_]*_test")
cores=${JOBS:-$(nproc 2>/dev/null || echo 2)}
kept=${ERRAND_CHROOTS:-$HOME/.cache/errand}

# skip TEXT...: ends the cell
skip() { echo "skipped: $*" && exit; }

# need FILE PACKAGE...: installs the packages if there is no such file or command. Skips the cell if there is none then.
need() {
  local installs=""
  [ "${INSTALL:-}" = no ] || ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ] || installs=yes
  [ -z "$installs" ] || flock build/matrix/lock true  # what another cell is installing may be there in part
  [ -e "$1" ] || command -v "$1" >/dev/null && return
  [ -z "$installs" ] || DEBIAN_FRONTEND=noninteractive flock build/matrix/lock bash -c \
    'apt-get update; apt-get install -y -qq --no-install-recommends "$@"' install "${@:2}" >>"$log" 2>&1
  [ -e "$1" ] || command -v "$1" >/dev/null || skip "no $1"
}

# Sets the compiler, and what it needs besides, from its name in the cell.
choose_compiler() {
  local number=${1##*-}
  cxx=${1%/*}
  need cmake cmake && need make make
  need "$cxx" "${cxx/clang++/clang}"
  if [[ $1 == */libc++ ]]; then
    flags+=" -stdlib=libc++" number=${cxx##*-}
    need "/usr/lib/llvm-$number/include/c++/v1/version" libc++{,abi}-"$number"-dev
  fi
  [[ $cxx != clang* || $check == plain ]] || need "/usr/lib/llvm-$number/lib/clang" "libclang-rt-$number-dev"
}

# Sets the compiler for a machine, the emulator, and what CMake has to know of them.
choose_machine() {
  local system=Linux triple architecture=$1
  need cmake cmake && need make make
  case $1 in
    windows)
      system=Windows suffix=.exe cxx=x86_64-w64-mingw32-g++-posix emulator=(/usr/lib/wine/wine64) flags+=" -static"
      need "$cxx" g++-mingw-w64-x86-64-posix && need "${emulator[0]}" wine64
      mkdir -p "$kept"
      export WINEPREFIX=$kept/wine WINEDEBUG=-all
      ;;
    web)
      system=Emscripten suffix=.js cxx=em++ emulator=(node)
      flags+=" -pthread -fexceptions"
      links="-Wno-pthreads-mem-growth -sALLOW_MEMORY_GROWTH -sPROXY_TO_PTHREAD -sEXIT_RUNTIME -sNODERAWFS"
      need em++ emscripten && need node nodejs && need chromedriver chromium-driver && need python3 python3
      options+=("-DCMAKE_TOOLCHAIN_FILE=$(em-config EMSCRIPTEN_ROOT)/cmake/Modules/Platform/Emscripten.cmake")
      ;;
    *)
      case $1 in
        armhf) triple=arm-linux-gnueabihf architecture=arm flags+=" -Wno-psabi" ;;
        i686) triple=i686-linux-gnu architecture=i386 ;;
        *) triple=$1-linux-gnu ;;
      esac
      cxx=$triple-g++ emulator=("qemu-$architecture-static" -L "/usr/$triple")
      need "$cxx" "g++-$triple" && need "${emulator[0]}" qemu-user-static
      ;;
  esac
  options+=(-DCMAKE_SYSTEM_NAME=$system "-DCMAKE_CROSSCOMPILING_EMULATOR=$(IFS=';' && echo "${emulator[*]}")")
  options+=(-DCMAKE_DISABLE_FIND_PACKAGE_{Boost,GTest,PkgConfig,PostgreSQL,Python3}=ON)
}

# Sets what is built and run for the check of the cell.
choose_check() {
  run=(${emulator[@]+"${emulator[@]}"})
  case $check in
    plain)
      programs=examples chosen=^example
      [ -z "$part" ] || programs=snippets chosen=snippet
      ;;
    smoke) programs=snippet_toolbox chosen=snippet_toolbox part=0 ;;
    headers) ;;
    module)
      need ninja ninja-build
      [[ $cxx != clang* ]] || need "${cxx/clang++/clang-scan-deps}" "${cxx/clang++/clang-tools}"
      ;;
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
      [[ $flags != *libc++* ]] || run=(env TSAN_OPTIONS=ignore_noninstrumented_modules=1)
      ;;
    debug) flags+=" -D_GLIBCXX_ASSERTIONS -D_GLIBCXX_DEBUG" ;;
    memcheck)
      need valgrind valgrind
      flags+=" -g1" filter=${filter:-$some}
      run=(valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite)
      ;;
    *) echo "no such check: $check" >>"$log" && exit 1 ;;
  esac
}

# Catch2, version 2, which is a single header, so that it serves each compiler and each machine.
make_catch() {
  local log=build/matrix/catch2.log
  [ -e build/matrix/catch2/Catch2Config.cmake ] && return
  need /usr/include/catch2/catch.hpp catch2
  mkdir -p build/matrix/catch2/include
  cp -r /usr/include/catch2 build/matrix/catch2/include
  cp /usr/lib/cmake/Catch2/Catch*Tests.cmake /usr/lib/cmake/Catch2/Catch.cmake build/matrix/catch2
  cat >build/matrix/catch2/Catch2Config.cmake <<'END'
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
add_library(Catch2::Catch2 INTERFACE IMPORTED)
target_include_directories(Catch2::Catch2 INTERFACE ${CMAKE_CURRENT_LIST_DIR}/include)
END
}

# Each of these is a part of a cell.
configure() {
  rm -rf "$build"
  CXX=$cxx CXXFLAGS=$flags LDFLAGS=$links cmake -S . -B "$build" -DERRAND_BUILD_TESTS=ON -DCMAKE_BUILD_TYPE=None \
    -DCatch2_DIR="$PWD/build/matrix/catch2" -DERRAND_TEST_FILTER="$filter" ${options[@]+"${options[@]}"}
}
run_tests() {
  [ "$part" != 0 ] || return 0
  cmake --build "$build" -j "$jobs" --target errand_tests &&
    timeout 1800 ${run[@]+"${run[@]}"} "$build/tests/errand_tests$suffix" --use-colour no
}
run_programs() {
  [ -n "$programs" ] || return 0
  cmake --build "$build" -j "$jobs" --target "$programs" &&
    ctest --test-dir "$build" -R "$chosen" --output-on-failure --no-tests=error || return
  [ "$check" != smoke ] || return 0
  [ ! -d ../shared/usage ] ||
    EMULATOR=${emulator[*]-} SUFFIX=$suffix CXX=$cxx CXXFLAGS=$flags LDFLAGS=$links tests/usage.sh ../shared/usage || return
  [ "$cxx" != em++ ] || tests/loops/web.sh
}

run_tests_and_programs() {
  [ -e build/matrix/catch2/Catch2Config.cmake ] || skip "no catch2"
  [ -z "$part" ] || options+=(-DERRAND_TEST_COMPILED=ON)
  { configure && run_tests && run_programs; } >>"$log" 2>&1 || return
  sed -nE 's/^All tests passed \(.* in ([0-9]+) test cases?\).*/\1 tests/p; s/.* tests failed out of /programs: /p' \
    "$log" | paste -s -d ' '
  rm -rf "$build"
}

# Runs a cell. Prints its result in one line, and all else into the log.
run_cell() {
  local compiler standard level check part
  local cxx flags links="" filter=${FILTER:-} programs="" chosen="" suffix="" emulator=() options=() run=()
  IFS=: read -r compiler standard level check part <<<"$1"
  flags=-$level
  case $compiler in
    *++*) choose_compiler "$compiler" ;;
    *) choose_machine "$compiler" ;;
  esac
  choose_check
  filter=${filter:-${part:+${parts[part]}}}
  # CMake before 3.20 does not know C++23, and Clang 14 knows it only by the name c++2b.
  [ "$standard" = 20 ] || flags+=" -std=c++2b"
  case $check in
    headers) CXX=$cxx CXXFLAGS=$flags tests/headers.sh >>"$log" 2>&1 && echo "all headers" ;;
    module) CXX=$cxx CXXFLAGS=$flags tests/consumer/module.sh >>"$log" 2>&1 && tail -n 1 "$log" ;;
    *) run_tests_and_programs ;;
  esac
}

# Makes a directory with another release of Debian, if there is none.
make_release() {
  local root=$kept/$1 log=build/matrix/$1.log mirror
  [ ! -e "$root/made" ] || return
  need debootstrap debootstrap
  mirror=$(sed -nE 's/^(URIs:|deb) .*(https?:[^ ]*\/debian).*/\2/p' /etc/apt/sources.list{,.d/*} 2>/dev/null | head -n 1)
  [ -n "$mirror" ] || skip "no mirror of Debian in this machine's sources"
  mkdir -p "$root" && rm -rf "$root"
  debootstrap --variant=minbase "$1" "$root" "$mirror" /usr/share/debootstrap/scripts/sid >"$log" 2>&1 &&
    echo "127.0.0.1 localhost" >"$root/etc/hosts" && touch "$root/made"
}

# Runs a cell in another release of Debian, in a directory where this one is /errand.
run_in_release() {
  local root=$kept/$1
  [ -e "$root/made" ] || skip "no $1"
  # What is mounted here is gone with the last process that is started here.
  unshare --mount bash -c '
    mkdir -p "$0/errand" "$0/shared" && mount -t proc proc "$0/proc" && mount --bind . "$0/errand" || exit
    [ ! -d ../shared ] || mount --bind ../shared "$0/shared"
    chroot "$0" /errand/tests/matrix.sh --cell-in-release "$1" "$2"' "$root" "$2" "$log" 2>>"$log"
}

# Runs a cell, and prints its line of the table.
print_cell() {
  local result
  : >"$log"
  case $1 in
    *@*) result=$(run_in_release "${1%@*}" "${1#*@}") ;;
    *) result=$(run_cell "$1") ;;
  esac || result=FAILED
  printf '%-40s %6d s   %s\n' "$1" "$SECONDS" "${result:-FAILED}"
}

mkdir -p build/matrix
if [[ ${1:-} == --cell* ]]; then
  log=${3:-build/matrix/${2//[:\/+@]/-}.log} build=${log%.log} jobs=${JOBS_OF_CELL:-1}
  if [ "$1" = --cell-in-release ]; then run_cell "$2"; else print_cell "$2"; fi
  exit
fi

case ${1:-full} in
  smoke) cells=("${smoke[@]}") ;;
  short) cells=("${short[@]}") ;;
  full) cells=("${full[@]}") ;;
  *) cells=("$@") ;;
esac
(make_catch)
for release in $(printf '%s\n' "${cells[@]}" | sed -n 's/@.*//p' | sort -u); do (make_release "$release"); done
table=$(mktemp) && trap 'rm -f "$table"' EXIT
printf '%-40s %8s   %s\n' cell time result
export JOBS_OF_CELL=$(((cores + ${#cells[@]} - 1) / ${#cells[@]}))
printf '%s\n' "${cells[@]}" | xargs -P "$cores" -I '{}' bash -c \
  'tests/matrix.sh --cell "$0" || printf "%-40s %6s s   FAILED\n" "$0" "?"' '{}' | tee "$table"
for cell in $(sed -nE 's/^([^ ]+) .* FAILED$/\1/p' "$table"); do
  log=build/matrix/${cell//[:\/+@]/-}.log
  echo "== $log"
  tail -n 40 "$log"
done
skipped=$(grep -c ' s   skipped: ' "$table") passed=$(grep -vcE ' s   (skipped: .*|FAILED)$' "$table")
failed=$((${#cells[@]} - passed - skipped))
echo "cells: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && { [ "$passed" -gt 0 ] || [ "${INSTALL:-}" = no ]; }
