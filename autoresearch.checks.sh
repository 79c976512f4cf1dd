#!/usr/bin/env bash
# The gate for a candidate that would be kept. In release, so that what the
# benchmark built is used again. The benchmark's own tests are its runs: each
# verifies what it stored; its criterion benches are left to people.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cargo fmt --check -p batch-store -p batch-store-bench
cargo clippy --release --locked --quiet --all-targets -p batch-store -- -D warnings
cargo clippy --release --locked --quiet -p batch-store-bench -- -D warnings
cargo test --release --locked --quiet -p batch-store
