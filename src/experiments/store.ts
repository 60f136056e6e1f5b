/** The folder of an experiment: one line for each finished cell, written at once, so that a kill at any moment loses the cell in work and nothing else. */
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

const pictureSchema = z.object({
  prompt: z.string(),
  seed: z.number(),
  /** Float32, little-endian, base64, by instrument. */
  features,
  factors: z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
  numbers: z.record(z.string(), z.number()).nullable(),
  curve: z.array(z.number()).nullable(),
});

const resultSchema = z.object({
  cell: z.string(),
  calls: z.number(),
  /** Everything from the prompt to the pixels, the base's calls too; loading not. */
  milliseconds: z.number(),
  /** Processes that shared the machine. */
  workers: z.number(),
  timesteps: z.array(z.number()),
  pictures: z.array(pictureSchema).min(1),
});

/** The result of a cell. Its keys are those of the file, which earlier runs have written. */
export type CellResult = z.output<typeof resultSchema>;

/** Claims on cells, and their results. Files here; a queue for many machines would offer the same three. */
export interface CellStore {
  /** True for one process only. */
  claim(cell: string): Promise<boolean>;
  /** Resolves when the result is on disk. */
  append(result: CellResult): Promise<void>;
  /** Keeps a file beside the results, such as a few images. */
  keep(name: string, bytes: Uint8Array): Promise<void>;
}

const RESULTS = "results.jsonl";
const LOCK = "lock";
const CLAIMS = "claims";
const SAMPLES = "samples";

/** The store of a folder that a run has opened. */
export function cellStore(dir: string): CellStore {
  return {
    async claim(cell) {
      try {
        closeSync(openSync(path.join(dir, CLAIMS, cell), "wx"));
        return true;
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw new FileError(path.join(dir, CLAIMS), `cannot be written (${codeOf(error)})`, { cause: error });
      }
    },
    async append(result) {
      // A line of its own on both sides: what a killed run left half-written spoils only itself.
      append(path.join(dir, RESULTS), `\n${JSON.stringify(result)}\n`);
    },
    keep: (name, bytes) => writeWhole(path.join(dir, SAMPLES, name), bytes),
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
  /** Lines that are no results: cut by a kill, or not ours. Their cells are generated again. */
  readonly spoilt: number;
}

/** All finished cells of a folder, or those of `only`. */
export async function readResults(dir: string, only?: ReadonlySet<string>): Promise<Results> {
  const cells = new Map<string, CellResult>();
  let spoilt = 0;
  const file = path.join(dir, RESULTS);
  if (!existsSync(file)) return { cells, spoilt };
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === "") continue;
    const result = resultSchema.safeParse(parseJson(line));
    if (!result.success) spoilt++;
    else if (only?.has(result.data.cell) ?? true) cells.set(result.data.cell, result.data);
  }
  return { cells, spoilt };
}

export interface FolderRules {
  readonly resume?: boolean;
  readonly force?: boolean;
}

/**
 * Takes a folder for one run; the function that is returned gives it back. @throws RequestError when another run has it, or when it holds
 * results and neither `resume` nor `force` is given
 */
export async function takeFolder(dir: string, { resume, force }: FolderRules): Promise<() => Promise<void>> {
  await makeFolder(dir);
  const release = await lock(dir);
  try {
    const results = path.join(dir, RESULTS);
    if (force) rmSync(results, { force: true });
    if (existsSync(results) && !resume) {
      throw new RequestError(
        `${dir} already holds results; --resume goes on with them, --force begins anew, --out chooses another folder`,
      );
    }
    rmSync(path.join(dir, CLAIMS), { recursive: true, force: true });
    for (const folder of [CLAIMS, SAMPLES]) await makeFolder(path.join(dir, folder));
    for (const folder of [dir, path.join(dir, SAMPLES)]) await removePartials(folder);
  } catch (error) {
    await release();
    throw error;
  }
  return async () => {
    rmSync(path.join(dir, CLAIMS), { recursive: true, force: true });
    await release();
  };
}

/** One run at a time. */
async function lock(dir: string): Promise<() => Promise<void>> {
  const file = path.join(dir, LOCK);
  const attempt = await tryLock(file).catch((error: unknown) => {
    throw explained(error, file, "cannot be written");
  });
  if ("release" in attempt) return attempt.release;
  const { holder } = attempt;
  const who = holder ? ` (process ${holder.process} on ${holder.host}, since ${holder.since})` : "";
  throw new RequestError(
    `${dir} is in use by another run${who}; wait for it, choose another --out, or delete ${file} if there is no such run`,
  );
}

/** Numbers as they stand in a line. */
export const packed = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");

export function unpacked(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  const values = new Float32Array(Math.floor(bytes.length / 4));
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(4 * i);
  return values;
}

/** The images of a cell that were kept, as data URLs; none where they are gone. */
export async function readSamples(dir: string, cell: string): Promise<string[]> {
  const file = path.join(dir, SAMPLES, `${cell}.json`);
  const urls = z
    .array(z.string().startsWith("data:image/"))
    .safeParse(existsSync(file) ? parseJson(readFileSync(file, "utf8")) : []);
  return urls.success ? urls.data : [];
}
