import assert from "node:assert/strict";
import test from "node:test";

import { groupSum, parse } from "../src/index.js";

test("cells may be quoted", () => {
  assert.deepEqual(parse('a,"b,""c"""\r\n1,\n'), [["a", 'b,"c"'], ["1", ""]]);
});

test("the last line needs no end", () => {
  assert.deepEqual(parse("a,b\nc"), [["a", "b"], ["c"]]);
  assert.deepEqual(parse(""), []);
});

test("a quote that is not closed is an error", () => {
  assert.throws(() => parse('"a'), /not closed/);
});

test("groups are in order of first appearance", () => {
  const rows = [["b", "1"], ["a", "2"], ["b", "0.5"]];
  assert.deepEqual(groupSum(rows, 0, 1), [["b", 1.5], ["a", 2]]);
});

test("what is no number is an error", () => {
  assert.throws(() => groupSum([["a", "x"]], 0, 1), /no number: x/);
});
