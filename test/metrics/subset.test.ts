import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bestSubset, exactSubset, subsetValue, swappedSubset, uniform } from "../../src/metrics/index.js";

/** All subsets of k of the indices 0 … n − 1. */
function subsets(n: number, k: number, from = 0): number[][] {
  if (k === 0) return [[]];
  return Array.from({ length: n - from }, (_, i) => from + i).flatMap((i) =>
    subsets(n, k - 1, i + 1).map((rest) => [i, ...rest]),
  );
}

/** Distances of random points in the plane, and random gains. */
function instance(seed: number, n: number) {
  const random = uniform(seed);
  const points = Array.from({ length: n }, () => [random(), random()] as const);
  const distances = points.map(([x, y]) => points.map(([a, b]) => Math.hypot(x - a, y - b)));
  return { distances, gains: points.map(() => random() - 0.5) };
}

const bruteForce = (k: number, gains: readonly number[], distances: readonly (readonly number[])[]): number =>
  Math.max(...subsets(gains.length, k).map((s) => subsetValue(s, gains, distances)));

describe("the best subset", () => {
  it("by hand: the ends of a line, and a nearer item that fits better", () => {
    // Items at 0, 1, 2, 10 on a line: d(0, 10) = 10 is the largest distance.
    const places = [0, 1, 2, 10];
    const distances = places.map((a) => places.map((b) => Math.abs(a - b)));
    expect(bestSubset(2, [0, 0, 0, 0], distances)).toEqual([0, 3]);
    // 9 + 2 of items 1 and 3 is more than 10.
    expect(bestSubset(2, [0, 2, 0, 0], distances)).toEqual([1, 3]);
    // On a line any item between the ends adds the same, so that the gain decides.
    expect(bestSubset(3, [0, 0, 1, 0], distances)).toEqual([0, 2, 3]);
    expect(subsetValue([0, 1, 3], [1, 2, 4, 8], distances)).toBe(1 + 2 + 8 + 1 + 10 + 9);
    expect(bestSubset(1, [3, 5, 4, 1], distances)).toEqual([1]);
    expect(bestSubset(4, [0, 0, 0, 0], distances)).toEqual([0, 1, 2, 3]);
    expect(() => bestSubset(5, [0, 0, 0, 0], distances)).toThrow(RangeError);
  });

  it("has the value that all subsets together have at most, exactly", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 4, max: 10 }), fc.integer({ min: 1, max: 6 }), (seed, n, most) => {
        const k = Math.min(most, n);
        const { gains, distances } = instance(seed, n);
        const found = exactSubset(
          k,
          gains,
          distances,
          Array.from({ length: k }, (_, i) => n - 1 - i),
        );
        expect(new Set(found).size).toBe(k);
        expect(subsetValue(found, gains, distances)).toBeCloseTo(bruteForce(k, gains, distances), 9);
        expect(subsetValue(bestSubset(k, gains, distances), gains, distances)).toBeCloseTo(
          bruteForce(k, gains, distances),
          9,
        );
      }),
      { numRuns: 60 },
    );
  });

  it("of greedy search with swaps is within 2 % of all subsets, and mostly equal to the best", () => {
    const cases = Array.from({ length: 40 }, (_, seed) => {
      const { gains, distances } = instance(seed, 12);
      const found = swappedSubset(5, gains, distances);
      expect(found).toHaveLength(5);
      return subsetValue(found, gains, distances) / bruteForce(5, gains, distances);
    });
    expect(Math.min(...cases)).toBeGreaterThan(0.98);
    expect(Math.max(...cases)).toBeLessThanOrEqual(1 + 1e-9);
    expect(cases.filter((share) => share > 1 - 1e-9).length).toBeGreaterThan(30);
  });

  it("of many items takes milliseconds", () => {
    const { gains, distances } = instance(7, 128);
    const start = performance.now();
    expect(bestSubset(16, gains, distances)).toHaveLength(16);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
