#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests examples/curl.hpp, and the crawler of examples/crawl.cpp, with a server of their own. The script installs libcurl
# if it can. If it cannot, it says that it skips the tests.
#
#   tests/loops/crawl.sh BUILD_DIRECTORY
#
# The build directory must be configured already, with the flags to build with.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
source tests/install.sh

has_curl() {  # 7.87 or later
  version=$(printf '#include <curl/curlver.h>\nLIBCURL_VERSION_NUM\n' | "${CXX:-g++}" -E -P -x c++ - 2>/dev/null | tail -1)
  [[ "$version" =~ ^0x[0-9a-f]+$ && $((version)) -ge $((0x075700)) ]]
}
has_curl || install libcurl4-openssl-dev
if ! has_curl; then
  echo "skipped: the crawler, without libcurl 7.87"
  exit
fi
cmake "$build" >/dev/null
cmake --build "$build" -j "$(nproc)" --target crawl curl_test
python3 tests/loops/crawl.py "$build/examples/crawl" "$build/examples/curl_test"
