#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that every case of a page of conformance cases has its test. This is a test whose name begins with the id of
# the case, or a program that must not compile and has the id in a `// case:` line.
#
#   tests/conformance/ids.sh PAGE
set -euo pipefail
page=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"

id="[A-Z]{1,2}[0-9]{2}[a-z]?'?"
ids() { grep -oE "$id" | sort -u; }
cases=$(grep -oE "^(\*\*|\| )$id(, $id)*( |\*\*)" "$page" | ids)
tests=$({
  cat ./*.cpp | tr '\n' ' ' | grep -oE "TEST\w*\( *\"($id[ ,]+)+"
  grep -hE '^// case: ' ../compile_fail/*.cpp
} | ids)
missing=$(comm -23 <(echo "$cases") <(echo "$tests"))
echo "$(wc -l <<<"$cases") cases on the page, $(wc -l <<<"$tests") with a test of that name"
if [ -n "$missing" ]; then
  echo "without a test:" $missing
  exit 1
fi
