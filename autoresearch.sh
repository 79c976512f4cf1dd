#!/usr/bin/env bash
# The benchmark: builds the bundled store and prints METRIC lines on stdout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# `autoresearch profile` asks for a profile: a build of its own, with symbols.
if [[ -n "${AUTORESEARCH_PROFILE:-}" ]]; then
  cargo build --profile profiling --features pprof --locked --quiet -p batch-store-bench >&2
  exec "${CARGO_TARGET_DIR:-target}/profiling/batch-store-bench" --profile "$AUTORESEARCH_PROFILE" "$@"
fi
# The loop has run the config's build command already.
if [[ -z "${AUTORESEARCH_BUILT:-}" ]]; then
  cargo build --release --locked --quiet -p batch-store-bench >&2
fi
exec "${CARGO_TARGET_DIR:-target}/release/batch-store-bench" "$@"
