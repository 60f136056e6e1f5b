/** SHA-256 of files, kept by path, size and times: in memory, and for large files in the cache folder. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { cacheFolder } from "./cache-folder.js";
import { explained } from "./explain.js";
import { writeWhole } from "./write.js";

/** Smaller files are read again by the next process: 64 MiB take a fifth of a second. */
const CACHED_FROM = 64 * 1024 ** 2;
/** Hashes of files that this process has read, the latest last. */
const read = new Map<string, string>();
const MOST_READ = 1_000;
/** A blob of the Hub's cache is named by its content: by SHA-256 where it is stored in Git LFS, as weights are. */
const BLOB = /[\\/]models--[^\\/]+[\\/]blobs[\\/]([0-9a-f]{64})$/;

/**
 * SHA-256 of a file from byte `start` on, in hexadecimal. Links are followed.
 * @param start default 0, the whole file
 * @throws FileError when the file cannot be read; `signal.reason` when aborted
 */
export async function hashFile(file: string, start = 0, signal?: AbortSignal): Promise<string> {
  try {
    const place = await realpath(file);
    const known = start === 0 ? BLOB.exec(place)?.[1] : undefined;
    if (known !== undefined) return known;
    const { size, mtimeMs } = await stat(place);
    if (size < CACHED_FROM) return await rememberedHash(place, start, signal);
    const key = createHash("sha256").update(JSON.stringify([place, size, mtimeMs, start]));
    const cached = path.join(cacheFolder(), "hashes", key.digest("hex").slice(0, 32));
    const found = await readFile(cached, "utf8").catch(() => "");
    if (/^[0-9a-f]{64}$/.test(found)) return found;
    const hash = await hashOf(place, start, signal);
    // Without a writable cache the file is hashed again next time.
    await mkdir(path.dirname(cached), { recursive: true })
      .then(() => writeWhole(cached, Buffer.from(hash)))
      .catch(() => {});
    return hash;
  } catch (error) {
    throw explained(error, file, "cannot be read", "check the path and its permissions");
  }
}

/** Hash of a file that is read once, until it changes: a server names the same files in every run. */
async function rememberedHash(file: string, start: number, signal: AbortSignal | undefined): Promise<string> {
  const { size, ino, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  const key = [file, start, size, ino, mtimeNs, ctimeNs].join("\0");
  const hash = read.get(key) ?? (await hashOf(file, start, signal));
  read.delete(key);
  read.set(key, hash);
  for (const oldest of read.keys()) {
    if (read.size <= MOST_READ) break;
    read.delete(oldest);
  }
  return hash;
}

async function hashOf(file: string, start: number, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  const stream = createReadStream(file, { start, highWaterMark: 1024 ** 2, ...(signal && { signal }) });
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}
