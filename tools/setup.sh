#!/usr/bin/env bash
# Puts in place what a build needs: Debian's packages, the wheels in .deps/venv, the sources in .deps/NAME.
# Takes a fraction of a second when all of it is there. Each part is recorded after its last step, so an interrupted
# run is simply repeated. LIBTORCH names an own libtorch (the wheel is then not fetched); PYTHON another interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deps=$PWD/.deps
venv=$deps/venv
exec </dev/null

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
# The entries of a list file: no comments, no blank lines.
entries() { sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$1"; }

missing_packages() {
  comm -23 <(entries tools/apt-packages.txt | sort -u) \
           <(entries tools/apt-packages.txt | xargs dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null |
             sed -n 's/^installed //p' | sort -u)
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: the packages of tools/apt-packages.txt are taken as installed"
    return
  fi
  local missing root=()
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    # A person at a terminal can type sudo's password; anything else needs sudo without one.
    if ! command -v sudo >/dev/null || ! { [ -t 2 ] || sudo -n true 2>/dev/null; }; then
      die "missing Debian packages, and neither root nor sudo here to install them." \
          "Run as root: apt-get update && apt-get install -y ${missing[*]}"
    fi
    root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update 9>&- ||
    say "apt-get update failed; trying with the package lists at hand"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "${missing[@]}" >"$deps/apt.log" 2>&1 9>&- ||
    die "apt-get could not install ${missing[*]}: $(sed -n '/^E:/p' "$deps/apt.log" | tail -n 1) (all of it: $deps/apt.log)"
}

check_libtorch() {
  local root
  for root in "$LIBTORCH" "$LIBTORCH/torch"; do
    [ ! -f "$root/share/cmake/Torch/TorchConfig.cmake" ] || return 0
  done
  die "LIBTORCH=$LIBTORCH holds no share/cmake/Torch/TorchConfig.cmake:" \
      "set it to an unpacked libtorch 2.11 or newer, or unset it to use the pinned wheel"
}

# A virtual environment with a working pip.
ensure_venv() {
  ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || return 0
  rm -rf "$venv"
  local candidate
  for candidate in ${PYTHON:-/usr/bin/python3 python3}; do
    "$candidate" -m venv "$venv" >/dev/null 2>&1 && return 0
    rm -rf "$venv"
  done
  # Without ensurepip: an empty environment, filled by the pip outside of it.
  for candidate in ${PYTHON:-/usr/bin/python3 python3}; do
    "$candidate" -m venv --without-pip "$venv" >/dev/null 2>&1 &&
      "$candidate" -m pip --python "$venv/bin/python" install -q pip >/dev/null 2>&1 && return 0
    rm -rf "$venv"
  done
  die "python3 cannot make a virtual environment with pip in $venv: install python3-venv, or set PYTHON"
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

install_wheels() {
  local list stamp
  list=$(entries tools/requirements.txt)
  [ -z "${LIBTORCH:-}" ] || list=$(sed '/^torch[=<>~! ]/d' <<<"$list")
  [ -n "$list" ] || return 0
  stamp=$(sha256sum <<<"$list")
  if [ "$(cat "$venv/.installed" 2>/dev/null)" = "$stamp" ] && [ -x "$venv/bin/python" ]; then
    return 0
  fi
  # What an interrupted installation left half-written is not repaired but made anew.
  [ ! -e "$venv/.installing" ] || rm -rf "$venv"
  ensure_venv
  say "installing $(tr '\n' ' ' <<<"$list")into .deps/venv"
  touch "$venv/.installing"
  pip install -qq --progress-bar off --no-compile --requirement <(printf '%s\n' "$list") ||
    die "pip could not install $(tr '\n' ' ' <<<"$list")(see above)"
  printf '%s\n' "$stamp" >"$venv/.installed"
  rm "$venv/.installing"
}

# Source distributions of tools/sources.txt. `--no-binary NAME` and not `:all:`, which would also build the
# package's build tools from source; pip compares the archive with the hash before anything of it is used.
fetch_sources() {
  local requirement sha256 name work
  while read -r requirement sha256; do
    name=${requirement%%==*}
    [ "$(cat "$deps/$name/.installed" 2>/dev/null)" != "$requirement $sha256" ] || continue
    ensure_venv
    say "fetching $requirement into .deps/$name"
    rm -rf "$deps"/fetch.*
    work=$(mktemp -d "$deps/fetch.XXXXXX")
    mkdir "$work/tree"
    printf '%s --hash=sha256:%s\n' "$requirement" "$sha256" >"$work/requirement.txt"
    pip download -qq --progress-bar off --no-deps --no-binary "$name" --require-hashes \
      --dest "$work" --requirement "$work/requirement.txt" || die "pip could not fetch $requirement (see above)"
    tar -xzf "$work"/*.tar.gz -C "$work/tree" --strip-components=1 || die "cannot unpack $requirement"
    printf '%s %s\n' "$requirement" "$sha256" >"$work/tree/.installed"
    rm -rf "${deps:?}/$name"
    mv "$work/tree" "$deps/$name"
    rm -rf "$work"
  done < <(entries tools/sources.txt)
}

mkdir -p "$deps"
exec 9>"$deps/.lock"
flock 9  # two at once take turns
install_packages
[ -z "${LIBTORCH:-}" ] || check_libtorch
install_wheels
fetch_sources
