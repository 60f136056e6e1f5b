/** A run of experiments: cells that are not there yet are painted, by this process or by several, then everything is put into tables. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { thumbnailUrl, writeWhole } from "../files/index.js";
import type { Fetching } from "../hub/index.js";
import { versions } from "../inspect/index.js";
import { type Cell, cellsOf, type Origin } from "./cell.js";
import { type Definition, type ExperimentRow, sittingsOf } from "./definition.js";
import { type About, markdownOf } from "./markdown.js";
import type { Reference } from "./measures.js";
import { readReference } from "./sources.js";
import {
  type CellResult,
  type Claims,
  claimsIn,
  type FolderRules,
  readResults,
  readSamples,
  takeFolder,
} from "./store.js";
import { openStudio, type Studio, type StudioRequest } from "./studio.js";
import { type Reader, type Table, tableOf, type Work } from "./table.js";
import { paintInWorkers } from "./workers.js";

export interface ExperimentRequest extends StudioRequest, FolderRules {
  readonly definitions: readonly Definition[];
  /** Folder of the results. */
  readonly out: string;
  /** Real pictures, for measures that compare with them: a folder, or a .safetensors with their features. */
  readonly reference?: string;
  /** Processes that paint at the same time. Default 1; times are taken with 1 only. */
  readonly workers?: number;
  /** As it was typed, for the report. */
  readonly command: string;
}

export interface RunOptions extends Fetching {
  /** Picture steps done, of how many, and what is happening. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
  readonly onNote?: (text: string) => void;
}

/** What a run would do, and how long it would take. */
export interface Forecast {
  readonly cells: number;
  readonly there: number;
  readonly pictures: number;
  readonly calls: number;
  readonly seconds: number;
}

export interface Outcome {
  readonly tables: readonly Table[];
  readonly files: readonly string[];
}

/** Studios by the models that rows name. */
interface House {
  studioOf(row: ExperimentRow): Promise<Studio>;
  close(): Promise<void>;
}

function openHouse(request: StudioRequest, fetching: Fetching): House {
  const open = new Map<string, Studio>();
  return {
    async studioOf({ models }) {
      const key = JSON.stringify(models ?? null);
      const studio =
        open.get(key) ?? (await openStudio(models ? { ...withoutModels(request), ...models } : request, fetching));
      open.set(key, studio);
      return studio;
    },
    async close() {
      for (const studio of open.values()) await studio.close();
    },
  };
}

const withoutModels = ({ pair: _p, base: _b, distilled: _d, ...rest }: StudioRequest): StudioRequest => rest;

/** The cells of all experiments. What a row asks that cannot be is found here, before anything is painted. */
async function worksOf(definitions: readonly Definition[], house: House): Promise<Work[]> {
  const works: Work[] = [];
  for (const definition of definitions) {
    const origins = new Map<string, Origin>();
    for (const row of definition.rows) origins.set(row.name, await (await house.studioOf(row)).originOf(row));
    works.push({ definition, origins, cells: cellsOf(definition, sittingsOf(definition), origins) });
  }
  return works;
}

/** Cells that several experiments share are painted once. */
const unique = (works: readonly Work[]): Cell[] => [
  ...new Map(works.flatMap((w) => w.cells).map((cell) => [cell.id, cell])).values(),
];

/** Says what a run would do; measures a few model calls for the time. */
export async function forecast(request: ExperimentRequest, o: RunOptions = {}): Promise<Forecast> {
  const house = openHouse(request, o);
  try {
    const cells = unique(await worksOf(request.definitions, house));
    const { cells: done } = await readResults(request.out, new Set(cells.map((c) => c.id)));
    const left = cells.filter((c) => !done.has(c.id));
    const pace = new Map<string, number>();
    let milliseconds = 0;
    for (const { row, sittings, calls } of left) {
      const key = JSON.stringify([row.models ?? null, row.sampling.mode, row.sampling.size ?? null]);
      const each = pace.get(key) ?? (await (await house.studioOf(row)).pace(row, sittings[0]?.prompt ?? "", o.signal));
      pace.set(key, each);
      milliseconds += each * calls;
    }
    return {
      cells: cells.length,
      there: done.size,
      pictures: left.reduce((n, c) => n + c.sittings.length, 0),
      calls: left.reduce((n, c) => n + c.calls, 0),
      seconds: milliseconds / 1000,
    };
  } finally {
    await house.close();
  }
}

/**
 * Runs experiments in a folder. @throws RequestError before anything is painted where a row cannot be, or where another run has the
 * folder; `signal.reason` when aborted: finished cells are kept, and a run with `resume` goes on from them
 */
export async function runExperiments(request: ExperimentRequest, o: RunOptions = {}): Promise<Outcome> {
  const house = openHouse(request, o);
  try {
    const works = await worksOf(request.definitions, house);
    const reference = await referenceOf(request, works, house);
    const release = await takeFolder(request.out, request);
    try {
      const cells = unique(works);
      const ids = new Set(cells.map((c) => c.id));
      const { cells: there, spoilt } = await readResults(request.out, ids);
      if (spoilt > 0) o.onNote?.(`${spoilt} spoilt lines in results.jsonl; what they were is painted again`);
      if (there.size > 0) o.onNote?.(`${there.size} of ${cells.length} cells are there already`);
      const left = cells.filter((c) => !there.has(c.id));
      const workers = Math.min(request.workers ?? 1, Math.max(1, left.length));
      const progress = progressOf(left, o);
      if (workers > 1) await paintInWorkers(request, [...there.keys()], { workers, progress, signal: o.signal });
      else
        await paintCells(left, house, claimsIn(request.out), {
          workers: 1,
          progress,
          ...(o.signal && { signal: o.signal }),
        });
      return await conclude(request, works, house, reference, o);
    } finally {
      await release();
    }
  } finally {
    await house.close();
  }
}

/** Hears of picture steps done. */
export type Tick = (calls: number, what: string) => void;

function progressOf(cells: readonly Cell[], { onProgress }: RunOptions): Tick {
  const total = cells.reduce((n, c) => n + c.calls, 0);
  let done = 0;
  return (calls, what) => {
    done += calls;
    onProgress?.(Math.min(Math.round(done), total), total, what);
  };
}

export interface PaintingOptions {
  readonly workers: number;
  readonly progress: Tick;
  readonly signal?: AbortSignal;
}

/** Paints the cells that nobody else has claimed. */
export async function paintCells(
  cells: readonly Cell[],
  house: Pick<House, "studioOf">,
  claims: Claims,
  { workers, progress, signal }: PaintingOptions,
): Promise<void> {
  for (const cell of cells) {
    signal?.throwIfAborted();
    if (!claims.claim(cell.id)) continue;
    const studio = await house.studioOf(cell.row);
    const onCalls = (calls: number) => progress(calls, cell.row.name);
    const { result, samples } = await studio.paint(cell, { workers, onCalls, ...(signal && { signal }) });
    const urls = await Promise.all(samples.map((image) => thumbnailUrl(image)));
    await claims.keep(`${cell.id}.json`, Buffer.from(JSON.stringify(urls)));
    claims.append(result);
  }
}

/** What a worker process does: the same cells, of which it takes those that are free. */
export async function paintAsWorker(
  request: ExperimentRequest,
  there: ReadonlySet<string>,
  workers: number,
  progress: Tick,
): Promise<void> {
  const threads = request.threads ?? Math.max(1, Math.floor(availableParallelism() / workers));
  const house = openHouse({ ...request, threads }, {});
  try {
    const cells = unique(await worksOf(request.definitions, house)).filter((c) => !there.has(c.id));
    await paintCells(cells, house, claimsIn(request.out), { workers, progress });
  } finally {
    await house.close();
  }
}

/** Tables, and the files that show them. */
async function conclude(
  request: ExperimentRequest,
  works: readonly Work[],
  house: House,
  reference: Reference | null,
  { onProgress }: RunOptions,
): Promise<Outcome> {
  const cells = unique(works);
  const { cells: results } = await readResults(request.out, new Set(cells.map((c) => c.id)));
  onProgress?.(1, 1, "measuring");
  const tables: Table[] = [];
  for (const work of works) {
    const readers = new Map<string, Reader>();
    for (const row of work.definition.rows) {
      const { scorer, named } = await house.studioOf(row);
      readers.set(row.name, { text: (prompt) => scorer.textFeatures(prompt), named });
    }
    tables.push(await tableOf(work, results, readers, reference));
  }
  const files = await writeReport(request, works, results, tables, reference);
  return { tables, files };
}

async function referenceOf(
  request: ExperimentRequest,
  [work]: readonly Work[],
  house: House,
): Promise<Reference | null> {
  const row = work?.definition.rows[0];
  return request.reference === undefined || !row ? null : readReference(request.reference, await house.studioOf(row));
}

async function writeReport(
  request: ExperimentRequest,
  works: readonly Work[],
  results: ReadonlyMap<string, CellResult>,
  tables: readonly Table[],
  reference: Reference | null,
): Promise<string[]> {
  const { pair = request.base === undefined ? "embedded" : "", base = "", distilled = "" } = request;
  const about: About = {
    command: request.command,
    versions: { ...versions() },
    models: [pair && `pair ${pair}`, base && `base ${base}`, distilled && `distilled ${distilled}`]
      .filter(Boolean)
      .join(", "),
    reference: reference?.about ?? null,
  };
  // What draws and packs is loaded when there is something to draw.
  const [{ pageOf, sampleKey }, { parquetOf }] = await Promise.all([import("./page.js"), import("./parquet.js")]);
  const samples = new Map<string, readonly string[]>();
  for (const { definition, cells } of works) {
    for (const row of definition.rows) {
      const first = cells.find((c) => c.row.name === row.name);
      if (first) samples.set(sampleKey(definition.name, row.name), await readSamples(request.out, first.id));
    }
  }
  const text = (s: string) => Buffer.from(s);
  const files: Record<string, Uint8Array> = {
    "definitions.json": text(`${JSON.stringify(request.definitions, null, 2)}\n`),
    "results.json": text(`${JSON.stringify({ ...about, tables }, null, 1)}\n`),
    "results.parquet": parquetOf(works, results),
    "report.md": text(markdownOf(tables, about)),
    "report.html": text(pageOf(tables, about, samples)),
  };
  for (const [name, bytes] of Object.entries(files)) await writeWhole(path.join(request.out, name), bytes);
  return Object.keys(files);
}
