#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests examples/postgres.hpp, and the job queue of examples/postgres_jobs.cpp, with a server of their own. The script
# installs PostgreSQL if it can. If it cannot, it says that it skips the tests.
#
#   tests/loops/postgres.sh BUILD_DIRECTORY
#
# The build directory must be configured already, with the flags to build with.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
source tests/install.sh

has_libpq() { [ -e /usr/include/postgresql/libpq-fe.h ]; }
has_server() { ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }
{ has_libpq && has_server; } || install postgresql libpq-dev
if ! has_libpq || ! has_server; then
  echo "skipped: the job queue, without PostgreSQL"
  exit
fi
cmake "$build" >/dev/null
cmake --build "$build" -j "$(nproc)" --target postgres_jobs postgres_test
python3 tests/loops/postgres_jobs.py "$build/examples/postgres_jobs" "$build/examples/postgres_test"
