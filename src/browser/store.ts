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

/**
 * Keeps a download of a known size. Small ones are held in memory where they cannot be kept.
 * @param size bytes; null where the server did not say
 * @throws MachineError when there is no space for it
 */
export async function keep(
  url: string,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  size: number | null,
): Promise<Blob> {
  const dir = await folder();
  const isSmall = size !== null && size <= IN_MEMORY;
  if (!dir || !(await hasSpace(size))) {
    if (dir && !isSmall) throw await full(url, size);
    return inMemory(body);
  }
  const name = await nameOf(url);
  const handle = await dir.getFileHandle(name, { create: true });
  try {
    await body.pipeTo(await handle.createWritable());
    const file = await handle.getFile();
    const note = await (await dir.getFileHandle(`${name}.json`, { create: true })).createWritable();
    await note.write(JSON.stringify({ url, bytes: file.size } satisfies StoredDownload));
    await note.close();
    return file;
  } catch (error) {
    for (const file of [`${name}.json`, name]) await dir.removeEntry(file).catch(() => {});
    if (error instanceof DOMException && error.name === "QuotaExceededError") throw await full(url, size);
    throw error;
  }
}

async function inMemory(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  await body.pipeTo(
    new WritableStream({
      write(part) {
        parts.push(part);
      },
    }),
  );
  return new Blob(parts);
}

async function hasSpace(size: number | null): Promise<boolean> {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  return quota - usage > (size ?? 0);
}

async function full(url: string, size: number | null): Promise<MachineError> {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  const needs = size === null ? "more" : formatBytes(size);
  return new MachineError(
    `the browser's storage is full: ${url} needs ${needs}, ${formatBytes(Math.max(0, quota - usage))} are free; clear earlier downloads, or free space on the disk`,
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
