/** What the cache holds, whoever fetched it, and taking things out of it. */
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
  /** Branches and tags that were there when they were last asked for. */
  readonly refs: readonly string[];
  readonly files: number;
  /** Bytes of its files; several revisions may share them. */
  readonly bytes: number;
}

export interface CachedRepository {
  /** "owner/name". */
  readonly id: string;
  readonly revisions: readonly CachedRevision[];
  /** On the disk, what is shared counted once, unfinished downloads with it. */
  readonly bytes: number;
  /** Of them, bytes of unfinished downloads. */
  readonly unfinished: number;
  /** When a file of it was last read, as far as the disk keeps that; ISO 8601. */
  readonly used: string | null;
}

export interface Removal {
  readonly removed: readonly string[];
  /** Bytes on the disk. */
  readonly freed: number;
}

/** A file of a snapshot and what it takes; `blob` where it is a link into blobs/. */
interface CachedFile {
  readonly file: string;
  readonly blob: string | null;
  readonly bytes: number;
  readonly read: number;
}

/** Repositories of models in the cache, by name. */
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
 * Takes a repository, or one revision of it, out of the cache. Files that another revision shares stay.
 * @throws RequestError when a part of a revision is named; FileError when the cache has no such thing
 */
export async function removeCached(
  reference: HubReference,
  { dryRun = false, revision = false, settings = hubSettings() }: RemoveOptions = {},
): Promise<Removal> {
  if (reference.path !== "")
    throw new RequestError(
      `${hubName(reference)}: a whole repository is removed, or a revision of it (owner/name@revision)`,
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
  /** Only say what would be. */
  readonly dryRun?: boolean;
  /** The reference's revision alone, not all of the repository. */
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
  // Python's library keeps its listings beside them.
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
