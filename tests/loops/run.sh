#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests of errand/asio.hpp, with Boost's Asio and with the standalone one, and of Boost.Beast. Operations must end with
# their tasks. The program of the page "From Asio's coroutines" must print what is expected. The websocket example gets
# real clients: 200 websockets that come and go (500 with CI_FULL=1). Its page, and a trace of it, are drawn in headless
# Chromium, and promtool checks its metrics. The script installs missing packages if it can. If it cannot, it says which
# tests it skips.
#
#   tests/loops/run.sh BUILD_DIRECTORY
#
# The build directory must be configured already, with the flags to build with.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
source tests/install.sh

has_version() {  # DIRECTORY MACRO LEAST
  version=$(printf '#include <%s/version.hpp>\n%s\n' "$1" "$2" | "${CXX:-g++}" -E -P -x c++ - 2>/dev/null | tail -1)
  [[ "$version" =~ ^[0-9]+$ && "$version" -ge "$3" ]]
}
has_boost() { has_version boost/asio BOOST_ASIO_VERSION 102600; }
has_asio() { has_version asio ASIO_VERSION 102200; }
has_browser() { command -v chromedriver >/dev/null; }
has_promtool() { command -v promtool >/dev/null; }
find_python() {  # sets a Python that has the module; the first one may not be the system's
  for python in python3 /usr/bin/python3; do
    "$python" -c "import websockets" 2>/dev/null && return
  done
  return 1
}
has_boost || install libboost1.81-dev  # of Debian 12, whose libboost-dev is 1.74
has_boost || install libboost-dev
has_asio || install libasio-dev
find_python || install python3-websockets
has_browser || install chromium chromium-driver
has_promtool || install prometheus

cmake "$build" >/dev/null
targets=(asio)
if [ "${CI_FULL:-}" = 1 ] && has_boost; then targets+=(asio_boost_test); fi
cmake --build "$build" -j "$(nproc)" --target "${targets[@]}"
names=(asio_standalone asio_beast)
[ "${CI_FULL:-}" != 1 ] || names+=(asio_boost)
for name in "${names[@]}"; do
  if [ -e "$build/examples/${name}_test" ]; then
    "$build/examples/${name}_test"
  else
    echo "skipped: ${name}_test, because there is no such Asio here"
  fi
done

program=$build/examples/how_to_from_asio
[ ! -e "$program" ] || "$program" | diff examples/expected/how_to_from_asio.txt -

program=$build/examples/asio_websocket_feed
if [ ! -e "$program" ]; then
  echo "skipped: the websocket server, without Boost 1.81"
  exit
fi
if find_python; then
  count=200
  [ "${CI_FULL:-}" != 1 ] || count=500
  "$python" tests/loops/feed_clients.py "$program" "$count"
  if has_browser; then "$python" tests/loops/feed_trace.py "$program"; fi
else
  echo "skipped: the clients and the trace, without Python's websockets"
fi
if has_browser; then
  python3 tests/loops/feed_page.py "$program"
else
  echo "skipped: the page, without Chromium"
fi
if has_promtool; then
  python3 tests/loops/feed_metrics.py "$program"
else
  echo "skipped: the metrics, without Prometheus's promtool"
fi
