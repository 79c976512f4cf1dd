#!/usr/bin/env bash
# Times the whole benchmark process; the median of the three times counts.
set -euo pipefail
cd "$(dirname "$0")"

node --input-type=commonjs - <<'JS'
const { spawnSync } = require("node:child_process");

const [program, ...args] = @COMMAND@;
for (let run = 0; run < 3; run++) {
  const start = process.hrtime.bigint();
  const child = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
  if (child.status !== 0) {
    console.error(`autoresearch.sh: ${program} ended with ${child.error ?? child.signal ?? child.status}`);
    process.exit(1);
  }
  console.log(`METRIC bench_ms=${milliseconds.toFixed(3)}`);
}
JS
