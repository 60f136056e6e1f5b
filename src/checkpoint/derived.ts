/**
 * Derived weights: those that must be unpacked or quantised before ONNX Runtime can map them. Made once, one after the other, and
 * kept in a safetensors file in the user's cache folder. Deleting that folder loses nothing.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm, stat, statfs, utimes } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { FileError, MachineError } from "../errors.js";
import { explained, locked, makeFolder, removePartials, type Sink, writeWhole } from "../files/index.js";
import { BYTES, count, formatBytes, type Weight, type WeightType } from "../tensor/index.js";
import { head, readSafetensors } from "./safetensors.js";
import { openFile } from "./source.js";
import { readFloats } from "./weights.js";

/** One weight, and the tensors that are made from it. */
export interface Derivation {
  readonly from: Weight;
  /** Names the conversion; part of the file's key. */
  readonly by: string;
  readonly makes: readonly { readonly name: string; readonly dtype: WeightType; readonly shape: readonly number[] }[];
  /** The weight's values → the bytes of each tensor that it makes, in order. */
  readonly make: (values: Float32Array) => readonly Uint8Array[];
}

/** Progress of making a file, in bytes. */
export type DeriveProgress = (done: number, total: number) => void;

/** Increased when the same description comes to mean other bytes. */
const VERSION = 1;
/** Milliseconds after which an abandoned part of a file, and an unused file, are removed when the next is written. */
const DAY = 86_400_000;
const KEPT = 30 * DAY;
const ADVICE = "set XDG_CACHE_HOME to a folder on another disk";

/** The folder that these files are kept in: under XDG_CACHE_HOME, or where the system keeps caches. */
export function derivedFolder(env: NodeJS.ProcessEnv = process.env): string {
  const places: Partial<Record<NodeJS.Platform, string>> = {
    darwin: path.join(os.homedir(), "Library", "Caches"),
    win32: env["LOCALAPPDATA"] ?? path.join(os.homedir(), "AppData", "Local"),
  };
  const root = env["XDG_CACHE_HOME"] || places[process.platform] || path.join(os.homedir(), ".cache");
  return path.join(root, "variegate", "derived");
}

/** Files that this process is making, with the listeners to their progress. */
const running = new Map<
  string,
  { readonly made: Promise<ReadonlyMap<string, Weight>>; readonly hear: DeriveProgress[] }
>();

/**
 * The tensors that `derivations` make, by name, mapped from their file. The file is made if it does not exist, once for all calls and
 * processes that ask at the same time. It is identified by its sources (path, size, modification time) and how it is made, so that a
 * changed checkpoint gets another.
 * @throws FileError when the folder cannot be written; MachineError when the disk has no room, saying how much is needed
 */
export async function derive(
  derivations: readonly Derivation[],
  onProgress: DeriveProgress = () => {},
): Promise<ReadonlyMap<string, Weight>> {
  const file = path.join(derivedFolder(), `${await keyOf(derivations)}.safetensors`);
  const other = running.get(file);
  if (other) {
    other.hear.push(onProgress);
    return other.made;
  }
  const hear = [onProgress];
  const made = openOrMake(file, derivations, (done, total) => {
    for (const each of hear) each(done, total);
  }).finally(() => running.delete(file));
  running.set(file, { made, hear });
  return made;
}

async function openOrMake(
  file: string,
  derivations: readonly Derivation[],
  onProgress: DeriveProgress,
): Promise<ReadonlyMap<string, Weight>> {
  const makes = derivations.flatMap((d) => d.makes);
  const there = await whole(file, makes);
  if (there) return there;
  await makeFolder(path.dirname(file), ADVICE);
  return locked(`${file}.lock`, async () => {
    // Another process may have made it while this one waited.
    const found = await whole(file, makes);
    if (found) return found;
    await make(file, derivations, onProgress);
    const made = await whole(file, makes);
    if (!made) throw new FileError(file, "is not what was written a moment ago; is the disk in order?");
    return made;
  }).catch((error: unknown) => {
    throw explained(error, file, "cannot be written", ADVICE);
  });
}

async function make(file: string, derivations: readonly Derivation[], onProgress: DeriveProgress): Promise<void> {
  const makes = derivations.flatMap((d) => d.makes);
  const header = head(makes, { from: [...sources(derivations)].join(", ") });
  const total = makes.reduce((n, m) => n + count(m.shape) * BYTES[m.dtype], 0);
  await tidy(file);
  await mustFit(path.dirname(file), header.length + total);
  const write = async (sink: Sink) => {
    await sink.write(header);
    let done = 0;
    for (const { from, make } of derivations) {
      for (const bytes of make(await readFloats(from))) {
        await sink.write(bytes);
        done += bytes.length;
      }
      onProgress(done, total);
    }
  };
  await writeWhole(file, write, ADVICE);
}

const sources = (derivations: readonly Derivation[]): Set<string> =>
  new Set(derivations.map(({ from }) => from.bytes.file));

/** Identifies a file by its sources and how it is made. */
async function keyOf(derivations: readonly Derivation[]): Promise<string> {
  const files: unknown[] = [];
  for (const file of sources(derivations)) {
    const { size, mtimeMs } = await stat(file);
    files.push([file, size, mtimeMs]);
  }
  const place = ({ bytes }: Weight) => (bytes.in === "memory" ? null : [bytes.offset, bytes.length]);
  const parts = derivations.map(({ from, by, makes }) => [from.name, from.shape, place(from), by, makes]);
  return createHash("sha256")
    .update(JSON.stringify([VERSION, files, parts]))
    .digest("hex")
    .slice(0, 32);
}

/** The tensors of a file that is there and holds what it should; null otherwise. */
async function whole(file: string, makes: Derivation["makes"]): Promise<ReadonlyMap<string, Weight> | null> {
  if (!existsSync(file)) return null;
  try {
    const { weights } = await readSafetensors(await openFile(file));
    const fits = makes.every(({ name, dtype, shape }) => {
      const weight = weights.get(name);
      return weight?.dtype === dtype && weight.shape.join() === shape.join();
    });
    if (!fits) return null;
    // Its time of change says when it was last of use.
    await utimes(file, new Date(), new Date()).catch(() => {});
    return weights;
  } catch (error) {
    if (error instanceof FileError) return null;
    throw error;
  }
}

/** Removes what a killed process left of this file, files that were not used for a month, and parts of others after a day. */
async function tidy(made: string): Promise<void> {
  const folder = path.dirname(made);
  await removePartials(folder, path.basename(made));
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const age = Date.now() - (await stat(file).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > (name.endsWith(".partial") ? DAY : KEPT)) await rm(file, { force: true }).catch(() => {});
  }
}

async function mustFit(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new MachineError(
    `${folder}: converted weights need ${formatBytes(bytes)}, ${formatBytes(bavail * bsize)} are free; make room, or ${ADVICE}`,
  );
}
