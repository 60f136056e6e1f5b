import { describe, expect, it } from "vitest";
import { epochs } from "../../src/train/epochs.js";

const epochOf = (pick: (update: number) => readonly number[], epoch: number, batches: number) =>
  Array.from({ length: batches }, (_, b) => pick(epoch * batches + b));

describe("epochs", () => {
  it("shows every example once where batches are full", () => {
    const pick = epochs([[0, 1, 2, 3, 4, 5]], 2, 7);
    const [first, second] = [epochOf(pick, 0, 3), epochOf(pick, 1, 3)];
    for (const epoch of [first, second]) expect(epoch.flat().sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(first).not.toEqual(second);
  });

  it("keeps groups apart, and fills a last batch from its own group", () => {
    const pick = epochs([[0, 1, 2], [10]], 2, 0);
    const batches = epochOf(pick, 0, 3);
    expect(new Set(batches.flat())).toEqual(new Set([0, 1, 2, 10]));
    for (const batch of batches) {
      expect(batch).toHaveLength(2);
      expect(new Set(batch.map((i) => i >= 10)).size).toBe(1);
    }
    expect(batches).toContainEqual([10, 10]);
  });

  it("follows from the update and the seed alone", () => {
    const [a, b] = [epochs([[0, 1, 2, 3, 4]], 2, 1), epochs([[0, 1, 2, 3, 4]], 2, 1)];
    for (let update = 0; update < 9; update++) a(update);
    expect(b(7)).toEqual(a(7));
    expect(a(2)).toEqual(b(2));
    const other = epochs([[0, 1, 2, 3, 4]], 2, 2);
    expect(epochOf(other, 0, 3)).not.toEqual(epochOf(a, 0, 3));
  });

  it("refuses nothing", () => expect(() => epochs([], 2, 0)).toThrow(/no examples/));
});
