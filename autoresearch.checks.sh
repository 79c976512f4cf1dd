#!/usr/bin/env bash
# The gate for a candidate that would be kept. In release, so that what the
# benchmark built is used again. The benchmark's own tests are its runs: each
# verifies what it stored; its criterion benches are left to people.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cargo fmt --check -p batch-store
cargo clippy --release --locked --quiet -p batch-store -p batch-store-bench -- -D warnings
# The tests cut the power on simulated disks and trace system calls: what the real
# disk takes for a sync proves nothing here, so in memory, where there is such a place.
if [[ -d /dev/shm && -w /dev/shm ]]; then
  export TMPDIR=/dev/shm
fi
cargo test --release --locked --quiet -p batch-store --lib --test it
