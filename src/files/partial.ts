/** Temporary files: their names, and the removal of those that a killed process left. */
import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { isAlive } from "./process.js";

/** A temporary name beside a file or folder, different at each call. */
export const partialOf = (file: string): string =>
  path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}-${randomBytes(4).toString("hex")}.partial`);

const NAME = /^\.(?<target>.+)\.(?<id>\d+)-[0-9a-f]{8}\.partial$/;

/**
 * Removes temporary files and folders whose process no longer runs: all in a folder, or those of one name. A process on another machine
 * cannot be seen, so the caller holds a lock where several machines may write there.
 */
export async function removePartials(folder: string, name?: string): Promise<void> {
  for (const entry of await readdir(folder).catch(() => [])) {
    const { target, id } = NAME.exec(entry)?.groups ?? {};
    if (target === undefined || (name !== undefined && target !== name) || isAlive(Number(id))) continue;
    await rm(path.join(folder, entry), { recursive: true, force: true }).catch(() => {});
  }
}
