// Tables of the model card: how a measured number is written, how a card is held against what was measured, and how it is brought up to date.

/** An estimate as a cell: mean [low, high]. */
export const shown = (e, digits = 3) =>
  e === null ? "–" : `${e.mean.toFixed(digits)} [${e.low?.toFixed(digits) ?? "–"}, ${e.high?.toFixed(digits) ?? "–"}]`;

const line = (cells) => `| ${cells.join(" | ")} |`;

/** { head, rows } as Markdown. */
export const markdown = ({ head, rows }) => [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");

const cellsOf = (text) => text.split("|").slice(1, -1).map((c) => c.trim());

/** Where the table that begins with these heads stands in a card: its first line and the one after its last; null when it is not there. */
function placeOf(lines, head) {
  const first = lines.findIndex((l) => l.startsWith("|") && cellsOf(l).join() === head.join());
  if (first < 0) return null;
  const length = lines.slice(first).findIndex((l) => !l.startsWith("|"));
  return { first, after: length < 0 ? lines.length : first + length };
}

const numbersOf = (cell) => (cell.match(/[−-]?\d+(\.\d+)?/g) ?? []).map((n) => Number(n.replace("−", "-")));

/**
 * Every cell of a table in which the card says something else than what was measured: { row, column, says, measured }.
 * `tolerances` has one for each column; the first column names the row.
 */
export function differences(card, { head, rows, tolerances }) {
  const lines = card.split("\n");
  const place = placeOf(lines, head);
  if (!place) return [{ row: head[0], column: head[1], says: "no such table", measured: "" }];
  const said = new Map(lines.slice(place.first + 2, place.after).map((l) => [cellsOf(l)[0], cellsOf(l)]));
  const measured = new Set(rows.map((cells) => String(cells[0])));
  const unmeasured = [...said.keys()].filter((row) => !measured.has(row));
  const wrong = rows.flatMap((cells) => {
    const says = said.get(cells[0]);
    if (!says) return [{ row: cells[0], column: "", says: "no such row", measured: cells.slice(1).join(" ") }];
    return cells.flatMap((measured, i) => {
      const [a, b] = [numbersOf(says[i] ?? ""), numbersOf(String(measured))];
      const near = a.length === b.length && a.every((v, k) => Math.abs(v - b[k]) <= tolerances[i] + 1e-9);
      return i === 0 || near ? [] : [{ row: cells[0], column: head[i], says: says[i] ?? "", measured: String(measured) }];
    });
  });
  return [...wrong, ...unmeasured.map((row) => ({ row, column: head[1], says: said.get(row)[1], measured: "nothing" }))];
}

/** The card with the rows that were measured in the place of those it had, its others kept. */
export function updated(card, { head, rows }) {
  const lines = card.split("\n");
  const place = placeOf(lines, head);
  if (!place) return `${card.trimEnd()}\n\n${markdown({ head, rows })}\n`;
  const fresh = new Map(rows.map((cells) => [String(cells[0]), line(cells)]));
  const old = lines.slice(place.first + 2, place.after).map((l) => fresh.get(cellsOf(l)[0]) ?? l);
  const known = new Set(lines.slice(place.first + 2, place.after).map((l) => cellsOf(l)[0]));
  const added = rows.filter((cells) => !known.has(String(cells[0]))).map(line);
  return [...lines.slice(0, place.first + 2), ...old, ...added, ...lines.slice(place.after)].join("\n");
}
