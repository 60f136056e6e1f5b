/** Folders: whether one is there, and making one. */
import { statSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { codeOf } from "../errors.js";

/** True where a folder is, or a link to one. */
export function isFolder(place: string): boolean {
  try {
    return statSync(place).isDirectory();
  } catch {
    return false;
  }
}

/**
 * Makes a folder and those above it. Node's own recursive mkdir says ENOENT where a disk is read only, and never comes back where a
 * pseudo file system takes no folders. @throws what the disk says
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((await stat(folder).catch(() => null))?.isDirectory()) return;
    if (codeOf(error) !== "ENOENT" || path.dirname(folder) === folder) throw error;
    await makeFolder(path.dirname(folder));
    await mkdir(folder).catch((again: unknown) => {
      // Another process was faster.
      if (codeOf(again) !== "EEXIST") throw again;
    });
  }
}
