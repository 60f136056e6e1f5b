import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bufferWeights } from "../../src/runtime/buffers.js";
import type { StoredBytes } from "../../src/tensor/index.js";

/** Three megabytes in which every place can be told from its neighbours. */
const all = Uint8Array.from({ length: 3e6 }, (_, i) => (i * 31 + (i >> 8)) & 255);

function sourceOf() {
  const reads: [number, number][] = [];
  const read = async (offset: number, length: number) => {
    reads.push([offset, length]);
    return all.slice(offset, offset + length);
  };
  return { reads, source: { name: "weights", size: all.length, read } };
}

describe("weights that are read into buffers", () => {
  it("are each where they were placed, however they lie and overlap", async () => {
    const parts = fc.array(fc.tuple(fc.nat(2.9e6), fc.nat(1e5)), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(parts, async (places) => {
        const { source, reads } = sourceOf();
        const weights = new Map(
          places.map(([offset, length], i): [string, StoredBytes] => [
            `w${i}`,
            { in: "source", source, offset, length },
          ]),
        );
        const { placed, buffers, own } = await bufferWeights(weights);
        for (const [i, [offset, length]] of places.entries()) {
          const at = placed.get(`w${i}`);
          if (!at || !("location" in at)) throw new Error("not placed in a buffer");
          const data = buffers.find((b) => b.path === at.location)?.data.subarray(at.offset, at.offset + at.length);
          expect(Buffer.compare(data ?? Buffer.from("none"), all.subarray(offset, offset + length))).toBe(0);
        }
        expect(own.length).toBe(reads.length);
      }),
      { numRuns: 50 },
    );
  });

  it("are read together where they are near, and what lies far between is not", async () => {
    const { source, reads } = sourceOf();
    const at = (offset: number): StoredBytes => ({ in: "source", source, offset, length: 100 });
    await bufferWeights(new Map([5, 2.5e6, 400, 9e5].map((offset) => [`w${offset}`, at(offset)])));
    expect(reads).toEqual([
      [5, 9e5 + 95],
      [2.5e6, 100],
    ]);
  });
});
