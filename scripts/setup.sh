#!/usr/bin/env bash
# Installs what the tests need and the machine lacks. Needs apt-get, npm and pip; root or sudo for packages.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v sqlite3 >/dev/null || missing+=(sqlite3)
command -v cmake >/dev/null || true
if ((${#missing[@]})); then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! [ -d tests/clients/node_modules ] || [ tests/clients/package-lock.json -nt tests/clients/node_modules/.package-lock.json ]; then
  (cd tests/clients && npm ci --no-audit --no-fund --silent)
fi

venv="$HOME/.cache/campanile/venv"
stamp="$venv/.requirements"
if ! cmp -s tests/clients/requirements.txt "$stamp" 2>/dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
  cp tests/clients/requirements.txt "$stamp"
fi

if ! command -v cargo-deny >/dev/null && [ "${CAMPANILE_SKIP_DENY:-}" = "" ]; then
  # Built once and kept; a machine without the registry goes on without it.
  CARGO_TARGET_DIR="$HOME/.cache/campanile/target-tools" cargo install --quiet --locked cargo-deny || \
    echo "cargo-deny can't be installed here: licences and bans are not checked" >&2
fi
