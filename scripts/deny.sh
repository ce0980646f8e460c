#!/usr/bin/env bash
# Licences, bans and sources of everything in the binary; advisories too where their database can be had.
set -euo pipefail
if ! command -v cargo-deny >/dev/null; then
  echo "cargo-deny is not installed: licences and bans are not checked (cargo install cargo-deny)" >&2
  exit 0
fi
cargo deny --all-features check bans licenses sources
said=$(mktemp)
trap 'rm -f "$said"' EXIT
if ! cargo deny --all-features check advisories 2>"$said"; then
  if grep -qiE 'failed to fetch|unable to fetch|could not (connect|resolve)|failed to acquire|network' "$said"; then
    echo "the advisory database can't be reached: advisories are not checked" >&2
  else
    cat "$said" >&2
    exit 1
  fi
fi
