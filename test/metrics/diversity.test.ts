import { describe, expect, it } from "vitest";
import {
  cosineDistance,
  distancePerPrompt,
  meanEstimate,
  pairwise,
  pairwiseDistance,
  ratioEstimate,
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
    expect([low, high, n]).toEqual([null, null, 5]);
  });

  it("has the same interval whether a prompt's images are given or its distance", () => {
    const [x, y, z] = [v(1, 0), v(0, 1), v(-1, 0)];
    // Distances of the prompts: 1, 2, 1, 2, 4/3.
    const e = pairwiseDistance([
      [x, y],
      [x, z],
      [y, z],
      [z, x],
      [x, y, z],
    ]);
    const { mean, low, high } = meanEstimate([[1], [2], [1], [2], [4 / 3]]);
    expect([e.mean, e.low, e.high]).toEqual([mean, low, high].map((x) => expect.closeTo(x ?? 0, 9)));
    expect(e.n).toBe(11);
  });

  it("weighs prompts equally, whatever their number of images", () => {
    const { mean, n } = meanEstimate([[1, 2, 3], [], [6]]);
    expect([mean, n]).toEqual([4, 4]);
  });
});

describe("ratios over the same prompts", () => {
  it("keep prompts together", () => {
    // Every prompt keeps exactly half, though prompts differ: no interval around it.
    const e = ratioEstimate([1, 2, 5, 3, 2], [2, 4, 10, 6, 4]);
    expect(e).toEqual({ mean: 0.5, low: expect.closeTo(0.5, 12), high: expect.closeTo(0.5, 12), n: 5 });
    expect(ratioEstimate([1, Number.NaN], [2, 4])).toEqual({ mean: 0.5, low: null, high: null, n: 1 });
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
