#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The headers under clang-tidy (what is on: .clang-tidy) and cppcheck.
#
#   tests/lint.sh         the headers as they stand
#   tests/lint.sh more    what they become in a program, too: that of the model check, which uses most of them
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

echo '#include <errand/errand.hpp>' >"$out/all.cpp"
sources=("$out/all.cpp")
[ "${1:-}" != more ] || sources+=(tests/model/check.cpp)
clang-tidy-19 --config-file=.clang-tidy --quiet "${sources[@]}" -- -std=c++20 -I include -I tests 2>"$out/log" ||
  { cat "$out/log" && exit 1; }

# cppcheck does not know coroutines (missingReturn, dangling*), and takes every error that is thrown somewhere for one that
# gets out (throwInNoexceptFunction). Not faults here: a member that is written before it is read (uninit*), a move of
# what an overload returns (returnStdMoveLocal), a name by value in the API (passedByValue), the destructor of App, which
# nobody derives from (virtualCallInConstructor), and in pool.hpp `last`, which the loop above has set (nullPointer).
suppressed=(missingReturn danglingTempReference danglingTemporaryLifetime throwInNoexceptFunction uninitMemberVar
  uninitMemberVarPrivate uninitDerivedMemberVar returnStdMoveLocal passedByValue virtualCallInConstructor
  nullPointer:include/errand/detail/base/pool.hpp)
cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --std=c++20 --language=c++ \
  -D__cpp_exceptions=201907L -D__cpp_rtti=1 -D__GNUC__=12 -D__GNUC_MINOR__=2 -D__GLIBCXX__=1 -I include \
  "${suppressed[@]/#/--suppress=}" "$out/all.cpp"
echo "clang-tidy and cppcheck find nothing"
