/** Lists the repositories in the cache, and removes them or single revisions. */
import { lstat, readdir, readFile, readlink, rm } from "node:fs/promises";
import path from "node:path";
import { FileError, RequestError } from "../errors.js";
import {
  cachedCommit,
  commitsIn,
  explainWriteError,
  folderName,
  isCommit,
  type RepositoryPaths,
  repositoryPaths,
} from "./cache.js";
import { type HubReference, hubName } from "./reference.js";
import { type HubSettings, hubSettings } from "./settings.js";

export interface CachedRevision {
  readonly commit: string;
  /** Branches and tags that pointed here when they were last resolved. */
  readonly refs: readonly string[];
  readonly files: number;
  /** Total size of its files. Revisions may share blobs. */
  readonly bytes: number;
}

export interface CachedRepository {
  /** "owner/name". */
  readonly id: string;
  readonly revisions: readonly CachedRevision[];
  /** Bytes on the disk: shared blobs once, partial downloads included. */
  readonly bytes: number;
  /** Bytes of partial downloads. */
  readonly unfinished: number;
  /** Last access of a file, as ISO 8601; null where the file system does not record it. */
  readonly used: string | null;
}

export interface Removal {
  readonly removed: readonly string[];
  /** Bytes on the disk. */
  readonly freed: number;
}

/** File of a snapshot. `blob` is the target of its link, null for a plain file. */
interface CachedFile {
  readonly file: string;
  readonly blob: string | null;
  readonly bytes: number;
  readonly read: number;
}

/** Model repositories in the cache, sorted by name. */
export async function cachedRepositories({ cache }: HubSettings = hubSettings()): Promise<CachedRepository[]> {
  const names = await readdir(cache).catch(() => []);
  const ids = names.flatMap((name) => /^models--([^/]+?)--([^/]+)$/.exec(name)?.slice(1).join("/") ?? []);
  return Promise.all(ids.sort().map((id) => repositoryOf(repositoryPaths(cache, id), id)));
}

async function repositoryOf(paths: RepositoryPaths, id: string): Promise<CachedRepository> {
  const refs = await refsOf(paths);
  const revisions: CachedRevision[] = [];
  let used = 0;
  let own = 0;
  for (const commit of await commitsIn(paths)) {
    const files = await filesOf(paths, commit);
    used = Math.max(used, ...files.map((h) => h.read));
    own += files.reduce((n, h) => n + (h.blob === null ? h.bytes : 0), 0);
    const at = [...refs].flatMap(([name, where]) => (where === commit ? [name] : []));
    revisions.push({ commit, refs: at, files: files.length, bytes: files.reduce((n, h) => n + h.bytes, 0) });
  }
  const blobs = await blobsOf(paths);
  const unfinished = blobs.reduce((n, b) => n + (b.name.endsWith(".incomplete") ? b.bytes : 0), 0);
  return {
    id,
    revisions,
    bytes: own + blobs.reduce((n, b) => n + b.bytes, 0),
    unfinished,
    used: used > 0 ? new Date(used).toISOString() : null,
  };
}

async function blobsOf(paths: RepositoryPaths): Promise<{ name: string; bytes: number }[]> {
  const folder = path.dirname(paths.blob("x"));
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names.map(async (name) => ({ name, bytes: (await lstat(path.join(folder, name)).catch(() => null))?.size ?? 0 })),
  );
}

async function refsOf(paths: RepositoryPaths): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const walk = async (folder: string, prefix: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const [name, place] = [`${prefix}${entry.name}`, path.join(folder, entry.name)];
      if (entry.isDirectory()) await walk(place, `${name}/`);
      else found.set(name, (await readFile(place, "utf8").catch(() => "")).trim());
    }
  };
  await walk(path.dirname(paths.ref("x")), "");
  return found;
}

async function filesOf(paths: RepositoryPaths, commit: string): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) {
        await walk(file);
        continue;
      }
      const target = entry.isSymbolicLink() ? path.resolve(folder, await readlink(file)) : null;
      const found = await lstat(target ?? file).catch(() => null);
      if (found) files.push({ file, blob: target, bytes: found.size, read: found.atimeMs });
    }
  };
  await walk(paths.snapshot(commit));
  return files;
}

/**
 * Removes a repository, or one revision of it, from the cache. Blobs that another revision uses are kept.
 * @throws RequestError when the reference names a file or folder; FileError when it is not in the cache
 */
export async function removeCached(
  reference: HubReference,
  { dryRun = false, revision = false, settings = hubSettings() }: RemoveOptions = {},
): Promise<Removal> {
  if (reference.path !== "")
    throw new RequestError(
      `${hubName(reference)}: only a repository (owner/name) or a revision (owner/name@revision) can be removed`,
    );
  const paths = repositoryPaths(settings.cache, reference.id);
  const commits = await commitsIn(paths);
  const there = (await lstat(paths.folder).catch(() => null)) !== null;
  if (!there) {
    const has = (await cachedRepositories(settings)).map((r) => r.id).join(", ") || "nothing";
    throw new FileError(reference.id, `is not in the cache (${settings.cache}), which has ${has}`);
  }
  const named = revision ? await cachedCommit(paths, reference.revision) : null;
  if (revision && (named === null || !commits.includes(named)))
    throw new FileError(
      hubName(reference),
      `is not in the cache; of ${reference.id} it has ${commits.map((c) => c.slice(0, 7)).join(", ")}`,
    );
  const whole = named === null || commits.every((commit) => commit === named);
  const plan = whole ? await wholeRemoval(paths, settings, reference.id) : await revisionRemoval(paths, named, commits);
  if (!dryRun) {
    try {
      for (const place of plan.removed) await rm(place, { recursive: true, force: true });
    } catch (error) {
      explainWriteError(error, settings.cache);
    }
  }
  return plan;
}

export interface RemoveOptions {
  /** Return the plan without removing anything. */
  readonly dryRun?: boolean;
  /** Remove only the revision of the reference. */
  readonly revision?: boolean;
  readonly settings?: HubSettings;
}

async function wholeRemoval(paths: RepositoryPaths, { cache }: HubSettings, id: string): Promise<Removal> {
  const { bytes } = await repositoryOf(paths, id);
  return { removed: [paths.folder, path.join(cache, ".locks", folderName(id))], freed: bytes };
}

async function revisionRemoval(paths: RepositoryPaths, commit: string, commits: readonly string[]): Promise<Removal> {
  const kept = new Set<string>();
  for (const other of commits.filter((c) => c !== commit)) {
    for (const { blob } of await filesOf(paths, other)) if (blob !== null) kept.add(blob);
  }
  const blobs = path.dirname(paths.blob("x"));
  // Listings that huggingface_hub keeps for the commit.
  const beside = [path.join(".no_exist", commit), path.join("trees", `${commit}.json`)];
  const removed = [paths.snapshot(commit), ...beside.map((place) => path.join(paths.folder, place))];
  const gone = new Set<string>();
  let freed = 0;
  for (const { blob, bytes } of await filesOf(paths, commit)) {
    if (blob !== null && (kept.has(blob) || gone.has(blob) || path.dirname(blob) !== blobs)) continue;
    if (blob !== null) gone.add(blob);
    freed += bytes;
  }
  for (const [name, at] of await refsOf(paths)) if (at === commit && isCommit(at)) removed.push(paths.ref(name));
  return { removed: [...removed, ...gone], freed };
}
