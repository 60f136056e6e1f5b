/** Every image of an experiment as a row of a Parquet file. */
import { parquetWriteBuffer } from "hyparquet-writer";
import type { CellResult } from "./store.js";
import type { Work } from "./work.js";

/** Columns experiment, row, prompt, seed, cell, calls and ms of an image, and one for each attribute and number that was predicted. */
export function parquetOf(works: readonly Work[], results: ReadonlyMap<string, CellResult>): Uint8Array {
  const pictures = works.flatMap(({ definition, cells }) =>
    cells.flatMap((cell) => {
      const result = results.get(cell.id);
      const n = result?.pictures.length ?? 1;
      return (result?.pictures ?? []).map((picture) => ({
        experiment: definition.name,
        row: cell.row.name,
        cell: cell.id,
        calls: (result?.calls ?? 0) / n,
        ms: (result?.milliseconds ?? 0) / n,
        picture,
      }));
    }),
  );
  const attributes = [...new Set(pictures.flatMap((p) => Object.keys(p.picture.factors ?? {})))];
  const numbers = [...new Set(pictures.flatMap((p) => Object.keys(p.picture.numbers ?? {})))];
  type Picture = (typeof pictures)[number];
  const texts = (name: string, of: (p: Picture) => string | null) => ({
    name,
    data: pictures.map(of),
    type: "STRING" as const,
    nullable: true,
  });
  const reals = (name: string, of: (p: Picture) => number | null) => ({
    name,
    data: pictures.map(of),
    type: "DOUBLE" as const,
    nullable: true,
  });
  const columnData = [
    texts("experiment", (p) => p.experiment),
    texts("row", (p) => p.row),
    texts("prompt", (p) => p.picture.prompt),
    reals("seed", (p) => p.picture.seed),
    texts("cell", (p) => p.cell),
    reals("calls", (p) => p.calls),
    reals("ms", (p) => p.ms),
    ...attributes.map((f) =>
      texts(f, (p) => (p.picture.factors?.[f] === undefined ? null : `${p.picture.factors[f]}`)),
    ),
    ...numbers.map((f) => reals(f, (p) => p.picture.numbers?.[f] ?? null)),
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
