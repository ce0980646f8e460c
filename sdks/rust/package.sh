#!/usr/bin/env bash
# Builds the crate as it would be published, and a program that uses it in an empty project.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
cargo package --package campanile-client --no-verify --allow-dirty --quiet
version=$(cargo metadata --format-version 1 --no-deps | grep -o '"name":"campanile-client","version":"[^"]*"' | cut -d'"' -f8)

project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
tar -xzf "$target/package/campanile-client-$version.crate" -C "$project"
mkdir "$project/src"
cp Cargo.lock rust-toolchain.toml "$project"
cat > "$project/Cargo.toml" <<TOML
[package]
name = "empty-project"
version = "0.0.0"
edition = "2024"

[dependencies]
campanile-client = { path = "campanile-client-$version" }
tokio = { version = "1", features = ["rt-multi-thread", "macros"] }

[workspace]
TOML
# The first program of the README, as a reader would paste it.
awk '/^```no_run$/ {inside = 1; next} /^```$/ && inside {exit} inside' \
    "$project/campanile-client-$version/README.md" > "$project/src/main.rs"
CARGO_TARGET_DIR=$target/package/empty-project cargo check --quiet --manifest-path "$project/Cargo.toml"
echo "campanile-client $version: packaged, and used by an empty project"
