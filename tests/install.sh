# SPDX-License-Identifier: MIT
# To be read by a script with `source`.

# install PACKAGE...: installs packages of Debian, if this user can do so. If not, or if it fails, the script goes on: it
# has to look whether it has what it needs.
install() {
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } ||
    echo "cannot be installed: $*"
}
