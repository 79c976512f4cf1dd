#!/usr/bin/env bash
# Runs the benchmark.js suite and prints, in ns an operation, one METRIC line a benchmark, their sum
# (total_ns) and their geometric mean (geomean_ns, in which each counts alike).
set -euo pipefail
cd "$(dirname "$0")"

output=$(@COMMAND@) || {
  printf '%s\n' "$output"
  exit 1
}
printf '%s\n' "$output"

printf '%s\n' "$output" | LC_ALL=C awk '
  BEGIN { used["total_ns"] = used["geomean_ns"] = 1 }
  # name x 1,234,567 ops/sec +-0.98% (90 runs sampled)
  match($0, / x [0-9,.]+ ops\/sec/) {
    name = substr($0, 1, RSTART - 1)
    rate = substr($0, RSTART + 3, RLENGTH - 11)
    gsub(/,/, "", rate)
    if (rate + 0 <= 0) {
      print "autoresearch.sh: no rate in: " $0 > "/dev/stderr"
      failed = 1
      exit 1
    }
    value = 1e9 / rate
    gsub(/[^A-Za-z0-9_]+/, "_", name)
    name = name "_ns"
    for (copy = 2; name in used; copy++) name = name "_" copy
    used[name] = 1
    printf "METRIC %s=%.9g\n", name, value
    total += value
    logs += log(value)
    count++
  }
  END {
    if (failed) exit 1
    if (!count) {
      print "autoresearch.sh: the benchmark printed no ops/sec line" > "/dev/stderr"
      exit 1
    }
    printf "METRIC total_ns=%.9g\n", total
    printf "METRIC geomean_ns=%.9g\n", exp(logs / count)
  }
'
