/** Diversity of images: pairwise distances of features. */
import { bootstrap, type Estimate, indices, mean, resample } from "./estimate.js";

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

/** Mean of pairwise distances [n][n] over all pairs of the images `drawn` (default: all images); NaN without a pair. */
export function meanPairwise(distances: Distances, drawn: readonly number[] = indices(distances.length)): number {
  let [sum, n] = [0, 0];
  for (let i = 0; i < drawn.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a = 0, b = 0] = [drawn[i], drawn[j]];
      // Copies of one image are not a pair: their distance of 0 would bias the bootstrap.
      if (a === b) continue;
      sum += distances[a]?.[b] ?? 0;
      n++;
    }
  }
  return sum / n;
}

/** Mean pairwise cosine distance among the images of each prompt, [prompts]; NaN for a prompt with one image. */
export const distancePerPrompt = (features: readonly (readonly Float32Array[])[]): number[] =>
  features.map((f) => meanPairwise(pairwise(f)));

/**
 * Mean pairwise cosine distance among the images of each prompt, averaged over prompts. Interval: bootstrap over prompts, then images.
 * features[p][i]: image i of prompt p. Prompts with one image are skipped; `n` counts images.
 */
export const pairwiseDistance = (features: readonly (readonly Float32Array[])[]): Estimate =>
  meanDistance(features.map((f) => pairwise(f)));

/** `pairwiseDistance` from precomputed distances: matrices[p] is [n][n] for prompt p. */
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

/** Fewest prompts for an interval over prompts, and fewest images of each prompt for an interval at all. */
export const FEWEST = { prompts: 5, images: 4 } as const;

/**
 * Mean pairwise distance of `a` as a share of that of `b`, both averaged over prompts. a[p] and b[p] hold the distances of prompt p's images
 * in the same order, such as one image for each seed. Interval: paired bootstrap over images, and over prompts from 5 on; with fewer
 * prompts it holds for these prompts only. No interval where a prompt has fewer than 4 images. NaN where `b` has no distance; `n` counts
 * prompts.
 */
export function distanceShare(a: readonly Distances[], b: readonly Distances[]): Estimate {
  const pairs = a.flatMap((of, p) => {
    const to = b[p] ?? [];
    return of.length > 1 && of.length === to.length ? [{ of, to }] : [];
  });
  const n = pairs.length;
  const share = (drawn: readonly { readonly p: number; readonly at?: readonly number[] }[]): number => {
    const total = (side: "of" | "to") => mean(drawn.map(({ p, at }) => meanPairwise(pairs[p]?.[side] ?? [], at)));
    return total("of") / total("to");
  };
  const point = share(indices(n).map((p) => ({ p })));
  if (!Number.isFinite(point) || pairs.some(({ of }) => of.length < FEWEST.images))
    return { mean: point, low: null, high: null, n };
  return bootstrap(n, point, (random) => {
    const prompts = n < FEWEST.prompts ? indices(n) : resample(random, n);
    return share(prompts.map((p) => ({ p, at: resample(random, pairs[p]?.of.length ?? 0) })));
  });
}
