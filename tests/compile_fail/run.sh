#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each program here must not compile: the compiler must print the text of the program's `// expect:` line. If
# ERRAND_TEST_OK is defined, the program must compile. A `// compiler: gcc 12` line restricts a program to this
# compiler, in this version and older ones. The flags of a `// flags:` line are added when the program must not compile.
#
#   tests/compile_fail/run.sh
#
# CXX is the compiler. CXXFLAGS are more flags.
set -uo pipefail
cd "$(dirname "$0")/../.."

cxx=${CXX:-g++}
read -ra more <<<"${CXXFLAGS:-}"
flags=(-std=c++20 -I include -fsyntax-only -Wall -Werror ${more[@]+"${more[@]}"})
macros=$("$cxx" -dM -E -x c++ /dev/null) || exit 1
macro() { sed -n "s/^#define $1 //p" <<<"$macros"; }
compiler=gcc version=$(macro __GNUC__)
[ -n "$(macro __clang__)" ] && compiler=clang version=$(macro __clang_major__)

# The headers are compiled once, for all programs without flags of their own.
precompiled=$(mktemp -d) && trap 'rm -rf "$precompiled"' EXIT
mkdir "$precompiled/errand"
echo '#include "errand/errand.hpp"' >"$precompiled/errand.hpp"
if [ "$compiler" = gcc ]; then
  headers=(-I "$precompiled")  # GCC looks there for errand/errand.hpp.gch
  compiled=$precompiled/errand/errand.hpp.gch
else
  compiled=$precompiled/errand.pch
  headers=(-include-pch "$compiled")
fi
"$cxx" "${flags[@]/-fsyntax-only/-O0}" -x c++-header "$precompiled/errand.hpp" -o "$compiled" || exit 1

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
  first=()
  read -ra wrong <<<"$(sed -n 's|^// flags: ||p' "$file")"
  [ ${#wrong[@]} -gt 0 ] || first=("${headers[@]}")
  expected=$(sed -n 's|^// expect: ||p' "$file")
  if [ -z "$expected" ]; then
    fail "$file" "it has no '// expect:' line"
  elif output=$("$cxx" ${first[@]+"${first[@]}"} "${flags[@]}" ${wrong[@]+"${wrong[@]}"} "$file" 2>&1); then
    fail "$file" "it compiles"
  elif ! grep -qF -- "$expected" <<<"$output"; then
    fail "$file" "the compiler does not say '$expected', but:"
    head -n 20 <<<"$output"
  elif ! output=$("$cxx" "${headers[@]}" "${flags[@]}" -DERRAND_TEST_OK "$file" 2>&1); then
    fail "$file" "the correct form does not compile:"
    head -n 20 <<<"$output"
  else
    echo "ok $file"
  fi
done
exit $((failures > 0))
