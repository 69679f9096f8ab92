# Shared by the scripts in this folder; they source it first. Needs only what a bare Debian 12 has.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export LC_ALL=C.UTF-8

server_packages=(g++ cmake ninja-build pkg-config libspdlog-dev libfmt-dev libboost1.81-dev libtomlplusplus-dev
  libcli11-dev nlohmann-json3-dev libsodium-dev libssl-dev libargon2-dev libjemalloc-dev libxxhash-dev librocksdb-dev
  libnghttp2-dev zlib1g-dev)
# clang for the sanitizers and libFuzzer (llvm has its symbolizer); then the clients that others wrote, a browser,
# and the shells that completions are made for.
test_packages=(libgtest-dev clang-16 libclang-rt-16-dev llvm-16 git ca-certificates python3 python3-venv
  curl nghttp2-client mosquitto-clients libpaho-mqtt-dev chromium-headless-shell openssl zsh fish)
bench_packages=(mosquitto nats-server openssl nginx-light nghttp2-client)

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "needs root or sudo for: $*"; fi
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# need PACKAGE...: installs those that are missing; asks the archive for its lists only when they don't do.
need() {
  local package missing=()
  for package; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null || die "not a Debian system; install by hand: ${missing[*]}"
  say "installing: ${missing[*]}"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}")
  local log; log=$(mktemp)
  if apt-cache show "${missing[@]}" >/dev/null 2>&1 && as_root "${install[@]}" >"$log" 2>&1; then rm "$log"; return; fi
  as_root apt-get update -q >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed"; }
  as_root "${install[@]}" >"$log" 2>&1 || { cat "$log" >&2; die "apt-get install failed"; }
  rm "$log"
}

# need_unstarted PACKAGE...: the same for servers that we start ourselves: those that are new here are not left running.
need_unstarted() {
  local package service fresh=()
  for package; do installed "$package" || fresh+=("$package"); done
  need "$@"
  for package in "${fresh[@]}"; do
    service=${package%-light}
    [ -e "/etc/init.d/$service" ] || [ -e "/lib/systemd/system/$service.service" ] || continue
    as_root service "$service" stop >/dev/null 2>&1 || true
    as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
  done
}

# Node 18 or newer with npm, from wherever it comes; else Debian's.
need_node() {
  if command -v npm >/dev/null && command -v node >/dev/null &&
     [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ]; then return; fi
  need nodejs npm
}

jobs() { nproc; }

# configure DIRECTORY COMPILER CMAKE-ARGUMENT...: makes the build directory, or updates its settings.
configure() {
  local directory=$1 compiler=$2 launcher=()
  shift 2
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake -S . -B "$directory" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" "${launcher[@]}" "$@" >/dev/null
}

configure_release() { configure build/release g++ -DCMAKE_BUILD_TYPE=Release "$@"; }
configure_sanitizer() { configure "build/$1" clang++-16 -DCMAKE_BUILD_TYPE=Debug -DARENA_SANITIZE="$2"; }

# build DIRECTORY TARGET...: quiet unless something fails.
build() {
  local directory=$1
  shift
  ninja -C "$directory" -j "$(jobs)" --quiet "$@"
}

# has_target DIRECTORY TARGET: is it in the build at all?
has_target() { ninja -C "$1" -t query "$2" >/dev/null 2>&1; }

# The fuzz targets of a configured build, one a line.
fuzz_targets() { ninja -C "$1" -t targets all | sed -n 's/^\(\(arena_\)\?fuzz_[a-z0-9_]*\): phony$/\1/p' | sort -u; }
