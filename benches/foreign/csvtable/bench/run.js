import { groupSum, parse } from "../src/index.js";

const text = Array.from(
  { length: 9000 },
  (_, n) => `${n},"city ${(n * n) % 997}",${(n * 37) % 1000}\n`,
).join("");

function timed(name, work) {
  const start = performance.now();
  const result = work();
  console.log(`${name.padEnd(10)} ${(performance.now() - start).toFixed(1)} ms`);
  return result;
}

const rows = timed("parse", () => parse(text));
const groups = timed("groupSum", () => groupSum(rows, 1, 2));
if (groups.length !== 499) throw new Error(`${groups.length} groups`);
