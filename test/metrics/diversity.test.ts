import { describe, expect, it } from "vitest";
import {
  cosineDistance,
  distancePerPrompt,
  distanceShare,
  meanEstimate,
  pairwise,
  pairwiseDistance,
  ratioEstimate,
  uniform,
} from "../../src/metrics/index.js";

const v = (...values: number[]) => Float32Array.from(values);

describe("diversity", () => {
  it("cosine distance does not see length", () => {
    expect(cosineDistance(v(1, 0), v(0, 2))).toBeCloseTo(1, 12);
    expect(cosineDistance(v(1, 1), v(3, 3))).toBeCloseTo(0, 12);
    expect(cosineDistance(v(1, 0), v(-5, 0))).toBeCloseTo(2, 12);
    expect(pairwise([v(1, 0), v(0, 1), v(1, 1)])[2]?.[0]).toBeCloseTo(1 - Math.SQRT1_2, 6);
  });

  it("takes the mean over pairs, then over prompts", () => {
    // prompt 1: right angles, three pairs of distance 1; prompt 2: opposite, one pair of 2
    const { mean, low, high, n } = pairwiseDistance([
      [v(1, 0, 0), v(0, 1, 0), v(0, 0, 1)],
      [v(1, 0, 0), v(-1, 0, 0)],
    ]);
    expect(mean).toBeCloseTo(1.5, 9);
    expect(n).toBe(5);
    expect(low).toBeCloseTo(1, 9);
    expect(high).toBeCloseTo(2, 9);
  });

  it("does not count a picture that was drawn twice as a pair without distance", () => {
    // All pairs are 1 apart, so every resample must give 1.
    const e = pairwiseDistance([[v(1, 0, 0), v(0, 1, 0), v(0, 0, 1)]]);
    expect([e.mean, e.low, e.high]).toEqual([1, 1, 1].map((x) => expect.closeTo(x, 9)));
  });

  it("has no interval where there is nothing to resample", () => {
    expect(pairwiseDistance([[v(1, 0)]])).toMatchObject({ low: null, high: null });
  });

  it("gives the same interval every time, around the mean", () => {
    const values = [
      [1, 2, 3, 4],
      [2, 3, 4, 5],
    ];
    const [a, b] = [meanEstimate(values), meanEstimate(values)];
    expect(a).toEqual(b);
    expect(a.mean).toBe(3);
    expect(a.low ?? 9).toBeLessThan(3);
    expect(a.high ?? 0).toBeGreaterThan(3);
  });
});

describe("ratios over the same prompts", () => {
  it("keep prompts together", () => {
    // Every prompt keeps exactly half, though prompts differ: no interval around it.
    const e = ratioEstimate([1, 2, 5], [2, 4, 10]);
    expect(e).toEqual({ mean: 0.5, low: 0.5, high: 0.5, n: 3 });
    expect(ratioEstimate([1], [2])).toMatchObject({ mean: 0.5, low: null });
    const wide = ratioEstimate([1, 3], [2, 2]);
    expect([wide.mean, wide.low, wide.high]).toEqual([1, 0.5, 1.5]);
  });

  it("come from the mean distance of each prompt", () => {
    const [x, y, z] = [Float32Array.of(1, 0), Float32Array.of(0, 1), Float32Array.of(-1, 0)];
    expect(
      distancePerPrompt([
        [x, y, z],
        [x, x],
      ]),
    ).toEqual([expect.closeTo(4 / 3), 0]);
  });
});

describe("distanceShare", () => {
  /** Distances of `n` images at these places on a line. */
  const line = (...places: number[]) => places.map((a) => places.map((b) => Math.abs(a - b)));

  it("is the ratio of the mean distances over prompts", () => {
    // Means: (2 + 6) / 2 = 4 of (4 + 4) / 2 = 4, and 2 of 4.
    expect(distanceShare([line(0, 2), line(0, 6)], [line(0, 4), line(0, 4)]).mean).toBeCloseTo(1, 9);
    expect(distanceShare([line(0, 2)], [line(0, 4)])).toEqual({ mean: 0.5, low: null, high: null, n: 1 });
  });

  it("pairs the images: a constant ratio has no spread", () => {
    const of = [line(0, 1, 3, 9), line(0, 5, 6, 8)];
    const twice = of.map((d) => d.map((row) => row.map((v) => 2 * v)));
    const { mean, low, high, n } = distanceShare(of, twice);
    expect([mean, low, high].map((v) => Number(v?.toFixed(9)))).toEqual([0.5, 0.5, 0.5]);
    expect(n).toBe(2);
  });

  it("has an interval around 1 for two samples of one distribution, and away from 1 for a narrower one", () => {
    const random = uniform(3);
    const sample = (width: number) => line(...Array.from({ length: 8 }, () => width * random()));
    const prompts = (width: number) => Array.from({ length: 6 }, () => sample(width));
    const same = distanceShare(prompts(1), prompts(1));
    expect(same.low).toBeLessThan(1);
    expect(same.high).toBeGreaterThan(1);
    expect(distanceShare(prompts(0.3), prompts(1)).high).toBeLessThan(0.7);
  });

  it("skips prompts with one image", () => {
    expect(distanceShare([line(0), line(0, 3)], [line(0), line(0, 6)])).toMatchObject({ mean: 0.5, n: 1 });
    expect(distanceShare([line(0)], [line(0)]).mean).toBeNaN();
  });
});
