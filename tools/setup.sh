#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing to build and test, and nothing else. Idempotent; the second run takes about a second.
#   tools/setup.sh          packages and ONNX Runtime
#   tools/setup.sh --lint   the same, and clang-tidy, clang-format and the sanitizer run-times
#   tools/setup.sh --test   the same, and what the tests start: broker, Prometheus, browser
#   tools/setup.sh --campaign   the same, and a kernel whose power can be cut
# ONNXRUNTIME_ROOT (a folder with include/ and lib/libonnxruntime.so.1) overrides the pinned ONNX Runtime.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 3; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else stop "packages are missing and neither root nor sudo is at hand; as root, run: $*"
  fi
}

missing() {
  sed 's/#.*//' "$@" | while read -r package; do
    [ -n "$package" ] || continue
    # An npm that came with another Node.js is as good as Debian's.
    if [ "$package" = npm ] && { command -v npm >/dev/null || have_runtime; }; then continue; fi
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

# --- pinned ONNX Runtime: the library of an npm package, the headers of a Debian package -----------------------------
ort_version=1.30.0
ort_npm_sha256=6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75
ort_headers=libonnxruntime-dev
ort_headers_suite=trixie
ort_headers_amd64_sha256=14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08
cache=${MILLWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millwright}
runtime="$cache/onnxruntime-$ort_version"

have_runtime() { [ -n "${ONNXRUNTIME_ROOT:-}" ] || [ -f "$runtime/complete" ]; }

fetch_library() {
  case "$(uname -m)" in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) stop "no ONNX Runtime for $(uname -m)" ;; esac
  (cd "$1" && npm pack --silent "onnxruntime-node@$ort_version" >/dev/null) || stop "cannot fetch onnxruntime-node@$ort_version through npm"
  echo "$ort_npm_sha256  $1/onnxruntime-node-$ort_version.tgz" | sha256sum --check --quiet - || stop "onnxruntime-node: checksum differs; refused"
  mkdir -p "$1/out/lib"
  tar -xzf "$1/onnxruntime-node-$ort_version.tgz" -C "$1/out/lib" --strip-components=5 "package/bin/napi-v6/linux/$arch/libonnxruntime.so.1"
  ln -sf libonnxruntime.so.1 "$1/out/lib/libonnxruntime.so"
}

fetch_headers() {
  mirror=$(apt-get indextargets --format '$(REPO_URI)|$(COMPONENT)|$(CREATED_BY)|$(ORIGIN)' | awk -F'|' '$2=="main" && $3=="Packages" && $1 !~ /security/ {print $1; exit}')
  [ -n "$mirror" ] || stop "no Debian package source is configured; run apt-get update"
  mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $ort_headers_suite main" >"$1/apt/sources.list"
  private() { apt-get -q -o Dir::Etc::sourcelist="$1/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$1/apt/lists" -o Dir::Cache="$1/apt/cache" -o APT::Sandbox::User=root -o APT::Architecture=amd64 -o APT::Architectures::=amd64 "$2" $3; }
  private "$1" update '' >/dev/null || stop "cannot read Debian's $ort_headers_suite package list"
  # The headers are the same on every architecture: always the amd64 package, so that one checksum pins them.
  (cd "$1" && private "$1" download "$ort_headers:amd64" >/dev/null) || stop "cannot fetch $ort_headers"
  deb=$(ls "$1"/"$ort_headers"_*.deb)
  echo "$ort_headers_amd64_sha256  $deb" | sha256sum --check --quiet - || stop "$ort_headers: checksum differs; refused"
  dpkg-deb -x "$deb" "$1/headers"
  mkdir -p "$1/out/include" && cp -r "$1/headers/usr/include/onnxruntime/." "$1/out/include/"
}

install_runtime() {
  say "fetching ONNX Runtime $ort_version (113 MB, once)"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  fetch_library "$work"
  fetch_headers "$work"
  touch "$work/out/complete"
  rm -rf "$runtime"
  mv "$work/out" "$runtime"
}

# Some packages bring a server of their own. Tests start theirs; none may run on this machine because of us, neither now
# nor after the next boot.
servers="mosquitto prometheus"
install_packages() { # PACKAGE...
  policy=/usr/sbin/policy-rc.d
  quiet=""
  new=""
  for server in $servers; do
    case " $* " in *" $server "*) new="$new $server" ;; esac
  done
  if [ -n "$new" ] && [ ! -e "$policy" ]; then
    quiet=1
    trap 'as_root rm -f "$policy"; exit 3' INT TERM HUP
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
  fi
  good=1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >"$root/.setup.log" 2>&1 || good=""
  [ -z "$quiet" ] || as_root rm -f "$policy"
  trap - INT TERM HUP
  [ -n "$good" ] || return 1
  [ ! -d /run/systemd/system ] || for server in $new; do as_root systemctl -q disable --now "$server" || true; done
}

# --- go --------------------------------------------------------------------------------------------------------------
lists="$root/tools/packages.txt"
tests=""
for argument in "$@"; do
  case "$argument" in
    --lint) lists="$lists $root/tools/packages-lint.txt" ;;
    --test) lists="$lists $root/tools/packages-test.txt"; tests=1 ;;
    --campaign) lists="$lists $root/tools/packages-campaign.txt" ;;
    *) stop "unknown argument $argument (allowed: --lint, --test, --campaign)" ;;
  esac
done

# shellcheck disable=SC2086
packages=$(missing $lists)
if [ -n "$packages" ]; then
  say "installing: $packages"
  as_root apt-get -q update >/dev/null || stop "apt-get update failed"
  # shellcheck disable=SC2086
  install_packages $packages || { tail -n 20 "$root/.setup.log" >&2; stop "apt-get install failed; the whole log is in .setup.log"; }
  rm -f "$root/.setup.log"
fi
have_runtime || install_runtime
if [ -n "$tests" ] && [ ! -d "$root/tests/web/node_modules/playwright-core" ]; then
  (cd "$root/tests/web" && npm ci --silent --ignore-scripts --no-audit --no-fund) || stop "cannot fetch what tests/web/package-lock.json names through npm"
fi

mkdir -p "$root/.deps"
ln -sfn "${ONNXRUNTIME_ROOT:-$runtime}" "$root/.deps/onnxruntime"
say "ready"
