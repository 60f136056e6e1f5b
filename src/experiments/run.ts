/** Runs experiments: generates missing cells, in this process or several, then computes tables and writes the report. */
import { readJson } from "../checkpoint/node/index.js";
import { locate } from "../lookup/index.js";
import { readAttributes } from "../measure/index.js";
import { counted } from "../tensor/index.js";
import type { Cell } from "./cell.js";
import { generateOnFleet } from "./fleet.js";
import { placeOf } from "./machine.js";
import { type ModelCache, openModelCache } from "./models.js";
import { writeReport } from "./report.js";
import type { CallListener, ExperimentRequest, RunOptions } from "./request.js";
import type { Reference } from "./sample-set.js";
import { measurePace } from "./samples.js";
import { predictorsOf } from "./semantic.js";
import { readReference } from "./sources.js";
import { acquireFolder, cellStore, readResults } from "./store.js";
import { type Table, type TextReader, tableOf } from "./table.js";
import { generateCells, openLocalQueue, uniqueCells, type Work, worksOf } from "./work.js";
import { runInProcesses, type WorkerMessage } from "./workers.js";

/** Size and estimated time of a run. */
export interface Forecast {
  readonly cells: number;
  readonly finished: number;
  /** Images, model calls and seconds of the remaining cells. */
  readonly images: number;
  readonly calls: number;
  readonly seconds: number;
}

export interface ExperimentResult {
  readonly tables: readonly Table[];
  readonly files: readonly string[];
}

/** Estimates the size and time of a run, by a few timed model calls. Writes no files. @throws as runExperiments */
export async function forecast(request: ExperimentRequest, o: RunOptions = {}): Promise<Forecast> {
  await checkFiles(request);
  if (request.reference !== undefined) {
    await locate(request.reference, "file", {
      ...o,
      ...(request.modelFolders && { modelFolders: request.modelFolders }),
    });
  }
  const cache = openModelCache(request, o);
  try {
    const cells = uniqueCells(await worksOf(request.definitions, cache));
    const { cells: done } = await readResults(request.out, new Set(cells.map((c) => c.id)));
    const left = cells.filter((c) => !done.has(c.id));
    const pace = new Map<string, number>();
    const keyOf = ({ row }: Cell) => JSON.stringify([row.models ?? null, row.sampling.mode, row.sampling.size ?? null]);
    const different = new Set(left.map(keyOf)).size;
    let milliseconds = 0;
    for (const cell of left) {
      const { row, samples, calls } = cell;
      const key = keyOf(cell);
      if (!pace.has(key)) o.onProgress?.(pace.size, different, `timing model calls: ${row.name}`);
      const prompt = samples[0]?.prompt ?? "";
      const each = pace.get(key) ?? (await measurePace(await cache.modelsOf(row), row, prompt, o.signal));
      pace.set(key, each);
      milliseconds += each * calls;
    }
    return {
      cells: cells.length,
      finished: done.size,
      images: left.reduce((n, c) => n + c.samples.length, 0),
      calls: left.reduce((n, c) => n + c.calls, 0),
      seconds: milliseconds / 1000,
    };
  } finally {
    await cache.close();
  }
}

/**
 * Runs experiments in a folder. Finished cells of an aborted run are kept, and `resume` continues from them.
 * @throws RequestError before the first image if a row cannot be sampled or the folder is in use; `signal.reason` when aborted
 */
export async function runExperiments(request: ExperimentRequest, o: RunOptions = {}): Promise<ExperimentResult> {
  o.signal?.throwIfAborted();
  await checkFiles(request);
  const cache = openModelCache(request, o);
  try {
    const works = await worksOf(request.definitions, cache);
    const reference = await referenceOf(request, works, cache);
    const release = await acquireFolder(request.out, request);
    try {
      const { fleet } = request;
      await (fleet
        ? generateOnFleet(request, fleet, works, o)
        : generateMissing(request, uniqueCells(works), cache, o));
      return await conclude(request, works, cache, reference, o);
    } finally {
      await release();
    }
  } finally {
    await cache.close();
  }
}

/** Reads the files that are needed only after the last image, so that a mistake in them is found before the first. */
async function checkFiles({ attributes, selfCheck }: ExperimentRequest): Promise<void> {
  if (attributes === undefined) return;
  await readAttributes(attributes);
  if (typeof selfCheck === "string" && selfCheck !== "off") await readJson(selfCheck);
}

/** Generates the cells without a result in the folder. */
async function generateMissing(
  request: ExperimentRequest,
  cells: readonly Cell[],
  cache: ModelCache,
  o: RunOptions,
): Promise<void> {
  const { cells: done, invalidLines } = await readResults(request.out, new Set(cells.map((c) => c.id)));
  if (invalidLines > 0) {
    o.onMessage?.(`${invalidLines} invalid lines in results.jsonl; their cells are generated again`);
  }
  if (done.size > 0) o.onMessage?.(`${done.size} of ${counted(cells.length, "cell")} finished`);
  const left = cells.filter((c) => !done.has(c.id));
  const workers = Math.min(request.workers ?? 1, Math.max(1, left.length));
  const onCalls = progressOf(left, o);
  const own = await openLocalQueue(request.out, left);
  if (workers > 1) {
    const onMessage = (m: WorkerMessage) => m.type === "calls" && onCalls(m.calls, m.row);
    return runInProcesses({ type: "run", request, workers }, { workers, onMessage, signal: o.signal });
  }
  const place = placeOf(request.device, request.threads);
  const withImages = request.saveImages === true;
  const options = { workers, place, withImages, onCalls, ...(o.signal && { signal: o.signal }) };
  return generateCells(own, left, cache, cellStore(request.out), options);
}

function progressOf(cells: readonly Cell[], { onProgress }: RunOptions): CallListener {
  const total = cells.reduce((n, c) => n + c.calls, 0);
  let done = 0;
  return (calls, row) => {
    done += calls;
    onProgress?.(Math.min(Math.round(done), total), total, row);
  };
}

/** Computes the tables and writes the report. */
async function conclude(
  request: ExperimentRequest,
  works: readonly Work[],
  cache: ModelCache,
  reference: Reference | null,
  o: RunOptions,
): Promise<ExperimentResult> {
  const predictors = await predictorsOf(request, cache, o);
  const { cells: results } = await readResults(request.out, new Set(uniqueCells(works).map((c) => c.id)));
  const tables: Table[] = [];
  for (const [done, work] of works.entries()) {
    o.onProgress?.(done, works.length, "measuring");
    const readers = new Map<string, TextReader>();
    for (const row of work.definition.rows) {
      const { evaluator } = await cache.modelsOf(row);
      readers.set(row.name, { ...evaluator, attributes: predictors.get(row.name) ?? null });
    }
    tables.push(await tableOf(work, results, readers, reference, request.reasons));
  }
  return { tables, files: await writeReport(request, works, results, tables, reference) };
}

async function referenceOf(
  request: ExperimentRequest,
  [work]: readonly Work[],
  cache: ModelCache,
): Promise<Reference | null> {
  const row = work?.definition.rows[0];
  return request.reference === undefined || !row ? null : readReference(request.reference, await cache.modelsOf(row));
}
