#!/usr/bin/env bash
# Runs the criterion benchmarks and prints, in ns an iteration, one METRIC line a benchmark, their
# sum (total_ns) and their geometric mean (geomean_ns, in which each counts alike).
set -euo pipefail
cd "$(dirname "$0")"

# A home of its own, empty: results of benchmarks that no longer exist must not be read.
export CRITERION_HOME="$PWD/target/autoresearch-criterion"
rm -rf "$CRITERION_HOME"

# Short on purpose: the loop runs this many times, alternating with the other version. Keep one run
# at 1 to 3 s by naming only the benchmarks that matter.
settings=(--noplot --sample-size 10 --warm-up-time 0.2 --measurement-time 0.5)
@COMMANDS@

find "$CRITERION_HOME" -path '*/new/benchmark.json' | LC_ALL=C sort | LC_ALL=C awk '
  function slurp(file,   text, line) {
    text = ""
    while ((getline line < file) > 0) text = text line
    close(file)
    return text
  }
  function fail(problem) {
    print "autoresearch.sh: " problem > "/dev/stderr"
    failed = 1
    exit 1
  }
  BEGIN { used["total_ns"] = used["geomean_ns"] = 1 }
  {
    id = slurp($0)
    if (!match(id, /"full_id":"([^"\\]|\\.)*"/)) fail("no full_id in " $0)
    name = substr(id, RSTART + 11, RLENGTH - 12)
    gsub(/[^A-Za-z0-9_]+/, "_", name)
    name = name "_ns"
    for (copy = 2; name in used; copy++) name = name "_" copy
    used[name] = 1

    sub(/benchmark\.json$/, "estimates.json")
    estimates = slurp($0)
    start = index(estimates, "\"median\":{")
    rest = substr(estimates, start)
    if (!start || !match(rest, /"point_estimate":[-+0-9.eE]+/)) fail("no median in " $0)
    value = substr(rest, RSTART + 17, RLENGTH - 17) + 0
    if (value <= 0) fail("median of " name " is " value)

    printf "METRIC %s=%.9g\n", name, value
    total += value
    logs += log(value)
    count++
  }
  END {
    if (failed) exit 1
    if (!count) fail("criterion reported no benchmark")
    printf "METRIC total_ns=%.9g\n", total
    printf "METRIC geomean_ns=%.9g\n", exp(logs / count)
  }
'
