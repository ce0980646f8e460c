#!/usr/bin/env bash
# The TypeScript packages: by themselves, as they would be published, and with the real server at $CAMPANILE_BIN.
set -euo pipefail
cd "$(dirname "$0")/../../sdks/typescript"
npm run --silent build
npm run --silent test
npm run --silent test:server --workspace bell --workspace react
