/** Rows that are summed up before they are added to the whole. */
const BLOCK_ROWS = 8;

/** Sums of column `value` by column `key`, in order of first appearance: [[key, sum], ...]. */
export function groupSum(rows, key, value) {
  let groups = [];
  for (let start = 0; start < rows.length; start += BLOCK_ROWS) {
    const block = [];
    for (const row of rows.slice(start, start + BLOCK_ROWS)) {
      const number = Number(row[value]);
      if (Number.isNaN(number)) throw new Error(`no number: ${row[value]}`);
      add(block, row[key], number);
    }
    groups = groups.map((group) => [...group]);
    for (const [name, sum] of block) add(groups, name, sum);
  }
  return groups;
}

function add(groups, name, number) {
  const known = groups.find((group) => group[0] === name);
  if (known) known[1] += number;
  else groups.push([name, number]);
}
