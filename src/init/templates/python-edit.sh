#!/usr/bin/env bash
# Times a function of this project; the median of the samples counts.
set -euo pipefail
cd "$(dirname "$0")"

python=$(command -v python3 || command -v python) || {
  echo "autoresearch.sh: python3 is not on PATH" >&2
  exit 1
}
# The code of this checkout, also when the package is installed from another one.
export PYTHONPATH="$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}"

"$python" - <<'PY'
import time

# Import what is to be measured.


def work():
    raise SystemExit("autoresearch.sh: put the code to measure into work()")


work()
for _ in range(20):
    start = time.perf_counter()
    work()
    milliseconds = 1e3 * (time.perf_counter() - start)
    print(f"METRIC bench_ms={milliseconds:.6f}")
PY
