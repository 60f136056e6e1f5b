/** Downloads one file into the cache. Resumes partial downloads; a file gets its final name after its size and hash are verified. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, truncate } from "node:fs/promises";
import path from "node:path";
import { FileError } from "../errors.js";
import { locked, makeFolder, writeAll } from "../files/index.js";
import { formatBytes } from "../tensor/index.js";
import { explainWriteError, linkBlob, type RepositoryPaths, sizeOf } from "./cache.js";
import { type HubClient, type HubResponse, retriesFailed } from "./client.js";
import type { PlanFile } from "./plan.js";
import type { HubReference } from "./reference.js";
import { TransientError, withRetries } from "./retry.js";

export interface Download {
  readonly hub: HubClient;
  readonly reference: HubReference;
  readonly commit: string;
  readonly paths: RepositoryPaths;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes downloaded so far. */
  readonly onBytes: (there: number) => void;
  readonly onNote: (text: string) => void;
}

/** File with a known hash. */
export type KnownFile = PlanFile & { readonly hash: string };

/**
 * Downloads a file unless it is cached, and adds it to the snapshot. Of several processes one downloads, the others wait.
 * @throws HubError; FileError when the content differs from the listing, or the cache cannot be written; MachineError when the disk is full
 */
export async function download(file: KnownFile, d: Download): Promise<void> {
  const { paths, commit } = d;
  const cache = path.dirname(paths.folder);
  const blob = paths.blob(file.hash);
  if ((await sizeOf(paths.pointer(commit, file.path))) === file.bytes) return;
  let noted = false;
  const onWait = async () => {
    if (!noted) d.onNote(`another process is downloading ${file.path}; waiting for it`);
    noted = true;
    d.onBytes(Math.min(file.bytes, (await sizeOf(paths.partial(file.hash))) ?? 0));
  };
  try {
    await makeFolder(path.dirname(blob));
    const work = async () => {
      const isNew = (await sizeOf(blob)) !== file.bytes;
      if (isNew) await fetchBlob(file, blob, d);
      if ((await sizeOf(paths.pointer(commit, file.path))) !== file.bytes)
        await linkBlob(paths, commit, file.path, file.hash, isNew);
    };
    await locked(paths.lock(file.hash), work, d.signal, onWait);
  } catch (error) {
    d.signal?.throwIfAborted();
    if (error instanceof TransientError) throw retriesFailed(d.reference, error, d.hub.settings);
    explainWriteError(error, cache);
  }
  d.onBytes(file.bytes);
}

/** State of a download: bytes and hash so far. */
interface Progress {
  readonly handle: FileHandle;
  there: number;
  hash: Hash;
  /** ETag of the version that is being downloaded. */
  etag: string | null;
}

/** Bytes that take noticeable time to hash. */
const SLOW_TO_HASH = 5e8;

async function fetchBlob(file: KnownFile, blob: string, d: Download): Promise<void> {
  const partial = d.paths.partial(file.hash);
  const found = await sizeOf(partial);
  if (found !== null && found > file.bytes) await rm(partial, { force: true });
  const handle = await open(partial, "a");
  try {
    const { size: there } = await handle.stat();
    if (there > SLOW_TO_HASH) d.onNote(`hashing the ${formatBytes(there)} of ${file.path} that are downloaded`);
    const progress: Progress = { handle, there, hash: await hashOf(partial, file, there), etag: null };
    const resumed = there > 0;
    await receiveAll(file, partial, progress, d);
    if (progress.hash.digest("hex") !== file.hash) {
      await truncate(partial, 0);
      if (!resumed) throw wrongContent(file, d, "its hash differs from the listed one; the download is deleted");
      // The partial file of an earlier run may be corrupt.
      d.onNote(`the partial download of ${file.path} is corrupt; downloading it again`);
      Object.assign(progress, { there: 0, hash: newHash(file), etag: null });
      await receiveAll(file, partial, progress, d);
      if (progress.hash.digest("hex") !== file.hash)
        throw wrongContent(file, d, "its hash differs from the listed one; the download is deleted");
    }
    await handle.datasync();
    await handle.close();
    await rename(partial, blob);
  } catch (error) {
    await handle.close().catch(() => {});
    if (error instanceof WrongContentError || (await sizeOf(partial)) === 0) await rm(partial, { force: true });
    throw error;
  }
}

/** The downloaded content differs from the listing. */
class WrongContentError extends FileError {}

const wrongContent = (file: KnownFile, { reference }: Download, what: string) =>
  new WrongContentError(`${reference.id}/${file.path}`, `${what}; a proxy or mirror may have changed it`);

/** SHA-256 of the bytes for large files; git's SHA-1 of a header and the bytes for any other. */
function newHash({ hash, bytes }: KnownFile): Hash {
  return hash.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${bytes}\0`);
}

async function hashOf(partial: string, file: KnownFile, there: number): Promise<Hash> {
  const hash = newHash(file);
  if (there > 0) for await (const chunk of createReadStream(partial, { end: there - 1 })) hash.update(chunk);
  return hash;
}

/** Downloads all bytes, over several connections where necessary. */
async function receiveAll(file: KnownFile, partial: string, progress: Progress, d: Download): Promise<void> {
  d.onBytes(progress.there);
  await withRetries(async () => {
    if (progress.there === file.bytes) return;
    const before = progress.there;
    const response = await d.hub.open(d.reference, d.commit, file.path, rangeOf(progress));
    try {
      await receive(response, file, partial, progress, d);
    } catch (error) {
      await response.cancel();
      if (!(error instanceof TransientError)) throw error;
      throw new TransientError(error.message, { ...error, progressed: progress.there > before });
    }
  }, d.hub.retryPolicy);
}

/** Headers that ask for the remaining bytes of the same version. A weak ETag does not guarantee equal bytes. */
function rangeOf({ there, etag }: Progress): Record<string, string> {
  if (there === 0) return {};
  return { range: `bytes=${there}-`, ...(etag !== null && !etag.startsWith("W/") && { "if-range": etag }) };
}

/** Appends the body of one response. @throws TransientError when it ends early */
async function receive(response: HubResponse, file: KnownFile, partial: string, progress: Progress, d: Download) {
  const { status, headers } = response;
  const [, from, of] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  if (status === 206 && Number(of) !== file.bytes) throw wrongSize(file, d, Number(of));
  if (status !== 206 || Number(from) !== progress.there) {
    // Another version of the file, or a server without ranges: start again.
    await truncate(partial, 0);
    Object.assign(progress, { there: 0, hash: newHash(file) });
    d.onBytes(0);
    if (status !== 200) throw new TransientError("the server does not support ranges");
  }
  const length = headers.get("content-length");
  if (status === 200 && length !== null && Number(length) !== file.bytes) throw wrongSize(file, d, Number(length));
  progress.etag = headers.get("etag");
  for await (const chunk of response.chunks()) {
    d.signal?.throwIfAborted();
    if (progress.there + chunk.length > file.bytes)
      throw wrongSize(file, d, progress.there + chunk.length, "more than ");
    await writeAll(progress.handle, chunk);
    progress.hash.update(chunk);
    progress.there += chunk.length;
    d.onBytes(progress.there);
  }
  if (progress.there < file.bytes) throw new TransientError("the connection ended early");
}

const wrongSize = (file: KnownFile, d: Download, actual: number, more = ""): FileError =>
  wrongContent(file, d, `is listed with ${file.bytes} bytes, but has ${more}${actual}`);
