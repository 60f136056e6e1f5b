/** Output folder of an experiment. Each finished cell is appended at once, so that a kill loses only the current cell. */
import {
  appendFileSync,
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { codeOf, FileError, RequestError } from "../errors.js";
import { explained, makeFolder, parseJson, removePartials, tryLock, writeWhole } from "../files/index.js";

const features = z.record(z.string(), z.string());
const factors = z.record(z.string(), z.union([z.string(), z.number()]));

const imageSchema = z.object({
  prompt: z.string(),
  seed: z.number(),
  /** Features by instrument: float32, little-endian, base64. */
  features,
  factors: factors.nullable(),
  /** Probabilities of the values of each attribute: float32, little-endian, base64. */
  probabilities: features.nullable(),
  numbers: z.record(z.string(), z.number()).nullable(),
  curve: z.array(z.number()).nullable(),
  /** Predicted attributes of x0 at each step; earlier results have none. */
  steps: z.array(factors).nullable().default(null),
});

export const resultSchema = z.object({
  cell: z.string(),
  calls: z.number(),
  /** Duration from prompt to pixels, of all model calls, without loading. */
  milliseconds: z.number(),
  /** Number of processes that shared the machine. */
  workers: z.number(),
  /** Where it was generated; earlier results have none. */
  place: z.object({ host: z.string(), machine: z.string() }).exactOptional(),
  timesteps: z.array(z.number()),
  pictures: z.array(imageSchema).min(1),
});

/** Result of a cell. The keys are those of results.jsonl, also of earlier runs. */
export type CellResult = z.output<typeof resultSchema>;

/** Results of cells in the folder of a run. */
export interface CellStore {
  /** Appends a result. Resolves when it is on disk. */
  append(result: CellResult): Promise<void>;
  /** Writes a file next to the results, such as samples/CELL.json. */
  keep(name: string, bytes: Uint8Array): Promise<void>;
}

const RESULTS = "results.jsonl";
const LOCK = "lock";
const QUEUE = "queue";
const SAMPLES = "samples";

/** Folder of the queue of a run, which lives as long as the run. */
export const queueFolder = (dir: string): string => path.join(dir, QUEUE);

/** Store of a folder that a run has acquired. */
export function cellStore(dir: string): CellStore {
  return {
    async append(result) {
      // Newlines on both sides: a partial line of a killed run does not affect the next.
      append(path.join(dir, RESULTS), `\n${JSON.stringify(result)}\n`);
    },
    async keep(name, bytes) {
      await makeFolder(path.dirname(path.join(dir, name)));
      await writeWhole(path.join(dir, name), bytes);
    },
  };
}

function append(file: string, text: string): void {
  try {
    const handle = openSync(file, "a");
    try {
      appendFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw new FileError(file, `cannot be written (${codeOf(error)})`, { cause: error });
  }
}

/** Finished cells of a folder. */
export interface Results {
  readonly cells: ReadonlyMap<string, CellResult>;
  /** Number of lines that are not results, such as partial lines of a killed run. Their cells are generated again. */
  readonly invalidLines: number;
}

/** Reads the finished cells of a folder; `only` limits them to some ids. */
export async function readResults(dir: string, only?: ReadonlySet<string>): Promise<Results> {
  const cells = new Map<string, CellResult>();
  let invalidLines = 0;
  const file = path.join(dir, RESULTS);
  if (!existsSync(file)) return { cells, invalidLines };
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === "") continue;
    const result = resultSchema.safeParse(parseJson(line));
    if (!result.success) invalidLines++;
    else if (only?.has(result.data.cell) ?? true) cells.set(result.data.cell, result.data);
  }
  return { cells, invalidLines };
}

export interface FolderRules {
  readonly resume?: boolean;
  readonly force?: boolean;
}

/**
 * Acquires a folder for one run. Returns a function that releases it.
 * @throws RequestError when another run has the folder, or it holds results and neither `resume` nor `force` is given
 */
export async function acquireFolder(dir: string, { resume, force }: FolderRules): Promise<() => Promise<void>> {
  await makeFolder(dir);
  const release = await lock(dir);
  try {
    const results = path.join(dir, RESULTS);
    if (force) rmSync(results, { force: true });
    if (existsSync(results) && !resume) {
      throw new RequestError(
        `${dir} already holds results; --resume continues them, --force replaces them, --out chooses another folder`,
      );
    }
    rmSync(queueFolder(dir), { recursive: true, force: true });
    await makeFolder(path.join(dir, SAMPLES));
    for (const folder of [dir, path.join(dir, SAMPLES)]) await removePartials(folder);
  } catch (error) {
    await release();
    throw error;
  }
  return async () => {
    rmSync(queueFolder(dir), { recursive: true, force: true });
    await release();
  };
}

/** Locks a folder: one run at a time. */
async function lock(dir: string): Promise<() => Promise<void>> {
  const file = path.join(dir, LOCK);
  const attempt = await tryLock(file).catch((error: unknown) => {
    throw explained(error, file, "cannot be written");
  });
  if ("release" in attempt) return attempt.release;
  const { holder } = attempt;
  const owner = holder ? ` (process ${holder.process} on ${holder.host}, since ${holder.since})` : "";
  throw new RequestError(
    `${dir} is in use by another run${owner}; wait for it, choose another --out, or delete ${file} if that run does not exist`,
  );
}

/** Encodes features for a line of results. */
export const packed = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");

export function unpacked(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  const values = new Float32Array(Math.floor(bytes.length / 4));
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(4 * i);
  return values;
}

/** Sample images of a cell as data URLs; empty if the file is missing. */
export async function readSamples(dir: string, cell: string): Promise<string[]> {
  const file = path.join(dir, SAMPLES, `${cell}.json`);
  const urls = z
    .array(z.string().startsWith("data:image/"))
    .safeParse(existsSync(file) ? parseJson(readFileSync(file, "utf8")) : []);
  return urls.success ? urls.data : [];
}
