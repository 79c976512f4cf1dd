#!/usr/bin/env bash
# Runs the benchmark and prints its result as `METRIC name=value`, one a line, anywhere in the output.
# A value is a plain decimal above 0; a line may be repeated, and then the median counts. Any exit
# status but 0 is a crash. One run should take 0.2 to 3 s.
#
# What must not change, such as a hash of the output, goes into `DIGEST name=value` lines: they must be
# equal before and after. The loop itself measures driver.wall_ms, driver.cpu_ms, driver.peak_rss_kib
# and more (docs/config.md), any of which can be the metric.
set -euo pipefail
cd "$(dirname "$0")"

# Such as:
#     make --silent bench | awk '/^elapsed/ { print "METRIC total_ms=" $2 }'
echo "autoresearch.sh: run the benchmark here and print METRIC total_ms=..., then delete this line and the next" >&2
exit 1
