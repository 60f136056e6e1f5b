/** Download plan of a reference: resolves the commit, lists and selects files, and finds those already cached. */
import { readFile, statfs } from "node:fs/promises";
import path from "node:path";
import { FileError } from "../errors.js";
import { parseJson } from "../files/index.js";
import {
  cachedCommit,
  commitsIn,
  isCommit,
  type RepositoryPaths,
  repositoryPaths,
  sizeOf,
  snapshotFiles,
} from "./cache.js";
import { type HubClient, openHub, type RemoteFile } from "./client.js";
import { HubError, type HubErrorKind } from "./errors.js";
import type { DownloadOptions } from "./events.js";
import { type HubReference, hubName } from "./reference.js";
import type { RetryPolicy } from "./retry.js";
import { type Listed, type ModelKind, PIPELINE_INDEX, type Selection, select } from "./selection.js";
import { type HubSettings, hubSettings } from "./settings.js";
import type { Variant } from "./weight-files.js";

/** Options of a download. */
export interface HubOptions extends DownloadOptions {
  /** Precision, where a repository has several. Default: "fp16". */
  readonly variant?: Variant;
  /** Default: from the environment. */
  readonly settings?: HubSettings;
  /** Waits between retries. Default: a timer. */
  readonly wait?: RetryPolicy["wait"];
  /** Free bytes on the disk of a folder. Default: from the file system. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

export interface HubPlan {
  readonly reference: HubReference;
  readonly commit: string;
  readonly files: readonly PlanFile[];
  readonly bytes: number;
  /** Bytes left to download. */
  readonly missing: number;
  readonly cache: string;
  /** Local path of the file or folder that the reference names. */
  readonly path: string;
  /** Selected from a cache listing that may be incomplete. */
  readonly guessed: boolean;
}

export interface PlanFile extends Listed {
  /** Name of its blob; null for a file found in the cache without a listing. */
  readonly hash: string | null;
  /** Bytes in the cache. */
  readonly there: number;
  /** The snapshot has the complete file. */
  readonly whole: boolean;
}

/**
 * Plans the download of a reference. Only the index of a pipeline is downloaded.
 * @throws HubError when neither the Hub nor the cache provides it; FileError when no file of the repository fits the kind
 */
export async function planFetch(reference: HubReference, kind: ModelKind, options: HubOptions = {}): Promise<HubPlan> {
  const settings = options.settings ?? hubSettings();
  const hub = hubFor(reference, settings, options);
  const paths = repositoryPaths(settings.cache, reference.id);
  const known = await cachedCommit(paths, reference.revision);
  const local = async (): Promise<HubPlan | string> =>
    known === null ? "" : fromCache(reference, known, kind, paths, settings, options);
  // A commit never changes: when the cache has all of it, no request is needed.
  if (settings.offline || (known !== null && isCommit(reference.revision))) {
    const found = await local();
    if (typeof found !== "string" && (settings.offline || !found.guessed)) return found;
    if (settings.offline && typeof found === "string") throw await offlineError(paths, reference, known, found);
  }
  try {
    return await fromHub(hub, reference, kind, paths, options);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const found = await local();
    if (typeof found === "string") throw error;
    options.onDownload?.({
      type: "fetch-note",
      repository: reference.id,
      text: `${error.message}; using the cache (commit ${found.commit.slice(0, 7)})`,
    });
    return found;
  }
}

/** A client that reports its waits as events. */
export function hubFor(
  reference: HubReference,
  settings: HubSettings,
  { signal, wait, onDownload }: HubOptions,
): HubClient {
  return openHub(settings, {
    signal,
    wait,
    onWait: (why, milliseconds) =>
      onDownload?.({
        type: "fetch-note",
        repository: reference.id,
        text: `${reference.id}: ${why}; trying again in ${Math.ceil(milliseconds / 1000)} s`,
      }),
  });
}

async function fromHub(
  hub: HubClient,
  reference: HubReference,
  kind: ModelKind,
  paths: RepositoryPaths,
  { variant = "fp16" }: HubOptions,
): Promise<HubPlan> {
  const commit = await hub.commit(reference);
  const listing = await hub.list(reference, commit);
  const cached = new Map<string, PlanFile>();
  for (const file of listing) cached.set(file.path, await inCache(paths, commit, file));
  const index = indexIn(reference, listing);
  const selection = select([...cached.values()], reference.path, kind, {
    variant,
    there: (file) => cached.get(file.path)?.there === file.bytes,
    index: index === null ? null : parseJson(await textOf(hub, reference, commit, cached.get(index), paths)),
  });
  return planOf(reference, commit, selection, paths, hub.settings);
}

/** Text of a small file, from the cache where possible. */
const textOf = (
  hub: HubClient,
  reference: HubReference,
  commit: string,
  file: PlanFile | undefined,
  paths: RepositoryPaths,
) =>
  file?.whole
    ? readFile(paths.pointer(commit, file.path), "utf8")
    : hub.text(reference, commit, file?.path ?? PIPELINE_INDEX);

/** Path of the pipeline's index, where the reference names a pipeline. */
function indexIn({ path: place }: HubReference, listing: readonly Listed[]): string | null {
  const file = place === "" ? PIPELINE_INDEX : `${place}/${PIPELINE_INDEX}`;
  return listing.some((f) => f.path === file) ? file : null;
}

async function inCache(
  paths: RepositoryPaths,
  commit: string,
  { path: place, bytes, hash }: RemoteFile,
): Promise<PlanFile> {
  if ((await sizeOf(paths.pointer(commit, place))) === bytes)
    return { path: place, bytes, hash, there: bytes, whole: true };
  if ((await sizeOf(paths.blob(hash))) === bytes) return { path: place, bytes, hash, there: bytes, whole: false };
  const partial = (await sizeOf(paths.partial(hash))) ?? 0;
  return { path: place, bytes, hash, there: Math.min(partial, bytes), whole: false };
}

/** Plan from the cache alone, with nothing left to download; or the problem, as text. */
async function fromCache(
  reference: HubReference,
  commit: string,
  kind: ModelKind,
  paths: RepositoryPaths,
  settings: HubSettings,
  { variant = "fp16" }: HubOptions,
): Promise<HubPlan | string> {
  const listing = (await snapshotFiles(paths, commit)).map(
    (file): PlanFile => ({ ...file, hash: null, there: file.bytes, whole: true }),
  );
  const index = indexIn(reference, listing);
  const selection = select(listing, reference.path, kind, {
    variant,
    there: () => true,
    index: index === null ? null : parseJson(await readFile(paths.pointer(commit, index), "utf8")),
  });
  if ("problem" in selection) return selection.problem;
  // Weights of one component that was downloaded alone are not a single-file model.
  const ofPart = selection.guessed && kind !== "file" && kind !== "vision" && hasConfig(reference, listing);
  return ofPart ? "lacks its other components" : planOf(reference, commit, selection, paths, settings);
}

const hasConfig = ({ path: place }: HubReference, listing: readonly Listed[]): boolean =>
  listing.some((f) => f.path.startsWith(place === "" ? "" : `${place}/`) && /(^|\/)config\.json$/.test(f.path));

/** @throws FileError naming the files that the repository has */
function planOf(
  reference: HubReference,
  commit: string,
  selection: Selection<PlanFile>,
  paths: RepositoryPaths,
  { cache }: HubSettings,
): HubPlan {
  if ("problem" in selection) throw new FileError(hubName(reference), selection.problem);
  const { root, files } = selection;
  return {
    reference,
    commit,
    files,
    bytes: files.reduce((n, f) => n + f.bytes, 0),
    missing: files.reduce((n, f) => n + f.bytes - f.there, 0),
    cache,
    guessed: selection.guessed === true,
    path: root === "" ? paths.snapshot(commit) : paths.pointer(commit, root),
  };
}

/** The error for a repository that the cache alone cannot provide. @param lacks its problem, where some of it is cached */
async function offlineError(
  paths: RepositoryPaths,
  reference: HubReference,
  known: string | null,
  lacks: string,
): Promise<HubError> {
  const offline = "and HF_HUB_OFFLINE is set";
  const failure = (kind: HubErrorKind, problem: string) => new HubError(hubName(reference), problem, { kind });
  if (known !== null && lacks !== "") {
    const commit = known.slice(0, 7);
    return failure("incomplete-cache", `is only partly in the cache (commit ${commit}): it ${lacks}; ${offline}`);
  }
  const commits = (await commitsIn(paths)).map((commit) => commit.slice(0, 7));
  if (commits.length === 0) return failure("not-cached", `is not in the cache (${paths.folder}), ${offline}`);
  return failure(
    "not-cached",
    `is not in the cache at ${reference.revision}, ${offline}; cached: ${commits.join(", ")} (${paths.folder})`,
  );
}

/** Free bytes for this user on the disk of a folder, which need not exist yet. */
export async function freeDiskBytes(folder: string): Promise<number> {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    const found = await statfs(place).catch(() => null);
    if (found) return found.bavail * found.bsize;
    if (path.dirname(place) === place) return Number.POSITIVE_INFINITY;
  }
}
