/**
 * Derived weights in a safetensors file in the user's cache folder: written once, one tensor at a time, and mapped from there. The folder
 * can be deleted at any time.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm, stat, statfs, utimes } from "node:fs/promises";
import path from "node:path";
import { FileError, MachineError } from "../../errors.js";
import {
  cacheFolder,
  explained,
  locked,
  makeFolder,
  removePartials,
  type Sink,
  writeWhole,
} from "../../files/index.js";
import { formatBytes, type Weight } from "../../tensor/index.js";
import {
  type Derivation,
  type Derive,
  type DeriveProgress,
  derivedBytes,
  deriveInMemory,
  makeDerived,
} from "../derivation.js";
import { head, readSafetensors } from "../safetensors.js";
import { openFile } from "./file-source.js";

/** Format version. Increase it when the same description gives other bytes. */
const VERSION = 1;
/** Milliseconds in a day, the unit of the age limits for partial and unused files. */
const DAY = 86_400_000;
const KEPT = 30 * DAY;
const ADVICE = "set XDG_CACHE_HOME to a folder on another disk";

/** Folder of the derived weights in the cache. */
export const derivedFolder = (env: NodeJS.ProcessEnv = process.env): string => path.join(cacheFolder(env), "derived");

/** Files that this process is writing, with their progress listeners. */
const running = new Map<
  string,
  { readonly made: Promise<ReadonlyMap<string, Weight>>; readonly hear: DeriveProgress[] }
>();

/**
 * Derived tensors by name, mapped from their file. A missing file is written, once for all concurrent calls and processes. Its name is a
 * hash of the sources (path, size, modification time) and the conversions, so that a changed checkpoint gets another file. Where a
 * source is not a local file, the tensors are derived in memory.
 * @throws FileError when the folder cannot be written; MachineError with the bytes needed when the disk is full
 */
export const deriveInFile: Derive = async (derivations, onProgress = () => {}) => {
  const files = filesOf(derivations);
  if (files === null) return deriveInMemory(derivations, onProgress);
  const file = path.join(derivedFolder(), `${await keyOf(derivations, files)}.safetensors`);
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
};

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
    // Another process may have written it while this one waited.
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
  const header = head(makes, { from: filesOf(derivations)?.join(", ") ?? "" });
  const total = derivedBytes(derivations);
  await tidy(file);
  await mustFit(path.dirname(file), header.length + total);
  const write = async (sink: Sink) => {
    await sink.write(header);
    let done = 0;
    for (const derivation of derivations) {
      for (const bytes of await makeDerived(derivation)) {
        await sink.write(bytes);
        done += bytes.length;
      }
      onProgress(done, total);
    }
  };
  await writeWhole(file, write, ADVICE);
}

/** Local source files of the weights; null when one source is not a local file. */
function filesOf(derivations: readonly Derivation[]): readonly string[] | null {
  const files = new Set<string>();
  for (const { from } of derivations) {
    const { path } = from.bytes.source;
    if (path === undefined) return null;
    files.add(path);
  }
  return [...files];
}

/** Key of a derived file: a hash of its sources and conversions. */
async function keyOf(derivations: readonly Derivation[], sources: readonly string[]): Promise<string> {
  const files: unknown[] = [];
  for (const file of sources) {
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

/** Tensors of a complete file; null when it is missing or differs from `makes`. */
async function whole(file: string, makes: Derivation["makes"]): Promise<ReadonlyMap<string, Weight> | null> {
  if (!existsSync(file)) return null;
  try {
    const { weights } = await readSafetensors(await openFile(file));
    const fits = makes.every(({ name, dtype, shape }) => {
      const weight = weights.get(name);
      return weight?.dtype === dtype && weight.shape.join() === shape.join();
    });
    if (!fits) return null;
    // The modification time records the last use.
    await utimes(file, new Date(), new Date()).catch(() => {});
    return weights;
  } catch (error) {
    if (error instanceof FileError) return null;
    throw error;
  }
}

/** Removes partial files of killed processes (of other files after a day) and files unused for a month. */
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
