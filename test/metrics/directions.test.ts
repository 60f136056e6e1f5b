import { describe, expect, it } from "vitest";
import { eigenvalues } from "../../src/linalg/index.js";
import {
  coordinates,
  correlationRatio,
  principalDirections,
  totalVariance,
  variance,
} from "../../src/metrics/index.js";
import { centred, createRng, matrix, product, rowsOf, transpose } from "../../src/tensor/index.js";

/** Samples [n] of independent normal values with the given standard deviations, [d]. */
const samples = (n: number, deviations: readonly number[]): Float32Array[] => {
  const rng = createRng(7);
  return Array.from({ length: n }, () => rng.randn([deviations.length]).data.map((v, k) => v * (deviations[k] ?? 0)));
};

describe("principal directions", () => {
  it.each([
    ["fewer samples than values", 9, [3, 2, 1, ...Array(20).fill(0.1)]],
    ["more samples than values", 60, [3, 2, 1, 0.1]],
  ])(
    "with %s have the variances of the covariance's eigenvalues, and are orthogonal unit vectors",
    (_, n, deviations) => {
      const features = samples(n, deviations);
      const found = principalDirections(features, 3);
      const c = centred(rowsOf(features));
      const expected = eigenvalues(product(transpose(c), transpose(c)))
        .toReversed()
        .slice(0, 3)
        .map((v) => v / (n - 1));
      expect(coordinates(features, found).map(variance)).toEqual(expected.map((v) => expect.closeTo(v, 6)));
      const gram = product(found.vectors, found.vectors);
      expect([...gram.data]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1].map((v) => expect.closeTo(v, 9)));
    },
  );

  it("point along the values that vary most, with the largest entry positive", () => {
    const { vectors } = principalDirections(samples(400, [0.1, 5, 1]), 2);
    expect(vectors.data[1]).toBeGreaterThan(0.99);
    expect(vectors.data[5]).toBeGreaterThan(0.98);
  });

  it("are as many as the features vary along", () => {
    const line = [-1, 0, 2].map((t) => Float32Array.of(t, 2 * t, 0));
    const { vectors } = principalDirections(line, 3);
    expect([vectors.rows, ...vectors.data]).toEqual(
      [1, Math.sqrt(0.2), Math.sqrt(0.8), 0].map((v) => expect.closeTo(v, 7)),
    );
    expect(principalDirections([Float32Array.of(1, 1), Float32Array.of(1, 1)], 2).vectors).toEqual(matrix(0, 2));
  });

  it("take apart all of the variance", () => {
    const features = samples(30, [2, 1, 1]);
    const parts = coordinates(features, principalDirections(features, 3)).map(variance);
    expect(parts.reduce((a, b) => a + b)).toBeCloseTo(totalVariance(features), 6);
  });
});

it("the correlation ratio is the share of variance between groups", () => {
  expect(correlationRatio([0, 0, 1, 1], ["a", "a", "b", "b"])).toBe(1);
  expect(correlationRatio([0, 1, 0, 1], ["a", "a", "b", "b"])).toBe(0);
  // Group means 1 and 4, whole mean 2.5: 4 · 1.5² = 9 of 9 + 2 · (1 + 1).
  expect(correlationRatio([0, 2, 3, 5], ["a", "a", "b", "b"])).toBeCloseTo(9 / 13, 12);
  expect(correlationRatio([1, 1], ["a", "b"])).toBeNaN();
});
