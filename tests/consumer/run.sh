#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs a user's program in each way in which a project can use errand: installed, as a package of Debian, as
# a directory, fetched, by pkg-config with make and Meson, and as one file. Nothing is taken from the network, but that
# Meson is installed if this user can install packages. module.sh has the programs that import errand.
#
#   tests/consumer/run.sh
#
# CMake uses CXX and CXXFLAGS.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/install.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
consumer=$work/consumer
cp -r tests/consumer "$consumer"

fail() { echo "FAILED $*"; exit 1; }

# Runs a command that must succeed, and shows its output only if it fails.
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "$*"; }; }

# runs WHAT PROGRAM: fails unless the program prints the expected text
runs() {
  local printed
  printed=$("$2")
  [ "$printed" = "$expected" ] || fail "$1: it printed '$printed' instead of '$expected'"
  echo "$1: $printed"
}

# builds WHAT PROJECT [CMAKE_OPTION...]: builds the project in a directory of its own, and runs its program
builds() {
  local what=$1 project=$2 build
  build=$(mktemp -d "$work/build.XXXXXX")
  quietly cmake -S "$consumer/$project" -B "$build" "${@:3}"
  quietly cmake --build "$build"
  runs "$what" "$build/my_program"
  last_build=$build
}

# builds_with_pkg_config PREFIX COMMAND...: runs the command in a copy of the project, in which it builds the program
builds_with_pkg_config() {
  rm -f my_program
  PKG_CONFIG_PATH=$1/share/pkgconfig quietly "${@:2}"
  runs "pkg-config, $2" ./my_program
}

by_hand() {
  # shellcheck disable=SC2046  # several flags
  # [pkg_config]
  g++ -std=c++20 main.cpp $(pkg-config --cflags --libs errand) -o my_program
  # [pkg_config]
}

by_meson() {
  meson setup build && meson compile -C build && cp build/my_program .
}

# The files of errand that a user gets: no tests, no examples.
sources=$work/errand
mkdir "$sources"
cp -r include .cmake CMakeLists.txt LICENSE "$sources"

# Moved, what was installed must work as before.
installed="$work/installed" moved="$work/moved to/another place"
quietly cmake -S "$sources" -B "$work/build" -DERRAND_BUILD_EXAMPLES=OFF
quietly cmake --install "$work/build" --prefix "$installed"
if grep -r "$work" "$installed"; then fail "what is installed knows where it was made"; fi
for file in gdb.py errand.cppm; do
  [ -e "$installed/include/errand/$file" ] || fail "$file is not installed"
done
version=$(PKG_CONFIG_PATH=$installed/share/pkgconfig pkg-config --modversion errand)
expected="errand $version: the sum is 42"
mkdir -p "$(dirname "$moved")"
mv "$installed" "$moved"
builds "find_package" find_package -DCMAKE_PREFIX_PATH="$moved"
mv "$moved" "$work/moved"
cp "$consumer/main.cpp" "$consumer/make"
(cd "$consumer" && builds_with_pkg_config "$work/moved" by_hand)
(cd "$consumer/make" && builds_with_pkg_config "$work/moved" make)

sed -i.old 's/errand [0-9.]*/errand 99.0/' "$consumer/find_package/CMakeLists.txt"
if cmake -S "$consumer/find_package" -B "$work/too_new" -DCMAKE_PREFIX_PATH="$work/moved" >"$work/log" 2>&1; then
  fail "find_package took version $version for 99.0"
fi
mv "$consumer/find_package/CMakeLists.txt.old" "$consumer/find_package/CMakeLists.txt"

if cmake -S "$consumer/compiled" -B "$work/no_library" -DCMAKE_PREFIX_PATH="$work/moved" >"$work/log" 2>&1; then
  fail "find_package found a library that was not installed"
fi

# The package of Debian, unpacked, is used by CMake and by Meson.
if command -v dpkg-deb >/dev/null; then
  (cd "$work/build" && quietly cpack -G DEB)
  package=$(echo "$work"/build/*.deb)
  [ "$(basename "$package")" = "liberrand-dev_${version}_all.deb" ] || fail "the package is called $package"
  dpkg-deb -x "$package" "$work/root"
  builds "find_package, from liberrand-dev" find_package -DCMAKE_PREFIX_PATH="$work/root/usr"
  command -v meson >/dev/null || install meson
  if command -v meson >/dev/null; then
    cp "$consumer/main.cpp" "$consumer/meson"
    (cd "$consumer/meson" && builds_with_pkg_config "$work/root/usr" by_meson)
  else
    echo "skipped: Meson, which is not installed"
  fi
  if command -v lintian >/dev/null; then
    quietly lintian --fail-on error "$package"
    echo "lintian finds no error"
  fi
else
  echo "skipped: the package of Debian, without dpkg"
fi

for shared in OFF ON; do
  prefix=$work/compiled_$shared
  quietly cmake -S "$sources" -B "$prefix.build" -DERRAND_BUILD_EXAMPLES=OFF -DERRAND_BUILD_COMPILED=ON \
    -DCMAKE_BUILD_TYPE=None -DBUILD_SHARED_LIBS=$shared
  quietly cmake --build "$prefix.build" --target errand_compiled
  quietly cmake --install "$prefix.build" --prefix "$prefix"
  builds "errand::compiled, shared $shared" compiled -DCMAKE_PREFIX_PATH="$prefix"
  if [ $shared = OFF ] && command -v dpkg-deb >/dev/null; then
    (cd "$prefix.build" && quietly cpack -G DEB)
    architecture=$(dpkg-deb -f "$prefix.build"/*.deb Architecture)
    [ "$architecture" = "$(dpkg --print-architecture)" ] || fail "the package of the library is for $architecture"
  fi
done

cp -r "$sources" "$consumer/add_subdirectory/errand"
builds "add_subdirectory" add_subdirectory
quietly cmake --install "$last_build" --prefix "$work/nothing"
[ ! -e "$work/nothing" ] || fail "a subproject was installed unasked"

for part in first second; do cp -r "$sources" "$consumer/added_twice/$part"; done
builds "add_subdirectory, twice" added_twice
quietly cmake -S "$consumer/added_twice" -B "$work/one_version"
if grep "is there already" "$work/log"; then fail "one version is taken for two"; fi
sed -i.old 's/VERSION_MINOR .*/VERSION_MINOR 99/' "$consumer/added_twice/second/include/errand/version.hpp"
quietly cmake -S "$consumer/added_twice" -B "$work/two_versions"
grep -q "errand $version is there already, and is used in place of" "$work/log" || fail "two versions are taken for one"

cp -r "$sources" "$consumer/quick_start/errand"
cp "$consumer/main.cpp" "$consumer/quick_start"
builds "the README's quick start" quick_start

tar -czf "$work/errand.tar.gz" -C "$work" errand
builds "FetchContent, an archive" fetch_content -DERRAND_ARCHIVE="$work/errand.tar.gz"
quietly cmake -S "$consumer/fetch_content" -B "$work/from_directory" -DERRAND_ARCHIVE=none \
  -DFETCHCONTENT_SOURCE_DIR_ERRAND="$sources"

quietly cmake --build "$work/build" --target single_header
mkdir -p "$work/one/errand"
cp "$work/build/errand.hpp" "$work/one/errand"
quietly g++ -std=c++20 -pthread -I "$work/one" "$consumer/main.cpp" -o "$work/one/my_program"
runs "one file" "$work/one/my_program"
