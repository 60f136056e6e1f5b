/**
 * The cache's layout, which is that of Hugging Face's own library: models--owner--name/ with blobs/ named by their hash, refs/ that
 * say which commit a branch was at, snapshots/<commit>/ of links into blobs/, and .no_exist/ of files that a commit does not have.
 */

import { copyFile, readdir, readFile, rename, stat, symlink } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError, MachineError, VariegateError } from "../errors.js";
import { makeFolder, partialOf, removePartials, writeWhole } from "../files/index.js";
import { staysInside } from "./reference.js";

/** Where things of one repository lie. */
export interface RepositoryPaths {
  readonly folder: string;
  snapshot(commit: string): string;
  pointer(commit: string, file: string): string;
  blob(hash: string): string;
  /** What has come of a blob so far. */
  partial(hash: string): string;
  ref(revision: string): string;
  lock(hash: string): string;
}

export const folderName = (id: string): string => `models--${id.replace("/", "--")}`;

export function repositoryPaths(cache: string, id: string): RepositoryPaths {
  const folder = path.join(cache, folderName(id));
  const snapshot = (commit: string) => path.join(folder, "snapshots", commit);
  const blob = (hash: string) => path.join(folder, "blobs", hash);
  return {
    folder,
    snapshot,
    pointer: (commit, file) => path.join(snapshot(commit), ...file.split("/")),
    blob,
    partial: (hash) => `${blob(hash)}.incomplete`,
    ref: (revision) => path.join(folder, "refs", ...revision.split("/")),
    lock: (hash) => path.join(cache, ".locks", folderName(id), `${hash}.variegate.lock`),
  };
}

/** Bytes of a file, links followed; null when it is not there. */
export async function sizeOf(file: string): Promise<number | null> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() ? found.size : null;
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

/** The commit that a place in the cache belongs to; null for any other path. */
export const commitOf = (place: string): string | null =>
  /[\\/]models--[^\\/]+[\\/]snapshots[\\/]([0-9a-f]{40})(?=[\\/]|$)/.exec(place)?.[1] ?? null;

/** The commit that a revision was at when it was last asked for; null when the cache does not know. */
export async function cachedCommit(paths: RepositoryPaths, revision: string): Promise<string | null> {
  if (isCommit(revision)) return revision;
  const text = (await readFile(paths.ref(revision), "utf8").catch(() => "")).trim();
  if (isCommit(text)) return text;
  // The beginning of a commit, as people copy it.
  if (!/^[0-9a-f]{7,39}$/.test(revision)) return null;
  const found = (await commitsIn(paths)).filter((commit) => commit.startsWith(revision));
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** Commits of which the cache has something. */
export async function commitsIn(paths: RepositoryPaths): Promise<string[]> {
  const names = await readdir(path.join(paths.folder, "snapshots")).catch(() => []);
  return names.filter(isCommit).sort();
}

/** Files of a commit that are there, whole or not, by their place in the repository. */
export async function snapshotFiles(
  paths: RepositoryPaths,
  commit: string,
): Promise<{ path: string; bytes: number }[]> {
  const found: { path: string; bytes: number }[] = [];
  const walk = async (place: string): Promise<void> => {
    const entries = await readdir(path.join(paths.snapshot(commit), place), { withFileTypes: true }).catch(() => []);
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = place === "" ? entry.name : `${place}/${entry.name}`;
      if (entry.isDirectory()) await walk(inside);
      else {
        const bytes = await sizeOf(paths.pointer(commit, inside));
        if (bytes !== null && staysInside(inside)) found.push({ path: inside, bytes });
      }
    }
  };
  await walk("");
  return found;
}

/** Remembers which commit a revision is at. Whoever may not write the cache can still read it, so that is no failure. */
export async function rememberCommit(paths: RepositoryPaths, revision: string, commit: string): Promise<void> {
  const file = paths.ref(revision);
  if (revision === commit || (await readFile(file, "utf8").catch(() => "")) === commit) return;
  try {
    await makeFolder(path.dirname(file));
    // Python's library takes every file in here for a reference.
    await removePartials(path.dirname(file), path.basename(file));
    await writeWhole(file, Buffer.from(commit));
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
  }
}

/**
 * Puts a blob into a snapshot: a relative link, or, where links are not allowed (Windows without developer mode), the file itself
 * when it is new and a copy when it may be another's.
 */
export async function linkBlob(
  paths: RepositoryPaths,
  commit: string,
  file: string,
  hash: string,
  isNew: boolean,
): Promise<void> {
  const pointer = paths.pointer(commit, file);
  const blob = paths.blob(hash);
  await makeFolder(path.dirname(pointer));
  await removePartials(path.dirname(pointer), path.basename(pointer));
  const temporary = partialOf(pointer);
  try {
    await symlink(path.relative(path.dirname(pointer), blob), temporary, "file");
  } catch (error) {
    if (codeOf(error) !== "EPERM" && codeOf(error) !== "ENOTSUP") throw error;
    if (isNew) return rename(blob, pointer);
    await copyFile(blob, temporary);
  }
  await rename(temporary, pointer);
}

/** What a user can do about a file system that says no; anything else is thrown as it is. */
export function explainWriteError(error: unknown, cache: string): never {
  // The cause of an error that says it in other words already.
  const code = codeOf(error) || (error instanceof VariegateError ? codeOf(error.cause) : "");
  if (code === "ENOSPC" || code === "EDQUOT") {
    throw new MachineError(
      `${cache}: no space is left; what has come is kept. Free some, or set HF_HUB_CACHE to a folder with more room`,
      { cause: error },
    );
  }
  // ENOENT: a file system that takes no folders, such as /proc.
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOENT"].includes(code)) {
    throw new FileError(
      cache,
      `the cache cannot be written (${code}); set HF_HOME or HF_HUB_CACHE to a folder that you may write`,
      { cause: error },
    );
  }
  throw error;
}
