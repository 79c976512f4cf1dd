#!/usr/bin/env bash
# Runs the benchmark and prints its result as `METRIC name=value`, one a line, anywhere in the output.
# A value is a plain decimal above 0; a line may be repeated, and then the median counts. Any exit
# status but 0 is a crash. One run should take 0.2 to 3 s.
set -euo pipefail
cd "$(dirname "$0")"

# Such as:
#     make --silent bench | awk '/^elapsed/ { print "METRIC total_ms=" $2 }'
echo "autoresearch.sh: run the benchmark here and print METRIC total_ms=..., then delete this line and the next" >&2
exit 1
