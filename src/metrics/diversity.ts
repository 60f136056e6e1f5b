/** Diversity of images from their features: pairwise distances, and the entropy of values that occur. */
import { bootstrap, type Estimate, indices, mean, resample } from "./estimate.js";

/** 1 − cos(a, b), 0…2. Vectors of equal length. */
export function cosineDistance(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return 1 - dot / Math.sqrt(aa * bb);
}

/** Squared length of a − b. Vectors of equal length. */
export const squaredDistance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, v, i) => sum + (v - (b[i] ?? 0)) ** 2, 0);

/** Distances of every pair: [n][n], symmetric, zero on the diagonal. */
export function pairwise(features: readonly Float32Array[], distance = cosineDistance): number[][] {
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

type Distances = readonly (readonly number[])[];

/** Mean distance over all pairs of `drawn` images, by default of all, from their distances [n][n]; NaN where there is no pair. */
export function meanPairwise(distances: Distances, drawn: readonly number[] = indices(distances.length)): number {
  let [sum, n] = [0, 0];
  for (let i = 0; i < drawn.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a = 0, b = 0] = [drawn[i], drawn[j]];
      // An image drawn twice is not a pair: counting its distance of 0 would pull every resample down.
      if (a === b) continue;
      sum += distances[a]?.[b] ?? 0;
      n++;
    }
  }
  return sum / n;
}

/** Mean pairwise distance among the images of each prompt [prompts]; NaN where a prompt has one. */
export const distancePerPrompt = (features: readonly (readonly Float32Array[])[]): number[] =>
  features.map((f) => meanPairwise(pairwise(f)));

/**
 * Mean pairwise distance among the images of each prompt, then over prompts; bootstrap over prompts, then over images.
 * features[p][i]: image i of prompt p. Prompts with one image are left out; `n` counts images.
 */
export const pairwiseDistance = (features: readonly (readonly Float32Array[])[]): Estimate =>
  meanDistance(features.map((f) => pairwise(f)));

/** The same from distances that are known already: matrices[p] is [n][n] for prompt p. */
export function meanDistance(matrices: readonly Distances[]): Estimate {
  const several = matrices.filter((m) => m.length > 1);
  const n = several.reduce((s, m) => s + m.length, 0);
  return bootstrap(n, mean(several.map((m) => meanPairwise(m))), (random) =>
    mean(
      resample(random, several.length).map((p) => {
        const m = several[p] ?? [];
        return meanPairwise(m, resample(random, m.length));
      }),
    ),
  );
}

/** Entropy in nats of how often each value occurs: 0 when all are alike, ln k when k values are equally frequent. */
export function entropy(values: readonly (string | number)[]): number {
  const counts = new Map<string | number, number>();
  for (const v of values) counts.set(v, (counts.get(v) ?? 0) + 1);
  return [...counts.values()].reduce((h, c) => h - (c / values.length) * Math.log(c / values.length), 0);
}
