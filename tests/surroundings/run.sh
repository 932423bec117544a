#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# errand beside the code that users have: macros, names, types, shared libraries, and files with other settings.
#
#   tests/surroundings/run.sh
#
# CXX is the compiler. CXXFLAGS are more flags.
set -euo pipefail
cd "$(dirname "$0")/../.."

cxx=${CXX:-g++}
read -ra more <<<"${CXXFLAGS:-}"
flags=(-std=c++20 -O1 -I include -pthread -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast
  -Wnon-virtual-dtor -Werror ${more[@]+"${more[@]}"})
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# compile SOURCE OBJECT [FLAG...]
compile() { "$cxx" "${flags[@]}" "${@:3}" -c "tests/surroundings/$1.cpp" -o "$out/$2.o"; }
# runs WHAT [LINKED...]: links a program and runs it
runs() {
  "$cxx" "${flags[@]}" "${@:2}" -o "$out/program"
  "$out/program" || { echo "FAILED $1"; exit 1; }
  echo "$1: right"
}

for name in after_macros names; do
  compile "$name" "$name"
  runs "$name" "$out/$name.o"
done

hidden=(-fvisibility=hidden -fvisibility-inlines-hidden)
compile plugin plugin "${hidden[@]}" -fPIC
"$cxx" "${flags[@]}" -shared "$out/plugin.o" -o "$out/libplugin.so"
compile program program "${hidden[@]}"
runs "a program and a shared library" "$out/program.o" "$out/libplugin.so" "-Wl,-rpath,$out"

compile twins twins "${hidden[@]}"
compile twin first "${hidden[@]}" -fPIC -DTWIN=first -DVALUE=int
compile twin second "${hidden[@]}" -fPIC -DTWIN=second -DVALUE=std::string
runs "types with one name in two files" "$out/twins.o" "$out/first.o" "$out/second.o"
compile twin first_local "${hidden[@]}" -DLOCAL -DTWIN=first -DVALUE=int
compile twin second_local "${hidden[@]}" -DLOCAL -DTWIN=second -DVALUE=std::string
runs "local types with one name in two files" "$out/twins.o" "$out/first_local.o" "$out/second_local.o"
for twin in first second; do "$cxx" "${flags[@]}" -shared "$out/$twin.o" -o "$out/lib$twin.so"; done
runs "types with one name in two shared libraries" "$out/twins.o" "$out/libfirst.so" "$out/libsecond.so" "-Wl,-rpath,$out"

compile plugin sanitized -fsanitize=address
compile program sanitized_program -fsanitize=address
compile plugin plain
compile plugin unkept -DERRAND_KEEP_BLOCKS=0
runs "one file with AddressSanitizer" "$out/program.o" "$out/sanitized.o" -fsanitize=address
runs "one file without it" "$out/sanitized_program.o" "$out/plain.o" -fsanitize=address
runs "one file that keeps no blocks" "$out/program.o" "$out/unkept.o"
