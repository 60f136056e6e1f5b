/** Runs a download plan: checks the disk space, then downloads a few files at a time, small ones first. */
import { MachineError } from "../errors.js";
import { formatBytes } from "../tensor/index.js";
import { rememberCommit, repositoryPaths } from "./cache.js";
import { type Download, download, type KnownFile } from "./download.js";
import { freeDiskBytes, type HubOptions, type HubPlan, hubFor, type PlanFile, planFetch } from "./plan.js";
import type { HubReference } from "./reference.js";
import type { ModelKind } from "./selection.js";
import { hubSettings } from "./settings.js";

const PARALLEL_DOWNLOADS = 4;
/** Bytes to leave free on the disk. */
const SPARE = 64e6;
/** Milliseconds between progress events. */
const REPORT_EVERY = 200;

/** Downloads the missing files of a reference and returns its local path. @throws as planFetch and fetchPlan do */
export async function fetchReference(
  reference: HubReference,
  kind: ModelKind,
  options: HubOptions = {},
): Promise<string> {
  return fetchPlan(await planFetch(reference, kind, options), options);
}

/**
 * Downloads the missing files of a plan.
 * @returns the local path of the file or folder that the reference names
 * @throws MachineError before the first download when the disk has too little space; HubError, FileError; the signal's reason
 */
export async function fetchPlan(plan: HubPlan, options: HubOptions = {}): Promise<string> {
  const { reference, commit, cache } = plan;
  const settings = options.settings ?? hubSettings();
  const paths = repositoryPaths(cache, reference.id);
  const left = plan.files.filter((file): file is KnownFile => !file.whole && file.hash !== null);
  if (left.length > 0) {
    await checkDiskSpace([plan], options.freeBytes);
    options.onDownload?.({
      type: "fetch-plan",
      repository: reference.id,
      revision: reference.revision,
      commit,
      files: plan.files.map(({ path, bytes, there }) => ({ path, bytes, there })),
      bytes: plan.bytes,
      missing: plan.missing,
      cache,
    });
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const note = (text: string) => options.onDownload?.({ type: "fetch-note", repository: reference.id, text });
    const shared = {
      hub: hubFor(reference, settings, { ...options, signal }),
      reference,
      commit,
      paths,
      signal,
      onNote: note,
    };
    const report = reporter(plan, left, options);
    // Weights last: a snapshot with weights then has their configs, too.
    const isLarge = (file: PlanFile) => /\.(safetensors|bin|ckpt|pth?)$/.test(file.path);
    for (const some of [left.filter((f) => !isLarge(f)), left.filter(isLarge)]) {
      await each(some, stop, (file) =>
        download(file, { ...shared, onBytes: (there) => report(file, there) } satisfies Download),
      );
    }
    for (const { path: file, bytes } of left)
      options.onDownload?.({ type: "fetched", repository: reference.id, path: file, bytes });
  }
  await rememberCommit(paths, reference.revision, commit);
  return plan.path;
}

/**
 * Checks that the disk has space for all missing files of several plans.
 * @throws MachineError with the bytes needed and free
 */
export async function checkDiskSpace(
  plans: readonly HubPlan[],
  freeBytes: (folder: string) => Promise<number> = freeDiskBytes,
): Promise<void> {
  const sum = (of: (plan: HubPlan) => number) => plans.reduce((n, plan) => n + of(plan), 0);
  const [missing, bytes, cache] = [sum((p) => p.missing), sum((p) => p.bytes), plans[0]?.cache ?? ""];
  if (missing === 0) return;
  const free = await freeBytes(cache);
  if (missing + SPARE <= free) return;
  const there = missing < bytes ? ` (${formatBytes(bytes - missing)} of ${formatBytes(bytes)} are cached)` : "";
  throw new MachineError(
    `${plans.map((p) => p.reference.id).join(" with ")} needs ${formatBytes(missing)}${there}, and ${cache} has ${formatBytes(free)} free; ` +
      "free some space (variegate models list --cached, models remove), or set HF_HUB_CACHE to another disk",
  );
}

/** Downloads a few files in parallel, files with the same blob in sequence. The first failure aborts the others and is thrown after they stopped. */
async function each(files: readonly KnownFile[], stop: AbortController, work: (file: KnownFile) => Promise<void>) {
  const queue = [...new Set(files.map((f) => f.hash))].map((hash) => files.filter((f) => f.hash === hash));
  let failure: { readonly error: unknown } | null = null;
  const worker = async () => {
    for (let same = queue.shift(); same && !failure; same = queue.shift()) {
      try {
        for (const file of same) await work(file);
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_DOWNLOADS }, worker));
  const failed = failure as { readonly error: unknown } | null;
  if (failed) throw failed.error;
}

/** Reports the total progress of all files a few times a second, and at the end. */
function reporter({ reference, bytes, files }: HubPlan, left: readonly KnownFile[], { onDownload }: HubOptions) {
  const there = new Map<string, number>(files.map((file) => [file.path, file.there]));
  const ended = new Set<string>();
  let last = 0;
  return (file: KnownFile, now: number) => {
    there.set(file.path, now);
    if (now === file.bytes) ended.add(file.path);
    const time = performance.now();
    if (time - last < REPORT_EVERY && ended.size < left.length) return;
    last = time;
    const done = [...there.values()].reduce((a, b) => a + b, 0);
    onDownload?.({ type: "fetch-progress", repository: reference.id, file: file.path, done, bytes });
  };
}
