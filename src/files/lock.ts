/**
 * Lock files: one holder at a time among the processes of one machine or several that share a folder. The kernel's own locks, as
 * Python uses them, are not available in Node. A holder renews its lock every two seconds, and a lock is dead when its process is gone
 * or it was not renewed for long. A process that is suspended for a minute can lose its lock without noticing.
 */

import { randomBytes } from "node:crypto";
import { link, open, readdir, rm, utimes } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { codeOf } from "../errors.js";
import { writeAll } from "./bytes.js";
import { makeFolder } from "./folder.js";
import { parseJson } from "./json.js";
import { partialOf, removePartials } from "./partial.js";
import { isAlive, NAMESPACE } from "./process.js";

const RENEW = 2_000;
/** Milliseconds without renewal after which a lock is dead although its process runs, or may run on another machine. */
const ABANDONED = 60_000;
/** The same for a lock without text, which is left where there are no hard links and a process is killed while it makes the lock. */
const EMPTY = 5_000;
const POLL = 200;

/** The process that holds a lock. */
export interface Holder {
  readonly host: string;
  readonly process: number;
  /** ISO 8601. */
  readonly since: string;
}

interface Owner extends Holder {
  /** Unique to one lock. */
  readonly token: string;
  readonly namespace: string;
}

/** A lock that was taken, or the process that has it; null where that is not known yet. */
export type Attempt = { readonly release: () => Promise<void> } | { readonly holder: Holder | null };

/** Takes a lock at once or not at all. The lock of a process that is gone is taken over. @throws the system's error */
export async function tryLock(file: string): Promise<Attempt> {
  await makeFolder(path.dirname(file));
  const attempt = await acquire(file);
  if ("holder" in attempt) return attempt;
  await sweep(file, attempt.token);
  const timer = setInterval(() => utimes(file, new Date(), new Date()).catch(() => {}), RENEW);
  timer.unref();
  return {
    release: async () => {
      clearInterval(timer);
      // The folder may have been deleted meanwhile.
      await remove(file, attempt.token).catch(unless("ENOENT"));
    },
  };
}

/**
 * Runs `work` while holding the lock.
 * @param onWait called again and again while another process holds it
 */
export async function locked<T>(
  file: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
  onWait: () => Promise<void> = async () => {},
): Promise<T> {
  for (;;) {
    const attempt = await tryLock(file);
    if ("release" in attempt) {
      try {
        return await work();
      } finally {
        await attempt.release();
      }
    }
    signal?.throwIfAborted();
    await onWait();
    await sleep(POLL);
  }
}

async function acquire(file: string): Promise<{ readonly token: string } | { readonly holder: Holder | null }> {
  const token = randomBytes(6).toString("hex");
  const since = new Date().toISOString();
  const me: Owner = { token, host: os.hostname(), namespace: NAMESPACE, process: process.pid, since };
  for (;;) {
    const found = await read(file);
    if (!found) {
      if (await create(file, me)) return { token };
      continue;
    }
    if (!found.isDead) return { holder: found.owner };
    const remover = await remove(file, found.token);
    if (remover) return remover;
  }
}

/** Makes a lock unless there is one, with its text in it from the first moment where the file system has hard links. */
async function create(file: string, me: Owner): Promise<boolean> {
  const own = partialOf(file);
  await write(own, me);
  try {
    await link(own, file);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    return await write(file, me);
  } finally {
    await rm(own, { force: true });
  }
}

/** False where the file exists. */
async function write(file: string, me: Owner): Promise<boolean> {
  const handle = await open(file, "wx").catch(unless("EEXIST"));
  if (!handle) return false;
  try {
    await writeAll(handle, Buffer.from(JSON.stringify(me)));
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return true;
}

/**
 * Removes the lock with a given token, and never the one that came after it: removal takes a second lock, which is named by
 * that token, while it looks and removes. Returns another process that is doing the same.
 */
async function remove(file: string, token: string): Promise<{ readonly holder: Holder | null } | null> {
  const removal = `${file}.${token}`;
  const attempt = await acquire(removal);
  if ("holder" in attempt) return attempt;
  if ((await read(file))?.token === token) await rm(file, { force: true });
  await rm(removal, { force: true });
  return null;
}

/** Removes what killed processes left: temporary files, and second locks of earlier holders, whose tokens never come again. */
async function sweep(file: string, token: string): Promise<void> {
  const name = path.basename(file);
  await removePartials(path.dirname(file), name);
  for (const entry of await readdir(path.dirname(file))) {
    if (!entry.startsWith(`${name}.`) || entry.startsWith(`${name}.${token}`)) continue;
    if (/^(\.[0-9a-f]{12,13})+$/.test(entry.slice(name.length)))
      await rm(path.join(path.dirname(file), entry), { force: true });
  }
}

interface Found {
  readonly token: string;
  readonly owner: Owner | null;
  readonly isDead: boolean;
}

/** Null where there is no lock. */
async function read(file: string): Promise<Found | null> {
  const handle = await open(file, "r").catch(unless("ENOENT"));
  if (!handle) return null;
  try {
    const owner: Owner | null = ownerSchema.safeParse(parseJson(await handle.readFile("utf8"))).data ?? null;
    const { mtimeMs } = await handle.stat();
    // A lock without text was made a moment ago, or its process was killed before it wrote: then the time tells it from the next.
    const token = owner?.token ?? `${Math.floor(mtimeMs)}`;
    return { token, owner, isDead: Date.now() - mtimeMs >= patienceWith(owner) };
  } finally {
    await handle.close();
  }
}

/** Null for one code of the system; any other error is thrown. */
const unless =
  (code: string) =>
  (error: unknown): null => {
    if (codeOf(error) === code) return null;
    throw error;
  };

function patienceWith(owner: Owner | null): number {
  if (!owner) return EMPTY;
  const isSeen = owner.host === os.hostname() && owner.namespace === NAMESPACE;
  // A file system counts parts of milliseconds: a lock of this moment can be newer than the clock.
  return isSeen && !isAlive(owner.process) ? Number.NEGATIVE_INFINITY : ABANDONED;
}

const ownerSchema = z.object({
  // It becomes part of a file name.
  token: z.string().regex(/^\w+$/),
  host: z.string(),
  namespace: z.string().default(""),
  process: z.number(),
  since: z.string().default(""),
});
