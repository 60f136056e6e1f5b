/** Reads and writes all bytes of an open file, in as many calls as the system needs. */

/**
 * Bytes of one call. Node takes a length of at most 2^31 − 1, and Linux moves at most 2,147,479,552 bytes a call; a nearly full disk or
 * a network file system may move fewer.
 */
const LARGEST = 2 ** 30;

/** The part of Node's FileHandle that writing needs. */
export interface WritableHandle {
  write(bytes: Uint8Array): Promise<{ readonly bytesWritten: number }>;
}

/** The part of Node's FileHandle that reading needs. */
export interface ReadableHandle {
  read(bytes: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
}

/** Writes all of `bytes` at the handle's position. @throws the system's error; EIO when a call writes nothing */
export async function writeAll(handle: WritableHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes.subarray(at, at + LARGEST));
    if (bytesWritten === 0) throw Object.assign(new Error(`${at} of ${bytes.length} bytes written`), { code: "EIO" });
    at += bytesWritten;
  }
}

/** Fills `bytes` from a position in the file. Returns the number of bytes read, which is smaller only where the file ends. */
export async function readAll(handle: ReadableHandle, bytes: Uint8Array, position: number): Promise<number> {
  let at = 0;
  while (at < bytes.length) {
    const part = bytes.subarray(at, at + LARGEST);
    const { bytesRead } = await handle.read(part, 0, part.length, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}
