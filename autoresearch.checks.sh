#!/usr/bin/env bash
# The gate for a candidate that would be kept. In release, so that what the
# benchmark built is used again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
packages=(-p batch-store -p batch-store-bench)
cargo fmt --check "${packages[@]}"
cargo clippy --release --locked --quiet --all-targets "${packages[@]}" -- -D warnings
cargo test --release --locked --quiet "${packages[@]}"
