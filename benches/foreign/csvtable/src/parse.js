/** Rows of a CSV text (RFC 4180); every row is a list of cells. */
export function parse(text) {
  let rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '"' && text[i + 1] === '"') {
        cell += '"';
        i++;
      } else if (c === '"') {
        quoted = false;
      } else {
        cell += c;
      }
    } else if (c === '"') {
      quoted = true;
    } else if (c === ",") {
      row = [...row, cell];
      cell = "";
    } else if (c === "\n") {
      rows = [...rows, [...row, cell]];
      row = [];
      cell = "";
    } else if (c !== "\r") {
      cell += c;
    }
  }
  if (quoted) throw new Error("a quote is not closed");
  if (cell !== "" || row.length > 0) rows = [...rows, [...row, cell]];
  return rows;
}
