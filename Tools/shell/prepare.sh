# Shared by ./ekswhy and ./test: what a fresh machine lacks is installed from Debian, and said so.
# Everything is told on stderr; stdout belongs to the program.

say() { printf 'ekswhy: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 70
}

need_swift() {
  if ! command -v swift >/dev/null; then
    fail "there is no Swift toolchain on PATH; ekswhy needs Swift 6.2 or newer: https://www.swift.org/install"
  fi
  local version
  version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+\.[0-9]+).*/\1/p' | head -1)
  if [ -n "$version" ] && [ "$(printf '%s\n6.2\n' "$version" | sort -V | head -1)" != 6.2 ]; then
    fail "Swift $version is on PATH; ekswhy needs 6.2 or newer: https://www.swift.org/install"
  fi
}

# install PACKAGE...: by apt-get, as root or through sudo; false where neither is possible.
install() {
  local command=(apt-get install -y --no-install-recommends "$@")
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || return 1
    command=(sudo "${command[@]}")
  fi
  say "installing from Debian: $*"
  local log
  log=$(mktemp)
  if DEBIAN_FRONTEND=noninteractive "${command[@]}" >"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  # A fresh image has no lists yet.
  local update=(apt-get update)
  [ "$(id -u)" = 0 ] || update=(sudo "${update[@]}")
  if "${update[@]}" >>"$log" 2>&1 && DEBIAN_FRONTEND=noninteractive "${command[@]}" >>"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  tail -3 "$log" >&2
  rm -f "$log"
  return 1
}

# need_packages PACKAGE:HEADER...: the package of each C header that is not there.
need_packages() {
  local missing=() pair
  for pair in "$@"; do
    has_header "${pair#*:}" || missing+=("${pair%%:*}")
  done
  [ ${#missing[@]} = 0 ] && return
  install "${missing[@]}" || fail "missing: ${missing[*]}. Install with: apt-get install ${missing[*]}"
}

has_header() {
  [ "$(uname)" = Darwin ] || [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] ||
    compgen -G "/usr/include/*-linux-gnu/$1" >/dev/null
}
