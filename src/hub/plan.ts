/** From a reference to what has to be fetched: resolved once to a commit, its files listed and chosen, the cache looked through. */
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

/** How things are fetched. */
export interface HubOptions extends DownloadOptions {
  /** Where a repository has both; default "fp16". */
  readonly variant?: Variant;
  /** Default: what the environment says. */
  readonly settings?: HubSettings;
  /** How long to wait between tries; default: the clock's seconds. */
  readonly wait?: RetryPolicy["wait"];
  /** Free bytes of a folder's disk; default: the file system's word. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

export interface HubPlan {
  readonly reference: HubReference;
  readonly commit: string;
  readonly files: readonly PlanFile[];
  readonly bytes: number;
  /** Bytes that are still to come. */
  readonly missing: number;
  readonly cache: string;
  /** What will be handed out, on this machine. */
  readonly path: string;
  /** What a cache that holds a part of the repository cannot tell. */
  readonly guessed: boolean;
}

export interface PlanFile extends Listed {
  /** What the cache calls it; null for what was found there without asking. */
  readonly hash: string | null;
  /** Bytes of it that are in the cache. */
  readonly there: number;
  /** It lies in the snapshot, whole. */
  readonly whole: boolean;
}

/**
 * Says what a reference needs, and fetches nothing but a pipeline's index.
 * @throws HubError when the Hub refuses and the cache has it not; FileError when nothing in it fits
 */
export async function planFetch(reference: HubReference, kind: ModelKind, options: HubOptions = {}): Promise<HubPlan> {
  const settings = options.settings ?? hubSettings();
  const hub = hubFor(reference, settings, options);
  const paths = repositoryPaths(settings.cache, reference.id);
  const known = await cachedCommit(paths, reference.revision);
  const local = async (): Promise<HubPlan | string> =>
    known === null ? "" : fromCache(reference, known, kind, paths, settings, options);
  // A commit never changes: what is whole in the cache needs no question.
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
      text: `${error.message}; using what is in the cache (commit ${found.commit.slice(0, 7)})`,
    });
    return found;
  }
}

/** A client whose waits are heard of. */
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

/** A small file, from the cache where it is there. */
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

/** A pipeline's index where the reference points at one. */
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

/** What the cache alone has of it: a plan with nothing missing, or in words what is. */
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
  if ("not" in selection) return selection.not;
  // Weights of a part, fetched by themselves, are no model in one file.
  const ofPart = selection.guessed && kind !== "file" && kind !== "vision" && hasConfig(reference, listing);
  return ofPart ? "lacks what is needed beside its parts" : planOf(reference, commit, selection, paths, settings);
}

const hasConfig = ({ path: place }: HubReference, listing: readonly Listed[]): boolean =>
  listing.some((f) => f.path.startsWith(place === "" ? "" : `${place}/`) && /(^|\/)config\.json$/.test(f.path));

/** @throws FileError with what the repository has instead */
function planOf(
  reference: HubReference,
  commit: string,
  selection: Selection<PlanFile>,
  paths: RepositoryPaths,
  { cache }: HubSettings,
): HubPlan {
  if ("not" in selection) throw new FileError(hubName(reference), selection.not);
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

/** Bytes that whoever runs this may still write to a folder's disk; the folder need not be there yet. */
export async function freeDiskBytes(folder: string): Promise<number> {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    const found = await statfs(place).catch(() => null);
    if (found) return found.bavail * found.bsize;
    if (path.dirname(place) === place) return Number.POSITIVE_INFINITY;
  }
}
