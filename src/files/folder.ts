/** Folders: whether one is there, and making one. */
import { existsSync, statSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError } from "../errors.js";
import { CHOOSE_OUT, explained } from "./explain.js";

/** True where a folder is, or a link to one. */
export function isFolder(place: string): boolean {
  try {
    return statSync(place).isDirectory();
  } catch {
    return false;
  }
}

/**
 * Makes a folder and those above it; one that exists is left as it is.
 * @param advice what the user can do where that is not possible
 * @throws MachineError when the disk is full; FileError otherwise
 */
export async function makeFolder(folder: string, advice = CHOOSE_OUT): Promise<void> {
  await make(folder).catch((error: unknown) => {
    const file = ["EEXIST", "ENOTDIR"].includes(codeOf(error)) ? fileIn(path.resolve(folder)) : null;
    if (file === null) throw explained(error, folder, "the folder cannot be made", advice);
    throw new FileError(
      folder,
      `the folder cannot be made, because ${file} is not a folder (${codeOf(error)}); ${advice}`,
      {
        cause: error,
      },
    );
  });
}

/** The part of a path that exists and is not a folder; null where there is none. */
function fileIn(place: string): string | null {
  if (existsSync(place)) return isFolder(place) ? null : place;
  const above = path.dirname(place);
  return above === place ? null : fileIn(above);
}

/** One by one: Node's recursive mkdir says ENOENT on a read-only disk, and never returns under /proc. */
async function make(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((await stat(folder).catch(() => null))?.isDirectory()) return;
    if (codeOf(error) !== "ENOENT" || path.dirname(folder) === folder) throw error;
    await make(path.dirname(folder));
    await mkdir(folder).catch((again: unknown) => {
      // Another process was faster.
      if (codeOf(again) !== "EEXIST") throw again;
    });
  }
}
