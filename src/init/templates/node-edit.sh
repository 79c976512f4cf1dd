#!/usr/bin/env bash
# Times a function of this project; the median of the samples counts.
set -euo pipefail
cd "$(dirname "$0")"

node --input-type=module - <<'JS'
// Import what is to be measured, such as
//     const { parse } = await import(`${process.cwd()}/src/index.js`);
function work() {
  throw new Error("autoresearch.sh: put the code to measure into work()");
}

work();
for (let sample = 0; sample < 20; sample++) {
  const start = process.hrtime.bigint();
  work();
  const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
  console.log(`METRIC bench_ms=${milliseconds}`);
}
JS
