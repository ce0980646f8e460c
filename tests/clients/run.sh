#!/usr/bin/env bash
# Real clients against the real server: Node's ws, Python's websockets and pages in Chromium at once, then the SDKs.
# The binary is $CAMPANILE_BIN, or cargo's debug build.
set -uo pipefail
shopt -s extglob
root="$(cd "$(dirname "$0")/../.." && pwd)"
CAMPANILE_BIN="$(realpath -m "${CAMPANILE_BIN:-${CARGO_TARGET_DIR:-$root/target}/debug/campanile}")"
export CAMPANILE_BIN
cd "$root/tests/clients" || exit 1
logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT

# All files at once: the runner's own measure is the cores, which are idle here.
node_test=(node --test --test-concurrency=16 --test-timeout=240000 --test-reporter=spec)
declare -A command=(
  [node]="${node_test[*]} node/!(troubleshooting).test.mjs"
  [troubleshooting]="${node_test[*]} node/troubleshooting.test.mjs"
  [browser]="${node_test[*]} browser/*.test.mjs"
  [python]="$HOME/.cache/campanile/venv/bin/pytest"
  [sdk-typescript]="./typescript.sh"
  [sdk-python]="env --chdir=$root/sdks/python $HOME/.cache/campanile/venv/bin/pytest"
)
declare -A status
failed=0
# Those that mostly wait run at once; what keeps the cores busy comes after them, one by one.
for wave in "node browser python" troubleshooting sdk-python sdk-typescript; do
  declare -A pid=()
  for runner in $wave; do
    (
      start=$SECONDS
      # Unquoted: a list of words and patterns.
      ${command[$runner]} >"$logs/$runner" 2>&1
      code=$?
      echo "$((SECONDS - start))" >"$logs/$runner.seconds"
      exit "$code"
    ) &
    pid[$runner]=$!
  done
  for runner in $wave; do
    wait "${pid[$runner]}"
    status[$runner]=$?
    cat "$logs/$runner"
  done
done
for runner in "${!status[@]}"; do
  verdict=passed
  if [ "${status[$runner]}" != 0 ]; then
    verdict=FAILED
    failed=1
  fi
  echo "clients/$runner: $verdict in $(cat "$logs/$runner.seconds") s"
done
exit "$failed"
