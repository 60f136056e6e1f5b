/** From a reference to what has to be fetched: resolved once to a commit, its files listed and chosen, the cache looked through. */
import { readFile, statfs } from "node:fs/promises";
import path from "node:path";
import { FileError } from "../errors.js";
import { parseJson } from "../files/index.js";
import { cachedCommit, commitsIn, isCommit, type Shelf, shelfOf, sizeOf, snapshotFiles } from "./cache.js";
import { type HubClient, openHub, type RemoteFile } from "./client.js";
import { HubError, type HubErrorKind } from "./errors.js";
import type { Fetching } from "./events.js";
import { type HubReference, hubName } from "./reference.js";
import type { Patience } from "./retry.js";
import { type Listed, PIPELINE_INDEX, type Selection, select, type Wanted } from "./selection.js";
import { type HubSettings, hubSettings } from "./settings.js";
import type { Variant } from "./weight-files.js";

/** How things are fetched. */
export interface HubOptions extends Fetching {
  /** Where a repository has both; default "fp16". */
  readonly variant?: Variant;
  /** Default: what the environment says. */
  readonly settings?: HubSettings;
  /** How long to wait between tries; default: the clock's seconds. */
  readonly wait?: Patience["wait"];
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
export async function planFetch(reference: HubReference, wanted: Wanted, options: HubOptions = {}): Promise<HubPlan> {
  const settings = options.settings ?? hubSettings();
  const hub = hubFor(reference, settings, options);
  const shelf = shelfOf(settings.cache, reference.id);
  const known = await cachedCommit(shelf, reference.revision);
  const local = async (): Promise<HubPlan | string> =>
    known === null ? "" : fromCache(reference, known, wanted, shelf, settings, options);
  // A commit never changes: what is whole in the cache needs no question.
  if (settings.offline || (known !== null && isCommit(reference.revision))) {
    const found = await local();
    if (typeof found !== "string" && (settings.offline || !found.guessed)) return found;
    if (settings.offline && typeof found === "string") throw await offlineError(shelf, reference, known, found);
  }
  try {
    return await fromHub(hub, reference, wanted, shelf, options);
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
  wanted: Wanted,
  shelf: Shelf,
  { variant = "fp16" }: HubOptions,
): Promise<HubPlan> {
  const commit = await hub.commit(reference);
  const listing = await hub.list(reference, commit);
  const cached = new Map<string, PlanFile>();
  for (const file of listing) cached.set(file.path, await inCache(shelf, commit, file));
  const index = indexIn(reference, listing);
  const selection = select([...cached.values()], reference.path, wanted, {
    variant,
    there: (file) => cached.get(file.path)?.there === file.bytes,
    index: index === null ? null : parseJson(await textOf(hub, reference, commit, cached.get(index), shelf)),
  });
  return planOf(reference, commit, selection, shelf, hub.settings);
}

/** A small file, from the cache where it is there. */
const textOf = (hub: HubClient, reference: HubReference, commit: string, file: PlanFile | undefined, shelf: Shelf) =>
  file?.whole
    ? readFile(shelf.pointer(commit, file.path), "utf8")
    : hub.text(reference, commit, file?.path ?? PIPELINE_INDEX);

/** A pipeline's index where the reference points at one. */
function indexIn({ path: place }: HubReference, listing: readonly Listed[]): string | null {
  const file = place === "" ? PIPELINE_INDEX : `${place}/${PIPELINE_INDEX}`;
  return listing.some((f) => f.path === file) ? file : null;
}

async function inCache(shelf: Shelf, commit: string, { path: place, bytes, hash }: RemoteFile): Promise<PlanFile> {
  if ((await sizeOf(shelf.pointer(commit, place))) === bytes)
    return { path: place, bytes, hash, there: bytes, whole: true };
  if ((await sizeOf(shelf.blob(hash))) === bytes) return { path: place, bytes, hash, there: bytes, whole: false };
  const partial = (await sizeOf(shelf.partial(hash))) ?? 0;
  return { path: place, bytes, hash, there: Math.min(partial, bytes), whole: false };
}

/** What the cache alone has of it: a plan with nothing missing, or in words what is. */
async function fromCache(
  reference: HubReference,
  commit: string,
  wanted: Wanted,
  shelf: Shelf,
  settings: HubSettings,
  { variant = "fp16" }: HubOptions,
): Promise<HubPlan | string> {
  const listing = (await snapshotFiles(shelf, commit)).map(
    (file): PlanFile => ({ ...file, hash: null, there: file.bytes, whole: true }),
  );
  const index = indexIn(reference, listing);
  const selection = select(listing, reference.path, wanted, {
    variant,
    there: () => true,
    index: index === null ? null : parseJson(await readFile(shelf.pointer(commit, index), "utf8")),
  });
  if ("not" in selection) return selection.not;
  // Weights of a part, fetched by themselves, are no model in one file.
  const ofPart = selection.guessed && wanted !== "file" && wanted !== "vision" && hasConfig(reference, listing);
  return ofPart ? "lacks what is needed beside its parts" : planOf(reference, commit, selection, shelf, settings);
}

const hasConfig = ({ path: place }: HubReference, listing: readonly Listed[]): boolean =>
  listing.some((f) => f.path.startsWith(place === "" ? "" : `${place}/`) && /(^|\/)config\.json$/.test(f.path));

/** @throws FileError with what the repository has instead */
function planOf(
  reference: HubReference,
  commit: string,
  selection: Selection<PlanFile>,
  shelf: Shelf,
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
    path: root === "" ? shelf.snapshot(commit) : shelf.pointer(commit, root),
  };
}

/** The error for a repository that the cache alone cannot provide. @param lacks its problem, where some of it is cached */
async function offlineError(
  shelf: Shelf,
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
  const commits = (await commitsIn(shelf)).map((commit) => commit.slice(0, 7));
  if (commits.length === 0) return failure("not-cached", `is not in the cache (${shelf.folder}), ${offline}`);
  return failure(
    "not-cached",
    `is not in the cache at ${reference.revision}, ${offline}; cached: ${commits.join(", ")} (${shelf.folder})`,
  );
}

/** Bytes that whoever runs this may still write to a folder's disk; the folder need not be there yet. */
export async function freeBytesOf(folder: string): Promise<number> {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    const found = await statfs(place).catch(() => null);
    if (found) return found.bavail * found.bsize;
    if (path.dirname(place) === place) return Number.POSITIVE_INFINITY;
  }
}
