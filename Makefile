# Two commands: `make run` builds and starts the server; `make test` installs what it needs and proves it all.

export CARGO_TARGET_DIR ?= $(HOME)/.cache/campanile/target
SHELL := /bin/bash

.PHONY: run test setup gate rust-tests client-tests fmt docs bench help

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: ## Build and start the server on its embedded store, at http://127.0.0.1:8700
	cargo run --release --package campanile-server --bin campanile -- serve

test: setup gate rust-tests client-tests ## Install what the tests need, then run every check and test

setup: ## Install what the tests need: Debian packages, test clients
	./scripts/setup.sh

gate: ## Formatting, lints, documentation, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
	./scripts/deny.sh
	./tests/clients/lint.sh

rust-tests: ## Every Rust test, and the Rust SDK as it would be published
	cargo test --workspace --all-features --no-fail-fast
	./sdks/rust/package.sh

client-tests: ## The real server with Node, Python, a browser, and every SDK
	cargo test --workspace --all-features --no-run
	./tests/clients/run.sh
	CAMPANILE_BIN="$(CARGO_TARGET_DIR)/debug/campanile" cargo test --workspace --all-features --test main -- --ignored chaos

fmt: ## Format everything
	cargo fmt --all
	cd tests/clients && node_modules/.bin/biome check --write . && $(HOME)/.cache/campanile/venv/bin/ruff format .
	cd sdks/typescript && npm run format
	cd sdks/python && $(HOME)/.cache/campanile/venv/bin/ruff format . ../../examples

docs: setup ## Write the generated documents, the SDKs' close codes and the picture of the bell again
	UPDATE_DOCS=1 cargo test --package campanile-server --test main docs
	UPDATE_DOCS=1 cargo test --package campanile-wire
	cd sdks/typescript && npm run --silent build && cd bell && UPDATE_DOCS=1 node --test test/looks.test.mjs

bench: ## Measure a release build; minutes
	cargo build --release --package campanile-server --package campanile-bench --bin campanile --bin campanile-bench
	$(CARGO_TARGET_DIR)/release/campanile-bench $(CARGO_TARGET_DIR)/release/campanile
