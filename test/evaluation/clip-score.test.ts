import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clipScore, clipScoreChange } from "../../src/evaluation/index.js";

const v = (...values: number[]) => Float32Array.from(values);

describe("CLIP score", () => {
  it("is 100 times the cosine, and 0 where that is negative", () => {
    expect(clipScore(v(3, 4), v(2, 0))).toBeCloseTo(60, 9);
    expect(clipScore(v(1, 0, 0), v(0, 7, 0))).toBeCloseTo(0, 9);
    expect(clipScore(v(1, 2), v(-1, -2))).toBe(0);
  });
});

describe("change of the CLIP score", () => {
  it("is that of the means, in percent", () => {
    // 1.5 times the reference, in each unit alike.
    expect(clipScoreChange([30, 60, 30, 45, 60], [20, 40, 20, 30, 40])).toEqual({
      ...{ mean: expect.closeTo(50, 9), n: 5 },
      ...{ low: expect.closeTo(50, 9), high: expect.closeTo(50, 9) },
    });
    expect(clipScoreChange([30, 60], [20, 40])).toEqual({ mean: 50, low: null, high: null, n: 2 });
    // Single ratios would be 3 and 0.75, their mean 1.875.
    expect(clipScoreChange([30, 30], [10, 40])?.mean).toBeCloseTo(20, 9);
  });

  it("stands a reference score of 0 among others, by which a single ratio would be infinite", () => {
    expect(clipScoreChange([30, 30], [0, 40])?.mean).toBeCloseTo(50, 9);
  });

  it("is nothing where the reference does not show the text, or is empty", () => {
    expect(clipScoreChange([30], [9])).toBeNull();
    expect(clipScoreChange([], [])).toBeNull();
  });

  it("is finite for every score that CLIP can give", () => {
    const score = fc.double({ min: 0, max: 100, noNaN: true });
    const scores = fc.array(fc.tuple(score, score), {
      minLength: 1,
    });
    fc.assert(
      fc.property(scores, (pairs) => {
        const change = clipScoreChange(
          pairs.map(([a]) => a),
          pairs.map(([, b]) => b),
        );
        if (change) expect(Number.isFinite(change.mean)).toBe(true);
      }),
    );
  });
});
