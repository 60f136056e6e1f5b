/** Principal directions of features, and the variance of other features along them. */
import { eigenvectors } from "../linalg/index.js";
import { centred, type Matrix, matrix, meanRow, product, rowsOf, transpose } from "../tensor/index.js";

/** Principal directions of features [n][d]. */
export interface Directions {
  /** Mean of the features, [d]. */
  readonly mean: Float64Array;
  /** Orthogonal unit vectors, by falling variance, as the rows of a matrix [k, d]. */
  readonly vectors: Matrix;
}

/**
 * First `count` principal directions of features [n][d]; fewer where the features vary along fewer. The entry of largest magnitude of each
 * is positive, so that a direction does not depend on the eigenvector's sign.
 * @throws RangeError when both n and d exceed 512
 */
export function principalDirections(features: readonly Float32Array[], count: number): Directions {
  const x = rowsOf(features);
  const mean = meanRow(x);
  const c = centred(x);
  // The eigenvectors of xᵀx follow from those of x xᵀ, which is smaller where there are fewer samples than values.
  const tall = c.rows > c.columns;
  const sides = tall ? transpose(c) : c;
  const { values, vectors } = eigenvectors(product(sides, sides));
  const least = (values[0] ?? 0) * 1e-9;
  const kept = values.slice(0, count).filter((v) => v > least).length;
  const found = matrix(kept, x.columns);
  for (let i = 0; i < kept; i++) {
    const v = vectors.data.subarray(i * vectors.columns, (i + 1) * vectors.columns);
    found.data.set(
      signed(unit(tall ? v : product(matrix(1, c.rows, Float64Array.from(v)), transpose(c)).data)),
      i * x.columns,
    );
  }
  return { mean, vectors: found };
}

/** Coordinates of features [n][d] along directions: [k][n]. */
export function coordinates(features: readonly Float32Array[], { mean, vectors }: Directions): number[][] {
  const x = rowsOf(features);
  const shifted = matrix(
    x.rows,
    x.columns,
    x.data.map((v, i) => v - (mean[i % x.columns] ?? 0)),
  );
  const all = product(vectors, shifted);
  return Array.from({ length: vectors.rows }, (_, i) => [...all.data.subarray(i * all.columns, (i + 1) * all.columns)]);
}

/** Variance of values, with n − 1 in the denominator; NaN for fewer than two. */
export function variance(values: readonly number[]): number {
  const mean = values.reduce((s, v) => s + v, 0) / values.length;
  return values.length < 2 ? Number.NaN : values.reduce((s, v) => s + (v - mean) ** 2, 0) / (values.length - 1);
}

/** Sum of the variances of all values of features [n][d]. */
export const totalVariance = (features: readonly Float32Array[]): number => {
  const c = centred(rowsOf(features));
  return features.length < 2 ? Number.NaN : c.data.reduce((s, v) => s + v * v, 0) / (features.length - 1);
};

/**
 * Correlation ratio η²: the share of the variance of `values` that lies between groups, 0…1; NaN where the values do not vary.
 * @param groups the group of each value
 */
export function correlationRatio(values: readonly number[], groups: readonly string[]): number {
  const mean = values.reduce((s, v) => s + v, 0) / values.length;
  const all = values.reduce((s, v) => s + (v - mean) ** 2, 0);
  const sums = new Map<string, { sum: number; n: number }>();
  for (const [i, v] of values.entries()) {
    const own = sums.get(groups[i] ?? "") ?? { sum: 0, n: 0 };
    sums.set(groups[i] ?? "", { sum: own.sum + v, n: own.n + 1 });
  }
  const between = [...sums.values()].reduce((s, { sum, n }) => s + n * (sum / n - mean) ** 2, 0);
  return all > 0 ? between / all : Number.NaN;
}

function unit(v: Float64Array): Float64Array {
  const length = Math.sqrt(v.reduce((s, x) => s + x * x, 0));
  return v.map((x) => x / length);
}

function signed(v: Float64Array): Float64Array {
  const largest = v.reduce((m, x) => (Math.abs(x) > Math.abs(m) + 1e-12 ? x : m), 0);
  return largest < 0 ? v.map((x) => -x) : v;
}
