#!/usr/bin/env bash
# Runs the Go benchmarks and prints, in ns an operation, one METRIC line a benchmark, their sum
# (total_ns) and their geometric mean (geomean_ns, in which each counts alike).
set -euo pipefail
cd "$(dirname "$0")"

# Keep one run at 1 to 3 s: name the benchmarks that matter instead of `.`.
output=$(go test -run '^$' -bench . -benchtime 200ms -count 1 ./...) || {
  printf '%s\n' "$output"
  exit 1
}
printf '%s\n' "$output"

printf '%s\n' "$output" | LC_ALL=C awk '
  BEGIN { used["total_ns"] = used["geomean_ns"] = 1 }
  # BenchmarkName/case-8   12345   678.9 ns/op   ...
  $1 ~ /^Benchmark/ && / ns\/op/ {
    for (i = 3; i <= NF && $i != "ns/op"; i++) {}
    value = $(i - 1) + 0
    if (i > NF || value <= 0) {
      print "autoresearch.sh: no time in: " $0 > "/dev/stderr"
      failed = 1
      exit 1
    }
    name = $1
    sub(/^Benchmark/, "", name)
    sub(/-[0-9]+$/, "", name)
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
      print "autoresearch.sh: go test ran no benchmark" > "/dev/stderr"
      exit 1
    }
    printf "METRIC total_ns=%.9g\n", total
    printf "METRIC geomean_ns=%.9g\n", exp(logs / count)
  }
'
