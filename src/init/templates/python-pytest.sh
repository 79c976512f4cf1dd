#!/usr/bin/env bash
# Runs the pytest benchmarks and prints, in ns a call, one METRIC line a benchmark, their sum
# (total_ns) and their geometric mean (geomean_ns, in which each counts alike).
set -euo pipefail
cd "$(dirname "$0")"

python=$(command -v python3 || command -v python) || {
  echo "autoresearch.sh: python3 is not on PATH" >&2
  exit 1
}
# The code of this checkout, also when the package is installed from another one.
export PYTHONPATH="$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}"

report=$(mktemp)
trap 'rm -f "$report"' EXIT
"$python" -m pytest -q -p no:cacheprovider --benchmark-only --benchmark-max-time=0.3 \
  --benchmark-json="$report"

"$python" - "$report" <<'PY'
import json
import math
import re
import sys

with open(sys.argv[1]) as file:
    benchmarks = json.load(file)["benchmarks"]
if not benchmarks:
    sys.exit("autoresearch.sh: pytest ran no benchmark")
names, values = {"total_ns", "geomean_ns"}, []
for benchmark in sorted(benchmarks, key=lambda one: one["fullname"]):
    stem = name = re.sub(r"[^A-Za-z0-9_]+", "_", benchmark["name"]) + "_ns"
    copy = 2
    while name in names:
        name, copy = f"{stem}_{copy}", copy + 1
    names.add(name)
    values.append(1e9 * benchmark["stats"]["median"])
    print(f"METRIC {name}={values[-1]:.9g}")
print(f"METRIC total_ns={sum(values):.9g}")
print(f"METRIC geomean_ns={math.exp(sum(map(math.log, values)) / len(values)):.9g}")
PY
