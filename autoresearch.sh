#!/usr/bin/env bash
# The benchmark: builds the bundled store and prints METRIC lines on stdout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cargo build --release --locked --quiet -p batch-store-bench >&2
exec "${CARGO_TARGET_DIR:-target}/release/batch-store-bench" "$@"
