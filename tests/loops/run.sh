#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests of Boost.Asio under an App. Its operations must be cancelled with their tasks. The websocket example gets real
# clients: 200 websockets that come and go (500 with CI_FULL=1), and its page in headless Chromium. The script installs
# missing packages if it can. If it cannot, it says which tests it skips.
#
#   tests/loops/run.sh BUILD_DIRECTORY
#
# The build directory must be configured already, with the flags to build with.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

has_boost() { compgen -G "/usr/lib/*/cmake/Boost-*" >/dev/null || compgen -G "/usr/local/lib/cmake/Boost-*" >/dev/null; }
has_browser() { command -v chromedriver >/dev/null; }
find_python() {  # sets a Python that has the module; the first one may not be the system's
  for python in python3 /usr/bin/python3; do
    "$python" -c "import websockets" 2>/dev/null && return
  done
  return 1
}
install() {
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } ||
    echo "cannot be installed: $*"
}
has_boost || install libboost-dev
find_python || install python3-websockets
has_browser || install chromium chromium-driver

if ! has_boost; then
  echo "skipped: there is no Boost here"
  exit
fi
cmake "$build" >/dev/null
cmake --build "$build" -j "$(nproc)" --target asio
"$build/examples/asio_cancel"
program=$build/examples/asio_websocket_feed

if find_python; then
  count=200
  [ "${CI_FULL:-}" != 1 ] || count=500
  "$python" tests/loops/feed_clients.py "$program" "$count"
else
  echo "skipped: the clients, without Python's websockets"
fi
if has_browser; then
  python3 tests/loops/feed_page.py "$program"
else
  echo "skipped: the page, without Chromium"
fi
