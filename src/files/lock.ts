/**
 * One process at a time: a file that only one can make, kept fresh while its maker lives. Python's locks are the kernel's, which Node
 * has not; both write blobs under other names first, so that at worst something is fetched twice.
 */

import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../errors.js";
import { makeFolder } from "./folder.js";

const FRESHEN = 2_000;
/** Not freshened for so long, and its process gone from this machine: nobody holds it. */
const DEAD = 5_000;
/** The same for a process that cannot be looked for, as on another machine. */
const ABANDONED = 60_000;
const POLL = 200;

interface Holder {
  readonly token: string;
  readonly host: string;
  readonly process: number;
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
  const me: Holder = { token: randomUUID(), host: os.hostname(), process: process.pid };
  await makeFolder(path.dirname(file));
  while (!(await take(file, me))) {
    signal?.throwIfAborted();
    if (await isStale(file)) continue;
    await onWait();
    await sleep(POLL);
  }
  const timer = setInterval(() => utimes(file, new Date(), new Date()).catch(() => {}), FRESHEN);
  timer.unref();
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if ((await holderOf(file))?.token === me.token) await rm(file, { force: true });
  }
}

async function take(file: string, me: Holder): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(me), { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function holderOf(file: string): Promise<Holder | null> {
  try {
    const found: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof found !== "object" || found === null) return null;
    const { token, host, process: id } = found as Partial<Record<keyof Holder, unknown>>;
    return typeof token === "string" && typeof host === "string" && typeof id === "number"
      ? { token, host, process: id }
      : null;
  } catch {
    return null;
  }
}

/** Whether nobody holds the lock any more; then it is taken away. */
async function isStale(file: string): Promise<boolean> {
  const [holder, found] = [await holderOf(file), await stat(file).catch(() => null)];
  if (!found) return true;
  const age = Date.now() - found.mtimeMs;
  const gone = holder?.host === os.hostname() && !isAlive(holder.process);
  if (age < (gone ? DEAD : ABANDONED)) return false;
  // Moved away first: of several that find it stale, one moves it; whoever moved a younger one puts it back.
  const aside = `${file}.${randomUUID().slice(0, 8)}`;
  await rename(file, aside).catch(() => {});
  const moved = await holderOf(aside);
  if (moved && moved.token !== holder?.token) await link(aside, file).catch(() => {});
  await rm(aside, { force: true });
  return true;
}

/** True while a process of this machine runs. */
export function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
