#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that every header compiles alone, without a warning, and to no code: nobody pays for a header that he does not
# use. Programs that use most of the headers must compile without a warning too, because only a program instantiates
# the templates, in which numbers may be converted. One of them is optimised, because GCC looks for null pointers only
# then. CXX is the compiler, CXXFLAGS are further flags, STANDARD is another standard than c++20.
set -uo pipefail
cd "$(dirname "$0")/.."
export OBJECTS WARNINGS="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor -Wnull-dereference -Werror"
OBJECTS=$(mktemp -d) && trap 'rm -rf "$OBJECTS"' EXIT

check() {
  read -ra more <<<"${CXXFLAGS:-}"
  object=$OBJECTS/${1//\//+}.o
  echo "#include <${1#include/}>" |
    "${CXX:-g++}" -std="${STANDARD:-c++20}" -O1 -I include $WARNINGS ${more[@]+"${more[@]}"} -c -x c++ - -o "$object" ||
    { echo "FAILED $1 does not compile alone"; exit 1; }
  # If the first virtual function of a class is declared without inline, and only its definition below the class is
  # inline, the class is emitted in every program, with everything that it uses.
  ! nm -C "$object" | grep errand:: || { echo "FAILED $1 leaves code in a program that does not use it"; exit 1; }
}
check_use() {
  read -ra more <<<"${CXXFLAGS:-}"
  read -ra how <<<"$1"
  "${CXX:-g++}" -std="${STANDARD:-c++20}" "${how[@]}" -I include -I tests $WARNINGS ${more[@]+"${more[@]}"} -o /dev/null ||
    { echo "FAILED $1 has warnings"; exit 1; }
}
# check_asio DIRECTORY MACRO LEAST: checks asio.hpp behind Boost's Asio or the standalone one, if it is new enough.
check_asio() {
  version=$(printf '#include <%s/version.hpp>\n%s\n' "$1" "$2" | "${CXX:-g++}" -E -P -x c++ - 2>/dev/null | tail -1)
  if [[ "$version" =~ ^[0-9]+$ && "$version" -ge "$3" ]]; then
    CXXFLAGS="${CXXFLAGS:-} -include $1/io_context.hpp" bash -c 'check include/errand/asio.hpp'
  else
    echo "skipped: errand/asio.hpp, without <$1> from $2 $3 on"
  fi
}
export -f check check_use

# Every header must begin with the prologue and end with the epilogue. Between them, no macro of the user's changes the
# code, and everything is visible outside of a shared library.
parts='errand/(compiled|errand|version|detail/(prologue|epilogue))\.hpp'
without=$(grep -rLE --include='*.hpp' '^#include <errand/detail/prologue\.hpp>' include | grep -vE "$parts")
without+=$(grep -rLE --include='*.hpp' '^#include <errand/detail/epilogue\.hpp>' include | grep -vE "$parts")
[ -z "$without" ] || { echo "FAILED to begin with the prologue and to end with the epilogue: $without"; exit 1; }

jobs=$(nproc 2>/dev/null || echo 2)
printf '%s\n' '-fsyntax-only tests/model/check.cpp' '-fsyntax-only examples/snippets/toolbox.cpp' \
  '-O2 -c tests/surroundings/names.cpp' | xargs -P "$jobs" -I{} bash -c 'check_use "{}"' &&
  find include -name '*.hpp' ! -name epilogue.hpp ! -name compiled.hpp ! -name asio.hpp | sort |
  xargs -P "$jobs" -I{} bash -c 'check {}' &&
  check_asio boost/asio BOOST_ASIO_VERSION 102600 && check_asio asio ASIO_VERSION 102200 &&
  echo "every header compiles alone: ${CXX:-g++} ${STANDARD:-c++20} ${CXXFLAGS:-}"
