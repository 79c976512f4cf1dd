#!/usr/bin/env bash
# Runs the benchmark, which prints METRIC lines itself.
set -euo pipefail
cd "$(dirname "$0")"

python=$(command -v python3 || command -v python) || {
  echo "autoresearch.sh: python3 is not on PATH" >&2
  exit 1
}
# The code of this checkout, also when the package is installed from another one.
export PYTHONPATH="$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}"

"$python" @FILE@
