/** Lays out tables within the width of a terminal: columns side by side, or one card a row where they do not fit. */
import stringWidth from "string-width";

/** Column of a table whose rows are values of type R. */
export interface Column<R> {
  readonly title: string;
  readonly of: (row: R) => string;
  /** Order in which columns are left out of a narrow table, 1 first. Default: the column is always shown. */
  readonly drop?: number;
  /** Shown only where all columns are asked for. */
  readonly extra?: true;
  /** Free text: broken into lines where it is longer than the space that is left. */
  readonly text?: true;
}

/** Columns of rows that are lists of cells, by their titles; `facts` sets `drop` and `text` of some. */
export const columnsOf = (
  titles: readonly string[],
  facts: Readonly<Record<string, Pick<Column<unknown>, "drop" | "extra" | "text">>> = {},
): Column<readonly string[]>[] => titles.map((title, i) => ({ title, of: (row) => row[i] ?? "", ...facts[title] }));

export interface FittedTable {
  readonly text: string;
  /** Titles of the columns that were left out. */
  readonly left: readonly string[];
}

/** Width of the terminal on stdout; without a terminal that of the environment variable COLUMNS, else 80. */
export const terminalWidth = (): number => process.stdout.columns || Number(process.env["COLUMNS"]) || 80;

const GAP = "  ";
/** Narrowest column of free text. */
const LEAST_TEXT = 24;

const widest = (cells: readonly string[]): number => Math.max(0, ...cells.map((cell) => stringWidth(cell)));
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/**
 * Lays out a table in `width` terminal columns. Where they are too few, titles and free text are broken into lines, then columns are left
 * out in the order of `drop`. Columns marked `extra` are always left out. `all` shows every column. Rows that still do not fit become cards: a line for each column, with its title.
 */
export function fitTable<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  { width, all = false }: { readonly width: number; readonly all?: boolean },
): FittedTable {
  const natural = new Map(columns.map((c) => [c, widest([c.title, ...rows.map(c.of)])]));
  const least = (c: Column<R>) => {
    const cells = widest(rows.map(c.of));
    return Math.max(c.text ? Math.min(cells, LEAST_TEXT) : cells, Math.min(widest(c.title.split(" ")), LEAST_TEXT));
  };
  const needed = (shown: readonly Column<R>[]) => sum(shown.map(least)) + GAP.length * (shown.length - 1);
  const order = all ? [] : columns.filter((c) => c.drop).sort((a, b) => (a.drop ?? 0) - (b.drop ?? 0));
  let shown = columns.filter((c) => all || !c.extra);
  const left = columns.filter((c) => !shown.includes(c)).map((c) => c.title);
  for (const column of order) {
    if (needed(shown) <= width) break;
    shown = shown.filter((c) => c !== column);
    left.push(column.title);
  }
  if (needed(shown) > width) return { text: cards(shown, rows, width), left };
  const widths = shared(
    shown.map(least),
    shown.map((c) => natural.get(c) ?? 0),
    width - needed(shown),
  );
  const body = rows.map((row) => shown.map((c, i) => wrap(c.of(row), widths[i] ?? 0)));
  return { text: grid([shown.map((c, i) => wrap(c.title, widths[i] ?? 0)), ...body], widths), left };
}

/** Widths between the least and the natural ones: every column gets the same part of the spare width, or less if it needs less. */
function shared(least: readonly number[], natural: readonly number[], spare: number): number[] {
  const widths = [...least];
  for (let left = spare; left > 0; ) {
    const short = widths.flatMap((w, i) => (w < (natural[i] ?? 0) ? [i] : []));
    if (short.length === 0) break;
    for (const i of short.slice(0, left)) widths[i] = (widths[i] ?? 0) + 1;
    left -= Math.min(left, short.length);
  }
  return widths;
}

/** Formats rows of strings as aligned columns of any width. The first row is the head. */
export const table = (rows: readonly (readonly string[])[]): string =>
  grid(
    rows.map((row) => row.map((cell) => [cell])),
    (rows[0] ?? []).map((_, i) => widest(rows.map((row) => row[i] ?? ""))),
  );

/** Rows of cells, each a list of lines. The first row is the head; columns of numbers are right-aligned. */
function grid(rows: readonly (readonly (readonly string[])[])[], widths: readonly number[]): string {
  const numeric = widths.map((_, i) =>
    rows.slice(1).every((row) => row[i]?.length === 1 && /^[-+]?[\d.,]|^–$|^$/.test(row[i]?.[0] ?? "")),
  );
  const padded = (cell: string, i: number) => {
    const space = " ".repeat(Math.max(0, (widths[i] ?? 0) - stringWidth(cell)));
    return numeric[i] ? space + cell : cell + space;
  };
  const lines = (row: readonly (readonly string[])[]) =>
    Array.from({ length: Math.max(1, ...row.map((cell) => cell.length)) }, (_, n) =>
      widths
        .map((_, i) => padded(row[i]?.[n] ?? "", i))
        .join(GAP)
        .trimEnd(),
    );
  const [head = [], ...body] = rows;
  return [...lines(head), widths.map((w) => "─".repeat(w)).join(GAP), ...body.flatMap(lines)].join("\n");
}

/** One card a row: its columns below each other, without empty ones. */
function cards<R>(columns: readonly Column<R>[], rows: readonly R[], width: number): string {
  const title = widest(columns.map((c) => c.title));
  const card = (row: R) =>
    columns
      .filter((c) => c.of(row) !== "")
      .flatMap((c) =>
        wrap(c.of(row), Math.max(LEAST_TEXT, width - title - GAP.length)).map(
          (line, n) =>
            `${n === 0 ? c.title + " ".repeat(title - stringWidth(c.title)) : " ".repeat(title)}${GAP}${line}`,
        ),
      );
  return rows.map((row) => card(row).join("\n")).join("\n\n");
}

const graphemes = new Intl.Segmenter();

/** Breaks a text into lines of at most `width` terminal columns, at spaces where possible. */
export function wrap(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/ +/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (stringWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = "";
    // A word longer than a line, such as a path.
    for (const { segment } of graphemes.segment(word)) {
      if (stringWidth(line + segment) > width) {
        lines.push(line);
        line = "";
      }
      line += segment;
    }
  }
  return line === "" ? lines : [...lines, line];
}
