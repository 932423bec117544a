#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each program here must not compile, and say why: the text of its `// expect:` line. With ERRAND_TEST_OK defined it must
# compile. A `// compiler: gcc 12` line restricts it to that compiler, in that version and older; the flags of a
# `// flags:` line are what it must not compile with.
#
#   tests/compile_fail/run.sh
#
# CXX is the compiler, CXXFLAGS are further flags.
set -uo pipefail
cd "$(dirname "$0")/../.."

cxx=${CXX:-g++}
read -ra more <<<"${CXXFLAGS:-}"
flags=(-std=c++20 -I include -fsyntax-only -Wall -Werror ${more[@]+"${more[@]}"})
macros=$("$cxx" -dM -E -x c++ /dev/null) || exit 1
macro() { sed -n "s/^#define $1 //p" <<<"$macros"; }
compiler=gcc version=$(macro __GNUC__)
[ -n "$(macro __clang__)" ] && compiler=clang version=$(macro __clang_major__)

failures=0
fail() {
  echo "FAILED $1: $2"
  failures=$((failures + 1))
}
for file in tests/compile_fail/*.cpp; do
  only=$(sed -n 's|^// compiler: ||p' "$file")
  if [ -n "$only" ] && { [ "${only% *}" != "$compiler" ] || [ "$version" -gt "${only#* }" ]; }; then
    echo "skipped $file: for $only"
    continue
  fi
  read -ra wrong <<<"$(sed -n 's|^// flags: ||p' "$file")"
  expected=$(sed -n 's|^// expect: ||p' "$file")
  if [ -z "$expected" ]; then
    fail "$file" "it has no '// expect:' line"
  elif output=$("$cxx" "${flags[@]}" ${wrong[@]+"${wrong[@]}"} "$file" 2>&1); then
    fail "$file" "it compiles"
  elif ! grep -qF -- "$expected" <<<"$output"; then
    fail "$file" "the compiler does not say '$expected', but:"
    head -n 20 <<<"$output"
  elif ! output=$("$cxx" "${flags[@]}" -DERRAND_TEST_OK "$file" 2>&1); then
    fail "$file" "the correct form does not compile:"
    head -n 20 <<<"$output"
  else
    echo "ok $file"
  fi
done
exit $((failures > 0))
