#!/usr/bin/env bash
# The correctness gate: exit 0 means that the code is right. It runs for candidates that measured
# better, and once on the unchanged code before the first. AUTORESEARCH_BASE, AUTORESEARCH_START and
# AUTORESEARCH_CANDIDATE hold commit ids, to compare with.
set -euo pipefail
cd "$(dirname "$0")"

@COMMANDS@
