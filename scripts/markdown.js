/** Markdown tables of pages that scripts read and write. */

/** The cells of a table's line. */
export const cellsOf = (line) =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

/** A table from rows of cells, the first of which is its head. */
export const tableOf = ([head, ...rows]) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
