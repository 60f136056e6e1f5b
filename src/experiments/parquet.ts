/** Parquet file of an experiment, with one row for each image. */
import { parquetWriteBuffer } from "hyparquet-writer";
import type { CellResult } from "./store.js";
import type { Work } from "./work.js";

/** Columns: experiment, row, prompt, seed, cell, calls, ms, and one for each predicted attribute and number. */
export function parquetOf(works: readonly Work[], results: ReadonlyMap<string, CellResult>): Uint8Array {
  const images = works.flatMap(({ definition, cells }) =>
    cells.flatMap((cell) => {
      const result = results.get(cell.id);
      const n = result?.pictures.length ?? 1;
      return (result?.pictures ?? []).map((image) => ({
        experiment: definition.name,
        row: cell.row.name,
        cell: cell.id,
        calls: (result?.calls ?? 0) / n,
        ms: (result?.milliseconds ?? 0) / n,
        image,
      }));
    }),
  );
  const attributes = [...new Set(images.flatMap((p) => Object.keys(p.image.factors ?? {})))];
  const numbers = [...new Set(images.flatMap((p) => Object.keys(p.image.numbers ?? {})))];
  type Row = (typeof images)[number];
  const texts = (name: string, of: (p: Row) => string | null) => ({
    name,
    data: images.map(of),
    type: "STRING" as const,
    nullable: true,
  });
  const reals = (name: string, of: (p: Row) => number | null) => ({
    name,
    data: images.map(of),
    type: "DOUBLE" as const,
    nullable: true,
  });
  const columnData = [
    texts("experiment", (p) => p.experiment),
    texts("row", (p) => p.row),
    texts("prompt", (p) => p.image.prompt),
    reals("seed", (p) => p.image.seed),
    texts("cell", (p) => p.cell),
    reals("calls", (p) => p.calls),
    reals("ms", (p) => p.ms),
    ...attributes.map((f) => texts(f, (p) => (p.image.factors?.[f] === undefined ? null : `${p.image.factors[f]}`))),
    ...numbers.map((f) => reals(f, (p) => p.image.numbers?.[f] ?? null)),
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
