import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketFor, bucketsOf, covering, enlargement, mirrored } from "../../src/train/buckets.js";

const square = { width: 1024, height: 1024 };

describe("bucketsOf", () => {
  it("lists sizes in steps of a sixteenth, of at most the area", () => {
    const buckets = bucketsOf(square, 8);
    expect(buckets).toContainEqual(square);
    // 1024² / 1152 = 910.2, down to a multiple of 64.
    expect(buckets).toContainEqual({ width: 1152, height: 896 });
    expect(buckets[0]).toEqual({ width: 512, height: 2048 });
    expect(buckets.at(-1)).toEqual({ width: 2048, height: 512 });
  });

  it("has multiples of the model's step, and areas near the asked one", () => {
    const side = fc.integer({ min: 8, max: 128 }).map((n) => 8 * n);
    fc.assert(
      fc.property(side, side, (width, height) => {
        for (const b of bucketsOf({ width, height }, 8)) {
          expect([b.width % 8, b.height % 8]).toEqual([0, 0]);
          expect(b.width * b.height).toBeLessThanOrEqual(width * height);
        }
        expect(bucketsOf({ width, height }, 8).length).toBeGreaterThan(0);
      }),
    );
  });
});

describe("bucketFor", () => {
  it("takes the nearest aspect ratio", () => {
    const buckets = bucketsOf(square, 8);
    expect(bucketFor({ width: 300, height: 300 }, buckets)).toEqual(square);
    // 3 : 2 is 1.5; 1216 / 832 = 1.46 and 1280 / 768 = 1.67.
    expect(bucketFor({ width: 3000, height: 2000 }, buckets)).toEqual({ width: 1216, height: 832 });
    expect(bucketFor({ width: 2000, height: 3000 }, buckets)).toEqual({ width: 832, height: 1216 });
  });
});

/** An image whose red is x and whose green is y. */
const grid = (width: number, height: number) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const p = Math.floor(i / 3);
    return [p % width, Math.floor(p / width), 0][i % 3] ?? 0;
  }),
});

describe("covering", () => {
  it("crops the centre of an image of the right height", () => {
    const { width, height, data } = covering(grid(10, 4), { width: 6, height: 4 });
    expect([width, height]).toEqual([6, 4]);
    expect([...data.subarray(0, 6)]).toEqual([2, 0, 0, 3, 0, 0]);
    expect([...data.subarray(-3)]).toEqual([7, 3, 0]);
  });

  it("enlarges by the side that lacks more", () => {
    expect(enlargement({ width: 10, height: 4 }, { width: 20, height: 16 })).toBe(4);
    expect(covering(grid(10, 4), { width: 20, height: 16 }).data).toHaveLength(3 * 20 * 16);
  });
});

it("mirrored exchanges left and right, and is its own inverse", () => {
  const image = grid(5, 3);
  expect([...mirrored(image).data.subarray(0, 6)]).toEqual([4, 0, 0, 3, 0, 0]);
  expect(mirrored(mirrored(image))).toEqual(image);
});
