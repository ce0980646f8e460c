#!/usr/bin/env bash
# Installs what the tests need and the machine lacks; quick where all is there. Expects Rust (rustup) and, for
# Debian packages, root or sudo.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v cc >/dev/null || missing+=(build-essential)
command -v "${CHROMIUM:-/usr/bin/chromium}" >/dev/null || missing+=(chromium)
{ command -v node && command -v npm; } >/dev/null || missing+=(nodejs npm)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
command -v openssl >/dev/null || missing+=(openssl)
command -v certutil >/dev/null || missing+=(libnss3-tools)
if ((${#missing[@]})); then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  echo "installing ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 11) ? 0 : 1)'; then
  echo "the client tests need Node.js 20.11 or newer, not $(node --version)" >&2
  exit 1
fi

# All are marked by a copy of what they were installed from, written last: a broken install is done again.
for packages in tests/clients sdks/typescript; do
  if ! cmp -s "$packages/package-lock.json" "$packages/node_modules/.installed"; then
    (cd "$packages" && npm ci --no-audit --no-fund --loglevel=error >&2)
    cp "$packages/package-lock.json" "$packages/node_modules/.installed"
  fi
done

venv="$HOME/.cache/campanile/venv"
if ! "$venv/bin/python" -c '' 2>/dev/null || ! cmp -s tests/clients/requirements.txt "$venv/.installed"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
  cp tests/clients/requirements.txt "$venv/.installed"
fi
