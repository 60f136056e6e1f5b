/** Divides experiments into cells, and generates those that a queue gives to this process. */
import { availableParallelism, hostname } from "node:os";
import { RequestError } from "../errors.js";
import { encodePng, thumbnailUrl } from "../files/index.js";
import { type Batch, consume, folderQueue, type Tasks, type WorkQueue } from "../fleet/index.js";
import type { RgbImage } from "../tensor/index.js";
import { type Cell, cellsOf, type Origin } from "./cell.js";
import { type Definition, promptSeeds } from "./definition.js";
import { type Place, placeOf } from "./machine.js";
import { type ModelCache, openModelCache, originOf } from "./models.js";
import type { CallListener, ExperimentRequest } from "./request.js";
import { type CellSamples, generateCell } from "./samples.js";
import { type CellStore, cellStore, queueFolder } from "./store.js";

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
    for (const row of definition.rows)
      origins.set(row.name, await originOf(await cache.modelsOf(row), row, definition));
    works.push({ definition, origins, cells: cellsOf(definition, promptSeeds(definition), origins) });
  }
  return works;
}

/** Cells of all experiments, without duplicates. */
export const uniqueCells = (works: readonly Work[]): Cell[] => [
  ...new Map(works.flatMap((w) => w.cells).map((cell) => [cell.id, cell])).values(),
];

/** Queue of a run on this machine: a failure ends the run, and so does a worker that dies, whose lease therefore need not end. */
export async function openLocalQueue(out: string, cells: readonly Cell[]): Promise<{ queue: WorkQueue; batch: Batch }> {
  const queue = folderQueue(queueFolder(out));
  const batch = {
    ...{ name: "run", content: "", size: cells.length, lease: 3_600_000, attempts: 1, backoff: 0 },
    ...{ since: new Date().toISOString(), host: hostname(), cancelled: false, job: null },
  };
  await queue.add(
    batch,
    cells.map((c) => c.id),
  );
  return { queue, batch };
}

export interface GenerateOptions {
  readonly workers: number;
  readonly place: Place;
  /** Keeps every image. */
  readonly withImages: boolean;
  readonly onCalls: CallListener;
  readonly signal?: AbortSignal;
}

/** Generates those of the cells that a queue gives to this process. */
export async function generateCells(
  { queue, batch }: { readonly queue: WorkQueue; readonly batch: Batch },
  cells: readonly Cell[],
  cache: Pick<ModelCache, "modelsOf">,
  store: CellStore,
  { workers, place, withImages, onCalls, signal }: GenerateOptions,
): Promise<void> {
  const byId = new Map(cells.map((cell) => [cell.id, cell]));
  const tasks: Tasks<CellSamples> = {
    async make(id, lease) {
      const cell = byId.get(id);
      if (!cell) throw new RequestError(`cell ${id} is not one of this run`);
      const onOwn = (calls: number) => onCalls(calls, cell.row.name);
      return generateCell(await cache.modelsOf(cell.row), cell, { workers, place, onCalls: onOwn, signal: lease });
    },
    async keep(id, { result, images }) {
      if (withImages) await saveImages(id, images, store.keep);
      await store.keep(`samples/${id}.json`, await samplesFile(images));
      await store.append(result);
    },
  };
  await consume(queue, batch, tasks, { signal, stopOnFailure: true });
}

/** Number of images of a cell in the report. */
const SHOWN = 8;

/** The first images of a cell as a file of thumbnails, for the report. */
export async function samplesFile(images: readonly RgbImage[]): Promise<Uint8Array> {
  return Buffer.from(JSON.stringify(await Promise.all(images.slice(0, SHOWN).map((image) => thumbnailUrl(image)))));
}

/** Saves all images of a cell as PNG, each by `keep` under its name. */
export async function saveImages(
  cell: string,
  images: readonly RgbImage[],
  keep: (name: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  for (const [i, image] of images.entries()) {
    await keep(`images/${cell}/${String(i).padStart(2, "0")}.png`, await encodePng(image));
  }
}

/** Threads of one of several processes that share the machine. */
export const threadsOf = (workers: number): number => Math.max(1, Math.floor(availableParallelism() / workers));

/** Generates cells as one of several processes of a run. */
export async function generateAsWorker(
  request: ExperimentRequest,
  workers: number,
  onCalls: CallListener,
): Promise<void> {
  const threads = request.threads ?? threadsOf(workers);
  const cache = openModelCache({ ...request, threads }, {});
  const options = {
    workers,
    place: placeOf(request.device, threads),
    withImages: request.saveImages === true,
    onCalls,
  };
  try {
    const cells = uniqueCells(await worksOf(request.definitions, cache));
    const queue = folderQueue(queueFolder(request.out));
    for (const batch of await queue.batches()) {
      await generateCells({ queue, batch }, cells, cache, cellStore(request.out), options);
    }
  } finally {
    await cache.close();
  }
}
