#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests an App in a program that has a loop of its own: examples/qt_loop.hpp, the window of examples/qt_guest.cpp, whose
# buttons are pressed, and the game of examples/game_loop.cpp. Nothing is shown on a screen. It takes Qt 6, and with
# CI_FULL=1 Qt 5 too. The script installs missing packages if it can. If it cannot, it says which tests it skips.
#
#   tests/loops/guests.sh BUILD_DIRECTORY
#
# The build directory must be configured already, with the flags to build with.
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
source tests/install.sh

has() { compgen -G "/usr/lib/*/cmake/$1" >/dev/null; }  # CMAKE_PACKAGE
versions=(6)
[ "${CI_FULL:-}" != 1 ] || versions+=(5)
has Qt6Widgets || install qt6-base-dev
[ "${CI_FULL:-}" != 1 ] || has Qt5Widgets || install qtbase5-dev
has SDL2 || install libsdl2-dev

targets=()
for version in "${versions[@]}"; do
  if has "Qt${version}Widgets"; then
    targets+=("qt${version}_test" "qt${version}_guest")
  else
    echo "skipped: the window, without Qt $version"
  fi
done
if has SDL2; then targets+=(game_loop); else echo "skipped: the game, without SDL 2"; fi
[ ${#targets[@]} -gt 0 ] || exit 0
cmake "$build" >/dev/null
cmake --build "$build" -j "$(nproc)" --target "${targets[@]}"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export XDG_RUNTIME_DIR=$out QT_QPA_PLATFORM=offscreen SDL_VIDEODRIVER=dummy
# The screen of Qt 5's offscreen platform, which its plugin never deletes.
echo "leak:libqoffscreen.so" >"$out/leaks"
export LSAN_OPTIONS=suppressions=$out/leaks:print_suppressions=0 ASAN_OPTIONS=fast_unwind_on_malloc=0

# prints NAME COMMAND...: the command must succeed, and print what stands in examples/expected/NAME.txt. If it takes too
# long, it gets SIGTERM, which SDL takes for a wish to close the window, and SIGKILL later.
prints() {
  timeout -k 5 60 "${@:2}" >"$out/printed" || { echo "FAILED ${*:2}, after"; cat "$out/printed"; exit 1; }
  diff "examples/expected/$1.txt" "$out/printed"
}
for version in "${versions[@]}"; do
  guest=$build/examples/qt${version}_guest
  [ -e "$guest" ] || continue
  timeout -k 5 60 "$build/examples/qt${version}_test"
  prints qt_guest "$guest" "$out/primes.txt" Start Cancel Start Block OK Yes Start Close
  grep -qx 78498 "$out/primes.txt"
  # There is no such directory, and so the task fails.
  prints qt_guest_failure "$guest" no/such/primes.txt Start Yes Start Close 2>"$out/errors"
  echo "the window of Qt $version does what it should"
done
if has SDL2; then
  game=$build/examples/game_loop
  prints game_loop "$game" --frames 150
  python3 tests/loops/game_interrupt.py "$game"
  echo "the game does what it should"
fi
