#!/usr/bin/env bash
# Runs the program on a workload. The loop measures the time of this script (driver.wall_ms) and the
# memory it needs (driver.peak_rss_kib); further figures can be printed as `METRIC name=value`, and what
# must not change, such as a hash of the output, as `DIGEST name=value`. Start the program with `exec`
# as the last command, and driver.wall_adj_ms leaves out the time it waited for a processor.
set -euo pipefail
cd "$(dirname "$0")"

# A workload that takes 0.2 to 3 s and fails when the answer is wrong, such as
#     target/release/@BINARY@ testdata/large.txt > /dev/null
echo "autoresearch.sh: give target/release/@BINARY@ a workload, then delete this line and the next" >&2
exit 1
