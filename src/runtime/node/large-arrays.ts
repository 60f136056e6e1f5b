/** Large arrays of messages between processes. They go through files in memory that both have open, since a pipe copies each several times. */
import { ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import path from "node:path";

/** Bytes from which an array leaves its message. */
const LEAST = 2 ** 20;
/** Bytes of a file that stay allocated while no message is under way. */
const KEPT = 2 ** 26;
/** Most bytes of one call of the system. */
const MOST = 2 ** 30;
/** Where Linux has files in memory. */
const FOLDER = "/dev/shm";

const ARRAYS = { Uint8Array, Float32Array, Float64Array, BigInt64Array } as const;

/** An array in the file, in its place in a message. */
interface Placed {
  readonly placed: keyof typeof ARRAYS;
  readonly at: number;
  readonly bytes: number;
}

/** A file without a name, which ends with the processes that have it open; null where the system has none in memory. */
export function openInMemory(): number | null {
  try {
    const folder = mkdtempSync(path.join(FOLDER, "variegate-"));
    try {
      return openSync(path.join(folder, "arrays"), "wx+", 0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  } catch {
    return null;
  }
}

/** Puts the arrays of messages into a file, from its beginning again when all of them were read. */
export interface Outbox {
  /** The message to send. Arrays for which there is no space stay in it. */
  put(id: number, message: unknown): unknown;
  /** Says that the receiver has read these messages. */
  read(ids: readonly number[]): void;
}

/** Outbox in an open file; without one, messages keep their arrays. */
export function openOutbox(file: number | null): Outbox {
  let end = 0;
  const underWay = new Set<number>();
  return {
    put: (id, message) =>
      file === null
        ? message
        : replaced(message, (value) => {
            const name = nameOf(value);
            if (!ArrayBuffer.isView(value) || name === null || value.byteLength < LEAST) return undefined;
            const { buffer, byteOffset, byteLength } = value;
            try {
              writeAll(file, new Uint8Array(buffer, byteOffset, byteLength), end);
            } catch {
              return value;
            }
            const placed: Placed = { placed: name, at: end, bytes: byteLength };
            end += byteLength;
            underWay.add(id);
            return placed;
          }),
    read(ids) {
      for (const id of ids) underWay.delete(id);
      if (file === null || underWay.size > 0) return;
      if (end > KEPT) ftruncateSync(file, KEPT);
      end = 0;
    },
  };
}

/** A received message with its arrays. */
export const take = (file: number | null, message: unknown): unknown =>
  file === null
    ? message
    : replaced(message, (value) => {
        if (!isPlaced(value)) return undefined;
        const bytes = new Uint8Array(value.bytes);
        readAll(file, bytes, value.at);
        return new ARRAYS[value.placed](bytes.buffer);
      });

const nameOf = (value: object): Placed["placed"] | null =>
  Object.keys(ARRAYS)
    .filter((name): name is Placed["placed"] => name in ARRAYS)
    .find((name) => value instanceof ARRAYS[name]) ?? null;

const isPlaced = (value: object): value is Placed =>
  "placed" in value && typeof value.placed === "string" && value.placed in ARRAYS;

/** A copy of plain data in which `change` replaces the values for which it returns one. */
function replaced(value: unknown, change: (value: object) => unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const changed = change(value);
  if (changed !== undefined) return changed;
  if (Array.isArray(value)) return value.map((item) => replaced(item, change));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, change)]));
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, Math.min(MOST, bytes.length - done), at + done);
  }
}

/** @throws RangeError when the file ends before */
function readAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(file, bytes, done, Math.min(MOST, bytes.length - done), at + done);
    if (read === 0) throw new RangeError(`an array of a message ends ${bytes.length - done} bytes early`);
    done += read;
  }
}
