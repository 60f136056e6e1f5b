import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ReadableHandle, readAll, type WritableHandle, writeAll } from "../../src/files/index.js";

const bytes = fc.uint8Array({ maxLength: 300 });
/** Bytes that the nth call moves at most; what a disk, a socket or a network file system may do. */
const limits = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 10 });

/** More than Node and Linux move in one call. Memory that is never touched is never taken. */
const LARGE = 2 ** 31 + 3;
const mustBeTaken = (length: number) => expect(length).toBeLessThanOrEqual(2_147_479_552);

function cyclic(values: readonly number[]): () => number {
  let call = 0;
  return () => values[call++ % values.length] ?? 1;
}

describe("writeAll", () => {
  it("writes everything however little each call takes", async () => {
    await fc.assert(
      fc.asyncProperty(bytes, limits, async (all, each) => {
        const next = cyclic(each);
        const written: number[] = [];
        const handle: WritableHandle = {
          write: async (part) => {
            const taken = part.subarray(0, next());
            written.push(...taken);
            return { bytesWritten: taken.length };
          },
        };
        await writeAll(handle, all);
        expect(written).toEqual([...all]);
      }),
    );
  });

  it("fails, rather than trying forever, where nothing is taken", async () => {
    await expect(writeAll({ write: async () => ({ bytesWritten: 0 }) }, Uint8Array.of(1))).rejects.toMatchObject({
      code: "EIO",
    });
  });

  it("splits what is larger than one call can take", async () => {
    const ends: number[] = [];
    await writeAll(
      {
        write: async (part) => {
          mustBeTaken(part.length);
          // The first call takes five bytes less than it could.
          const taken = ends.length === 0 ? part.length - 5 : part.length;
          expect(part.byteOffset).toBe(ends.at(-1) ?? 0);
          ends.push(part.byteOffset + taken);
          return { bytesWritten: taken };
        },
      },
      new Uint8Array(LARGE),
    );
    expect(ends.at(-1)).toBe(LARGE);
  });
});

describe("readAll", () => {
  it("reads everything from a position however little each call gives, and says where the file ends", async () => {
    await fc.assert(
      fc.asyncProperty(bytes, limits, fc.nat(320), fc.nat(320), async (file, each, position, length) => {
        const next = cyclic(each);
        const handle: ReadableHandle = {
          read: async (into, offset, most, from) => {
            const part = file.subarray(from, from + Math.min(most, next()));
            into.set(part, offset);
            return { bytesRead: part.length };
          },
        };
        const found = new Uint8Array(length);
        const n = await readAll(handle, found, position);
        const expected = file.subarray(position, position + length);
        expect(n).toBe(expected.length);
        expect([...found.subarray(0, n)]).toEqual([...expected]);
      }),
    );
  });

  it("splits what is larger than one call can give", async () => {
    const ends: number[] = [];
    const handle: ReadableHandle = {
      read: async (into, offset, length, position) => {
        mustBeTaken(length);
        expect(into.byteOffset + offset).toBe(ends.at(-1) ?? 0);
        expect(position).toBe(100 + into.byteOffset + offset);
        const given = ends.length === 0 ? length - 5 : length;
        ends.push(into.byteOffset + offset + given);
        return { bytesRead: given };
      },
    };
    expect(await readAll(handle, new Uint8Array(LARGE), 100)).toBe(LARGE);
  });
});
