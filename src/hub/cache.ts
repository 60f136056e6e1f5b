/**
 * Layout of the cache, the same as in huggingface_hub: models--owner--name/ with blobs/ named by hash, refs/ with the commit of each
 * branch, snapshots/<commit>/ of links into blobs/, and .no_exist/ for files that a commit lacks.
 */

import { copyFile, readdir, readFile, rename, stat, symlink } from "node:fs/promises";
import path from "node:path";
import { codeOf, FileError, MachineError, VariegateError } from "../errors.js";
import { makeFolder, partialOf, removePartials, writeWhole } from "../files/index.js";
import { staysInside } from "./reference.js";

/** Paths of one repository in the cache. */
export interface RepositoryPaths {
  readonly folder: string;
  snapshot(commit: string): string;
  pointer(commit: string, file: string): string;
  blob(hash: string): string;
  /** The part of a blob that is downloaded so far. */
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

/** Size of a file in bytes, links followed; null when it does not exist. */
export async function sizeOf(file: string): Promise<number | null> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() ? found.size : null;
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

/** The commit of a path in the cache; null for any other path. */
export const commitOf = (place: string): string | null =>
  /[\\/]models--[^\\/]+[\\/]snapshots[\\/]([0-9a-f]{40})(?=[\\/]|$)/.exec(place)?.[1] ?? null;

/** The repository ("owner/name") of a path in the cache; null for any other path. */
export const repositoryOf = (place: string): string | null =>
  /[\\/]models--([^\\/]+?)--([^\\/]+)[\\/]snapshots[\\/]/.exec(place)?.slice(1, 3).join("/") ?? null;

/** The commit of a revision when it was last resolved; null when the cache has no record. */
export async function cachedCommit(paths: RepositoryPaths, revision: string): Promise<string | null> {
  if (isCommit(revision)) return revision;
  const text = (await readFile(paths.ref(revision), "utf8").catch(() => "")).trim();
  if (isCommit(text)) return text;
  // An abbreviated commit.
  if (!/^[0-9a-f]{7,39}$/.test(revision)) return null;
  const found = (await commitsIn(paths)).filter((commit) => commit.startsWith(revision));
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** Commits with at least one file in the cache. */
export async function commitsIn(paths: RepositoryPaths): Promise<string[]> {
  const names = await readdir(path.join(paths.folder, "snapshots")).catch(() => []);
  return names.filter(isCommit).sort();
}

/** Cached files of a commit, by path in the repository. */
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

/** Records the commit of a revision. A cache without write permission stays readable, so failures are ignored. */
export async function rememberCommit(paths: RepositoryPaths, revision: string, commit: string): Promise<void> {
  const file = paths.ref(revision);
  if (revision === commit || (await readFile(file, "utf8").catch(() => "")) === commit) return;
  try {
    await makeFolder(path.dirname(file));
    // huggingface_hub reads every file in this folder as a reference.
    await removePartials(path.dirname(file), path.basename(file));
    await writeWhole(file, Buffer.from(commit));
  } catch (error) {
    if (!(error instanceof VariegateError)) throw error;
  }
}

/**
 * Adds a blob to a snapshot as a relative link. Where links are not allowed (Windows without developer mode), a new blob is moved,
 * and one that another snapshot may use is copied.
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

/** Replaces an error of the file system by one that names the remedy; throws any other error unchanged. */
export function explainWriteError(error: unknown, cache: string): never {
  // An error of this package carries the code on its cause.
  const code = codeOf(error) || (error instanceof VariegateError ? codeOf(error.cause) : "");
  if (code === "ENOSPC" || code === "EDQUOT") {
    throw new MachineError(
      `${cache}: no space left on the disk; partial downloads are kept. Free some space, or set HF_HUB_CACHE to another disk`,
      { cause: error },
    );
  }
  // ENOENT: a file system without new folders, such as /proc.
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOENT"].includes(code)) {
    throw new FileError(
      cache,
      `the cache cannot be written (${code}); set HF_HOME or HF_HUB_CACHE to a writable folder`,
      { cause: error },
    );
  }
  throw error;
}
