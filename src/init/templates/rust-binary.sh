#!/usr/bin/env bash
# Runs the program on a workload. The loop measures the time of this script (driver.wall_ms) and the
# memory it needs (driver.max_rss_kib); further figures can be printed as `METRIC name=value`.
set -euo pipefail
cd "$(dirname "$0")"

# A workload that takes 0.2 to 3 s and fails when the answer is wrong, such as
#     target/release/@BINARY@ testdata/large.txt > /dev/null
echo "autoresearch.sh: give target/release/@BINARY@ a workload, then delete this line and the next" >&2
exit 1
