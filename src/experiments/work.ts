/** Divides experiments into cells, and generates those that no other process has claimed. */
import { availableParallelism } from "node:os";
import { thumbnailUrl } from "../files/index.js";
import { type Cell, cellsOf, type Origin } from "./cell.js";
import { type Definition, promptSeeds } from "./definition.js";
import { type ModelCache, openModelCache, originOf } from "./models.js";
import type { CallListener, ExperimentRequest } from "./request.js";
import { generateCell } from "./samples.js";
import { type CellStore, cellStore } from "./store.js";

/** Experiment with its cells. */
export interface Work {
  readonly definition: Definition;
  readonly cells: readonly Cell[];
  /** By row name. */
  readonly origins: ReadonlyMap<string, Origin>;
}

/** Divides experiments into cells. @throws RequestError if a row cannot be sampled */
export async function worksOf(definitions: readonly Definition[], cache: ModelCache): Promise<Work[]> {
  const works: Work[] = [];
  for (const definition of definitions) {
    const origins = new Map<string, Origin>();
    for (const row of definition.rows) origins.set(row.name, await originOf(await cache.modelsOf(row), row));
    works.push({ definition, origins, cells: cellsOf(definition, promptSeeds(definition), origins) });
  }
  return works;
}

/** Cells of all experiments, without duplicates. */
export const uniqueCells = (works: readonly Work[]): Cell[] => [
  ...new Map(works.flatMap((w) => w.cells).map((cell) => [cell.id, cell])).values(),
];

export interface GenerateOptions {
  readonly workers: number;
  readonly onCalls: CallListener;
  readonly signal?: AbortSignal;
}

/** Generates the cells that no other process has claimed. */
export async function generateCells(
  cells: readonly Cell[],
  cache: Pick<ModelCache, "modelsOf">,
  store: CellStore,
  { workers, onCalls, signal }: GenerateOptions,
): Promise<void> {
  for (const cell of cells) {
    signal?.throwIfAborted();
    if (!(await store.claim(cell.id))) continue;
    const { result, images } = await generateCell(await cache.modelsOf(cell.row), cell, {
      workers,
      onCalls: (calls) => onCalls(calls, cell.row.name),
      ...(signal && { signal }),
    });
    const urls = await Promise.all(images.map((image) => thumbnailUrl(image)));
    await store.keep(`${cell.id}.json`, Buffer.from(JSON.stringify(urls)));
    await store.append(result);
  }
}

/** Generates cells as one of several processes: those that are not `done` and not claimed by another. */
export async function generateAsWorker(
  request: ExperimentRequest,
  done: ReadonlySet<string>,
  workers: number,
  onCalls: CallListener,
): Promise<void> {
  const threads = request.threads ?? Math.max(1, Math.floor(availableParallelism() / workers));
  const cache = openModelCache({ ...request, threads }, {});
  try {
    const cells = uniqueCells(await worksOf(request.definitions, cache)).filter((c) => !done.has(c.id));
    await generateCells(cells, cache, cellStore(request.out), { workers, onCalls });
  } finally {
    await cache.close();
  }
}
