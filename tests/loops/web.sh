#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles the page of examples/web with Emscripten, and tries it in headless Chromium. Skipped if em++ or Chromium is
# missing, or if em++ is too old to have the header <coroutine>, as in Debian 12.
#
#   tests/loops/web.sh [DIRECTORY]
#
# DIRECTORY gets the files of the page.
set -euo pipefail
out=${1:-}
[ -n "$out" ] || { out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT; }
mkdir -p "$out" && out=$(cd "$out" && pwd)
cd "$(dirname "$0")/../.."

for tool in em++ chromedriver; do
  command -v "$tool" >/dev/null || { echo "skipped: the page in a browser, without $tool" && exit; }
done
printf '#if __has_include(<coroutine>)\nyes\n#endif\n' >"$out/has.cpp"
has=$(em++ -std=c++20 -E -P "$out/has.cpp")
[[ $has == *yes* ]] || { echo "skipped: the page in a browser, because em++ is too old" && exit; }
# [build]
em++ -std=c++20 -O1 -fexceptions -I include examples/web/tasks.cpp -sALLOW_MEMORY_GROWTH \
  -sEXPORTED_RUNTIME_METHODS=ccall,UTF8ToString -o "$out/tasks.js"
cp examples/web/tasks.html "$out"
# [build]
python3 tests/loops/web_page.py "$out"
