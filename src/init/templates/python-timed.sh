#!/usr/bin/env bash
# Times the whole benchmark process; the median of the three times counts.
set -euo pipefail
cd "$(dirname "$0")"

python=$(command -v python3 || command -v python) || {
  echo "autoresearch.sh: python3 is not on PATH" >&2
  exit 1
}
# The code of this checkout, also when the package is installed from another one.
export PYTHONPATH="$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}"

"$python" - <<'PY'
import subprocess
import sys
import time

for _ in range(3):
    start = time.perf_counter()
    subprocess.run([sys.executable, "@FILE@"], check=True, stdin=subprocess.DEVNULL)
    milliseconds = 1e3 * (time.perf_counter() - start)
    print(f"METRIC bench_ms={milliseconds:.3f}", flush=True)
PY
