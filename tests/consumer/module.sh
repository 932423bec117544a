#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs programs that import errand: a small one, one whose other file includes errand.hpp, and examples
# that print the same at each run. Also checks that the module exports every public name of errand.hpp.
#
#   tests/consumer/module.sh [EXAMPLE...]
#
# CXX is the compiler, Clang 17 or GCC 16 at least. CXXFLAGS are further flags.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
names=("$@")
[ $# -gt 0 ] || names=(job_queue)
cxx=${CXX:-clang++-19}
read -ra flags <<<"${CXXFLAGS:-}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/consumer/module/* "$work"
ln -s "$root" "$work/errand"
cd "$work"

fail() { echo "FAILED $*"; exit 1; }

# prints PROGRAM TEXT: fails unless the program prints the text
prints() {
  local printed
  printed=$("$1") || fail "$1 failed: $printed"
  [ "$printed" = "$2" ] || fail "$1 printed '$printed' instead of '$2'"
}

# Each of these two is the commands that examples/how_to/install.md shows.
by_clang() {
  clang++() { command "$cxx" -Qunused-arguments ${flags[@]+"${flags[@]}"} "$@"; }
  # [clang]
  clang++ -std=c++20 -pthread -I errand/include --precompile errand/include/errand/errand.cppm -o errand.pcm
  clang++ -std=c++20 -pthread -c errand.pcm -o errand.o
  clang++ -std=c++20 -pthread -fmodule-file=errand=errand.pcm main.cpp errand.o -o my_program
  # [clang]
}
by_gcc() {
  g++() { command "$cxx" ${flags[@]+"${flags[@]}"} "$@"; }
  # [gcc]
  g++ -std=c++20 -fmodules -pthread -I errand/include -x c++ -c errand/include/errand/errand.cppm -o errand.o
  g++ -std=c++20 -fmodules -pthread main.cpp errand.o -o my_program
  # [gcc]
}

# compile FLAG...: a program that may import errand
version=$("$cxx" --version | sed -nE 's/.*clang version ([0-9]+).*/\1/p')
if [ -n "$version" ]; then
  [ "$version" -ge 17 ] || { echo "skipped: the module, which needs Clang 17, and $cxx is not" && exit; }
  by_clang
  compile() { clang++ -std=c++20 -pthread -fmodule-file=errand=errand.pcm "$@"; }
else
  # GCC 14 and 15 end with internal errors if a coroutine comes from a module.
  version=$("$cxx" -dumpversion)
  [ "${version%%.*}" -ge 16 ] || { echo "skipped: the module, which needs GCC 16, and $cxx is not" && exit; }
  by_gcc
  compile() { g++ -std=c++20 -fmodules -pthread "$@"; }
fi
prints ./my_program "the sum is 42"

compile -I errand/include -c included.cpp -o included.o
compile importing.cpp included.o errand.o -o importing
shared=("one App" "a queue" "an error" "a table" "no places inside errand" "a signal" "a hash" "a cancellation"
  "a thread" "a race")
prints ./importing "$(printf '%s\n' "${shared[@]}")"

# An example imports errand instead of including it, below its other includes and those that errand.hpp stood for.
imports="$(printf '#include <%s>\n' chrono coroutine optional string)"$'\nimport errand;\n'
for name in "${names[@]}"; do
  source=$(mktemp "$work/XXXXXX.cpp")
  awk -v imports="$imports" '/^#include/ { if ($2 !~ /errand.hpp/) print; seen = 1; next }
       seen && NF && !imported { imported = 1; print imports }
       { print }' "errand/examples/$name.cpp" >"$source"
  compile "$source" errand.o -o example
  prints ./example "$(cat "errand/examples/expected/${name//\//_}.txt")"
  echo "imports: $name"
done

# Only Clang lists what a header declares. Its list also has the parameter of the alias TaskOf.
if [ -e errand.pcm ]; then
  echo '#include <errand/errand.hpp>' |
    clang++ -std=c++20 -I errand/include -fsyntax-only -Xclang -ast-list -x c++ - |
    sed -nE 's/^errand::([^: ]+)$/\1/p' | sort -u | grep -vxE 'detail|Work' >declared
  sed -nE 's/^using errand::(.*);$/\1/p' errand/include/errand/errand.cppm | sort -u >exported
  missing=$(comm -23 declared exported)
  [ -z "$missing" ] || fail "to export from include/errand/errand.cppm: ${missing//$'\n'/, }"
  echo "the module exports $(wc -l <exported) names, which are all"
fi

# CMake knows modules from 3.28 on. It also needs Ninja, and with Clang clang-scan-deps of the same version.
version=$(cmake --version | sed -nE '1s/.* ([0-9.]+).*/\1/p')
if [ "$(printf '%s\n' 3.28 "$version" | sort -V | head -1)" = 3.28 ] &&
  command -v ninja >/dev/null && { [ ! -e errand.pcm ] || command -v "${cxx/clang++/clang-scan-deps}" >/dev/null; }; then
  export CXX=$cxx
  {
    cmake -S errand -B tree -G Ninja -DERRAND_BUILD_EXAMPLES=OFF -DERRAND_MODULE=ON
    cmake --build tree --target errand_module
    cmake --install tree --prefix installed
    cmake -S . -B by_cmake -G Ninja -DCMAKE_PREFIX_PATH="$work/installed"
    cmake --build by_cmake
  } >log 2>&1 || { cat log; fail "to build the module with CMake $version"; }
  prints by_cmake/my_program "the sum is 42"
  echo "imported by CMake $version"
else
  echo "skipped: a module in CMake, which needs CMake 3.28, Ninja and clang-scan-deps"
fi
echo "imported by $cxx ${CXXFLAGS:-}"
