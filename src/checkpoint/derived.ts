/**
 * Weights that cannot be mapped as they lie, because they have to be unpacked or quantised first: made once, one after the other, and
 * kept in a safetensors file in the user's cache folder, where they are mapped like any other. Deleting that folder loses nothing.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, statfs, utimes } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { codeOf, FileError, MachineError, VariegateError } from "../errors.js";
import { BYTES, count, formatBytes, type Weight, type WeightType } from "../tensor/index.js";
import { head, readSafetensors } from "./safetensors.js";
import { openFile } from "./source.js";
import { readFloats } from "./weights.js";

/** What is made of one weight. */
export interface Derivation {
  readonly from: Weight;
  /** Says how; part of what the file is known by. */
  readonly by: string;
  readonly makes: readonly { readonly name: string; readonly dtype: WeightType; readonly shape: readonly number[] }[];
  /** The weight's values → the bytes of each tensor that it makes, in order. */
  readonly make: (values: Float32Array) => readonly Uint8Array[];
}

/** How far the making of such a file has come, in bytes. */
export type DeriveProgress = (done: number, total: number) => void;

/** Counted up when the same words come to mean other bytes. */
const VERSION = 1;
/** A file that was not asked for so long goes when the next is written; a part of one that was left lying, too. */
const DAY = 86_400_000;
const KEPT = 30 * DAY;

/** The folder that these files are kept in: under XDG_CACHE_HOME, or where the system keeps caches. */
export function derivedFolder(env: NodeJS.ProcessEnv = process.env): string {
  const places: Partial<Record<NodeJS.Platform, string>> = {
    darwin: path.join(os.homedir(), "Library", "Caches"),
    win32: env["LOCALAPPDATA"] ?? path.join(os.homedir(), "AppData", "Local"),
  };
  const root = env["XDG_CACHE_HOME"] || places[process.platform] || path.join(os.homedir(), ".cache");
  return path.join(root, "variegate", "derived");
}

/**
 * The tensors that `derivations` make, by name, mapped from their file; it is made if it is not there yet. A file is known by what it is
 * made from (path, size, time of change) and how, so that a changed checkpoint gets another.
 * @throws FileError when the folder cannot be written to; MachineError when the disk has no room, saying how much is needed
 */
export async function derive(
  derivations: readonly Derivation[],
  onProgress: DeriveProgress = () => {},
): Promise<ReadonlyMap<string, Weight>> {
  const folder = derivedFolder();
  const file = path.join(folder, `${await keyOf(derivations)}.safetensors`);
  const makes = derivations.flatMap((d) => d.makes);
  const there = await whole(file, makes);
  if (there) return there;
  const header = head(makes, { from: [...sources(derivations)].join(", ") });
  const total = makes.reduce((n, m) => n + count(m.shape) * BYTES[m.dtype], 0);
  const partial = path.join(folder, `.${path.basename(file)}.${process.pid}.partial`);
  try {
    await mkdir(folder, { recursive: true });
    await tidy(folder);
    await mustFit(folder, header.length + total);
    await write(partial, header, derivations, (done) => onProgress(done, total));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    if (error instanceof VariegateError) throw error;
    const code = codeOf(error);
    if (code === "ENOSPC" || code === "EDQUOT") throw full(folder, header.length + total);
    throw new FileError(folder, `cannot be written to (${code}); set XDG_CACHE_HOME to a folder that can`, {
      cause: error,
    });
  }
  const made = await whole(file, makes);
  if (!made) throw new FileError(file, "is not what was written a moment ago; is the disk in order?");
  return made;
}

async function write(
  partial: string,
  header: Uint8Array,
  derivations: readonly Derivation[],
  onProgress: (done: number) => void,
): Promise<void> {
  const out = await open(partial, "w");
  try {
    await out.writeFile(header);
    let done = 0;
    for (const { from, make } of derivations) {
      for (const bytes of make(await readFloats(from))) {
        await out.writeFile(bytes);
        done += bytes.length;
      }
      onProgress(done);
    }
    await out.sync();
  } finally {
    await out.close();
  }
}

const sources = (derivations: readonly Derivation[]): Set<string> =>
  new Set(derivations.map(({ from }) => from.bytes.file));

/** What tells one file from another. */
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

/** Lets files go that nobody asked for in a month, and parts of files whose writer was killed. */
async function tidy(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const age = Date.now() - (await stat(file).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > (name.endsWith(".partial") ? DAY : KEPT)) await rm(file, { force: true }).catch(() => {});
  }
}

const full = (folder: string, bytes: number, free?: number) => {
  const has = free === undefined ? "the disk is full" : `${formatBytes(free)} are free`;
  return new MachineError(
    `${folder}: ${formatBytes(bytes)} are needed for weights that are worked out, ${has}; make room, or set XDG_CACHE_HOME to another disk`,
  );
};

async function mustFit(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes) throw full(folder, bytes, bavail * bsize);
}
