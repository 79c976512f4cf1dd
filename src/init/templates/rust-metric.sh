#!/usr/bin/env bash
# Runs the benchmark, which prints METRIC lines itself.
set -euo pipefail
cd "$(dirname "$0")"

@COMMANDS@
