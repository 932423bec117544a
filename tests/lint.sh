#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the headers with clang-tidy, whose checks are listed in .clang-tidy, and with cppcheck.
#
#   tests/lint.sh         the headers alone
#   tests/lint.sh more    clang-tidy also checks a program that uses most of the headers: the model check
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

printf '#include <errand/%s.hpp>\n' errand posix >"$out/all.cpp"
sources=("$out/all.cpp")
if echo "#include <asio/cancellation_signal.hpp>" | g++ -E -x c++ - >/dev/null 2>&1; then
  printf '%s\n' '#include <asio/io_context.hpp>' '#include <errand/asio.hpp>' >"$out/asio.cpp"
  sources+=("$out/asio.cpp")
fi
[ "${1:-}" != more ] || sources+=(tests/model/check.cpp)
clang-tidy-19 --config-file=.clang-tidy --quiet "${sources[@]}" -- -std=c++20 -I include -I tests 2>"$out/log" ||
  { cat "$out/log" && exit 1; }

# cppcheck does not know coroutines (missingReturn, dangling*). It assumes that every error that is thrown in a
# function also leaves the function (throwInNoexceptFunction). It also reports code that is right: a member without an
# initial value that is written before it is read (uninit*), a move of the value that an overload returns
# (returnStdMoveLocal), a name that the API takes by value (passedByValue), a virtual call in the destructor of App,
# from which nobody derives (virtualCallInConstructor), and in pool.hpp the use of `last`, which the loop above it has
# set (nullPointer).
suppressed=(missingReturn danglingTempReference danglingTemporaryLifetime throwInNoexceptFunction uninitMemberVar
  uninitMemberVarPrivate uninitDerivedMemberVar returnStdMoveLocal passedByValue virtualCallInConstructor
  nullPointer:include/errand/detail/base/pool.hpp)
cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --std=c++20 --language=c++ \
  -D__cpp_exceptions=201907L -D__cpp_rtti=1 -D__GNUC__=12 -D__GNUC_MINOR__=2 -D__GLIBCXX__=1 -I include \
  "${suppressed[@]/#/--suppress=}" "$out/all.cpp"
echo "clang-tidy and cppcheck find nothing"
