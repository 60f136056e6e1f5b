/**
 * Downloads that are kept on this device, in the origin's private file system: listed, cleared, and there without a network. A download is a
 * Blob, whose bytes stay on the disk until they are read.
 */
import { MachineError } from "../errors.js";
import { formatBytes } from "../tensor/index.js";

/** A download that is kept. */
export interface StoredDownload {
  readonly url: string;
  readonly bytes: number;
}

const FOLDER = "variegate";
/** Largest download in bytes that is held in memory where it cannot be kept. */
const IN_MEMORY = 256e6;

/** The folder of downloads; null in browsers and pages without one, such as plain HTTP. */
async function folder(): Promise<FileSystemDirectoryHandle | null> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  } catch {
    return null;
  }
}

/** File name of an address: its SHA-256 in hexadecimal. */
async function nameOf(url: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url));
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function fileIn(dir: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  try {
    return await (await dir.getFileHandle(name)).getFile();
  } catch {
    return null;
  }
}

/** A kept download; null where there is none. */
export async function kept(url: string): Promise<Blob | null> {
  const dir = await folder();
  // The note is written last: a file without one is not whole.
  const name = dir && (await nameOf(url));
  return dir && name !== null && (await fileIn(dir, `${name}.json`)) ? fileIn(dir, name) : null;
}

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Keeps a download. Up to 256 MB are held in memory where they cannot be kept.
 * @param size bytes; null where the server did not say
 * @throws MachineError when there is no space for a larger one
 */
export async function keep(url: string, body: ReadableStream<Bytes>, size: number | null): Promise<Blob> {
  const dir = await folder();
  const isLarge = dir !== null && size !== null && size > IN_MEMORY;
  if (isLarge) await mustHaveSpace(url, size);
  const reader = body.getReader();
  const head = await read(reader, isLarge ? 0 : dir ? IN_MEMORY : Number.POSITIVE_INFINITY);
  if (!dir) return head.bytes;
  try {
    return await write(dir, url, head.bytes, head.isWhole ? null : reader);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (head.isWhole) return head.bytes;
    await reader.cancel();
    throw full(url, size, error.cause);
  }
}

/** Reads more than so many bytes, or all. */
async function read(reader: ReadableStreamDefaultReader<Bytes>, most: number) {
  const parts: Bytes[] = [];
  let length = 0;
  while (length <= most && most > 0) {
    const { value } = await reader.read();
    if (!value) return { bytes: new Blob(parts), isWhole: true };
    parts.push(value);
    length += value.length;
  }
  return { bytes: new Blob(parts), isWhole: false };
}

/** The browser could not write: its storage is full, in most cases. Chromium names that AbortError, others QuotaExceededError. */
class StorageError extends Error {}

const stored = <T>(writing: Promise<T>): Promise<T> =>
  writing.catch((cause: unknown) => {
    throw new StorageError("", { cause });
  });

/** Writes a file and then its note, or nothing. */
async function write(
  dir: FileSystemDirectoryHandle,
  url: string,
  head: Blob,
  rest: ReadableStreamDefaultReader<Bytes> | null,
): Promise<File> {
  const name = await nameOf(url);
  let writable: FileSystemWritableFileStream | undefined;
  try {
    const handle = await stored(dir.getFileHandle(name, { create: true }));
    writable = await stored(handle.createWritable());
    await stored(writable.write(head));
    for (let part = await rest?.read(); part?.value; part = await rest?.read())
      await stored(writable.write(part.value));
    await stored(writable.close());
    const file = await stored(handle.getFile());
    const noted = await stored(dir.getFileHandle(`${name}.json`, { create: true }));
    const note = await stored(noted.createWritable());
    await stored(note.write(JSON.stringify({ url, bytes: file.size } satisfies StoredDownload)));
    await stored(note.close());
    return file;
  } catch (error) {
    await writable?.abort().catch(() => {});
    for (const file of [`${name}.json`, name]) await dir.removeEntry(file).catch(() => {});
    throw error;
  }
}

/** Some browsers tell what is free, some a fixed number: then only writing shows it. */
async function mustHaveSpace(url: string, size: number): Promise<void> {
  const { quota = size, usage = 0 } = await navigator.storage.estimate();
  if (quota - usage < size) throw full(url, size, null);
}

function full(url: string, size: number | null, cause: unknown): MachineError {
  const needs = size === null ? `more than ${formatBytes(IN_MEMORY)}` : formatBytes(size);
  return new MachineError(
    `the browser's storage has no space for ${url}, which needs ${needs}\nclear earlier downloads, or free space on the disk`,
    { cause },
  );
}

/** Downloads that are kept on this device. */
export async function listDownloads(): Promise<StoredDownload[]> {
  const dir = await folder();
  const found: StoredDownload[] = [];
  if (!dir) return found;
  for await (const name of dir.keys()) {
    const note = name.endsWith(".json") ? await fileIn(dir, name) : null;
    if (note) found.push(JSON.parse(await note.text()));
  }
  return found.sort((a, b) => (a.url < b.url ? -1 : 1));
}

/**
 * Removes kept downloads. Models that are open need them no longer once their networks are loaded; open them again otherwise.
 * @param url one of `listDownloads`; default: all
 * @returns freed bytes
 */
export async function clearDownloads(url?: string): Promise<number> {
  const dir = await folder();
  let freed = 0;
  for (const download of dir ? await listDownloads() : []) {
    if (url !== undefined && download.url !== url) continue;
    const name = await nameOf(download.url);
    for (const file of [`${name}.json`, name]) await dir?.removeEntry(file).catch(() => {});
    freed += download.bytes;
  }
  return freed;
}
