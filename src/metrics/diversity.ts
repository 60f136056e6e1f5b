/** Diversity of images: pairwise distances of features. */
import { type Estimate, meanEstimate } from "./estimate.js";

/** Cosine distance 1 − cos(a, b), 0…2, of vectors of equal length. */
export function cosineDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return 1 - dot / Math.sqrt(aa * bb);
}

/** Squared Euclidean distance of vectors of equal length. */
export const squaredDistance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, v, i) => sum + (v - (b[i] ?? 0)) ** 2, 0);

/** Root mean square of a − b, for vectors of equal length. */
export function rootMeanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum / a.length);
}

/** Pairwise distances of features: [n][n], symmetric, zero on the diagonal. */
export function pairwise<F extends ArrayLike<number>>(
  features: readonly F[],
  distance: (a: F, b: F) => number = cosineDistance,
): number[][] {
  const d = features.map(() => new Array<number>(features.length).fill(0));
  for (let i = 0; i < features.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [features[i], features[j]];
      const [row, column] = [d[i], d[j]];
      if (!a || !b || !row || !column) continue;
      row[j] = distance(a, b);
      column[i] = row[j] ?? 0;
    }
  }
  return d;
}

/** Pairwise distances of the images of a prompt [n][n]. */
export type Distances = readonly (readonly number[])[];

/** Mean of pairwise distances [n][n] over all pairs; NaN without a pair. */
export function meanPairwise(distances: Distances): number {
  let sum = 0;
  for (const [i, row] of distances.entries()) for (let j = 0; j < i; j++) sum += row[j] ?? 0;
  return sum / ((distances.length * (distances.length - 1)) / 2);
}

/** Mean pairwise cosine distance among the images of each prompt, [prompts]; NaN for a prompt with one image. */
export const distancePerPrompt = (features: readonly (readonly Float32Array[])[]): number[] =>
  features.map((f) => meanPairwise(pairwise(f)));

/**
 * Mean pairwise cosine distance among the images of each prompt, averaged over prompts, with an interval over prompts. features[p][i]: image
 * i of prompt p. Prompts with one image are skipped; `n` counts images.
 */
export const pairwiseDistance = (features: readonly (readonly Float32Array[])[]): Estimate =>
  meanDistance(features.map((f) => pairwise(f)));

/** `pairwiseDistance` from precomputed distances: matrices[p] is [n][n] for prompt p. */
export function meanDistance(matrices: readonly Distances[]): Estimate {
  const several = matrices.filter((m) => m.length > 1);
  const n = several.reduce((s, m) => s + m.length, 0);
  return { ...meanEstimate(several.map((m) => [meanPairwise(m)])), n };
}
