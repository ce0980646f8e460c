#!/usr/bin/env bash
# Formatting, lints and types of the client tests, the SDKs in Python and TypeScript, and the examples.
set -euo pipefail
cd "$(dirname "$0")"
venv="$HOME/.cache/campanile/venv"

node_modules/.bin/biome ci --error-on-warnings .
node_modules/.bin/tsc
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/mypy"

cd ../../sdks/python
"$venv/bin/ruff" check . ../../examples
"$venv/bin/ruff" format --check . ../../examples
"$venv/bin/mypy"

cd ../typescript
npm run --silent build
npm run --silent lint
npm run --silent size
