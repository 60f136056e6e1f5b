/** The machine that a cell was generated on. Times of different machines are never averaged. */
import os from "node:os";
import type { Device } from "../runtime/index.js";
import { counted } from "../tensor/index.js";
import type { CellResult } from "./store.js";

/** Where a cell was generated, as its result records it. */
export interface Place {
  readonly host: string;
  /** Device, threads and processor, such as "cpu, 8 threads, AMD EPYC 7B13". */
  readonly machine: string;
}

export const placeOf = (device: Device = "cpu", threads = os.availableParallelism()): Place => ({
  host: os.hostname(),
  machine: `${device}, ${counted(threads, "thread")}, ${os.cpus()[0]?.model.trim() ?? os.arch()}`,
});

/** Name of the machine of a result; "" for results from before it was recorded. */
export const placeName = ({ place }: Pick<CellResult, "place">): string =>
  place ? `${place.machine} on ${place.host}` : "";

/**
 * The machine whose times are shown: the one that timed cells of most rows, and of those the one with most cells. Null without a time.
 * @param rows results by row
 */
export function timedPlace(rows: readonly (readonly CellResult[])[]): string | null {
  const found = new Map<string, { rows: number; cells: number }>();
  for (const results of rows) {
    const names = results.filter((r) => r.workers === 1).map(placeName);
    for (const name of names) {
      const known = found.get(name) ?? { rows: 0, cells: 0 };
      known.cells++;
      found.set(name, known);
    }
    for (const name of new Set(names)) {
      const known = found.get(name);
      if (known) known.rows++;
    }
  }
  const [best] = [...found].sort(([a, x], [b, y]) => y.rows - x.rows || y.cells - x.cells || (a < b ? -1 : 1));
  return best?.[0] ?? null;
}

/** Which machines generated the cells, and whose times are shown; null where all are of one machine that timed them. */
export function placesNote(results: readonly CellResult[], timed: string | null): string | null {
  const places = new Set(results.map(placeName));
  if (places.size <= 1) return null;
  const own = results.filter((r) => r.workers === 1 && placeName(r) === timed).length;
  const times =
    timed === null ? "no times" : `times of ${timed || "an earlier run"} only (${own} of ${results.length} cells)`;
  return `cells of ${places.size} machines, ${times}`;
}
