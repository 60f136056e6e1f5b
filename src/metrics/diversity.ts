/** How different pictures are from each other: pairwise distances of their features, with bootstrap intervals. */

/** A number with its 95 % interval; `low` and `high` are null where there is too little to resample. */
export interface Estimate {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** How many values stand behind it. */
  readonly n: number;
}

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

/** Mean distance over the pairs of different originals among `drawn` indices; NaN when there is none. */
function meanOfPairs(distances: readonly (readonly number[])[], drawn: readonly number[]): number {
  let [sum, n] = [0, 0];
  for (let i = 0; i < drawn.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a = 0, b = 0] = [drawn[i], drawn[j]];
      // A picture drawn twice is not a pair: counting its distance of 0 would pull every resample down.
      if (a === b) continue;
      sum += distances[a]?.[b] ?? 0;
      n++;
    }
  }
  return sum / n;
}

/** Mean of numbers; NaN of none. */
export const mean = (values: readonly number[]) => values.reduce((s, v) => s + v, 0) / values.length;

/** A uniform number in 0…1 from a small fixed generator (mulberry32), so that intervals are the same every time. */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const RESAMPLES = 1000;

/** 2.5 % and 97.5 % of `statistic` over resamples. */
export function bootstrap(n: number, point: number, statistic: (random: () => number) => number): Estimate {
  const random = uniform(20250312);
  const values = Array.from({ length: RESAMPLES }, () => statistic(random)).filter((v) => !Number.isNaN(v));
  return values.length < RESAMPLES / 2 ? { mean: point, low: null, high: null, n } : withInterval(n, point, values);
}

/** An estimate whose interval holds the middle 95 % of `values`. */
export function withInterval(n: number, point: number, values: readonly number[]): Estimate {
  const sorted = values.toSorted((a, b) => a - b);
  return { mean: point, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975), n };
}

/** The value that a share `q` of ascending values lies below; NaN of none. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.round(q * (sorted.length - 1))] ?? Number.NaN;

/** `n` places of 0 … n − 1, drawn with replacement. */
export const draw = (random: () => number, n: number) => Array.from({ length: n }, () => Math.floor(random() * n));

/** Squared length of a − b. Vectors of equal length. */
export const squaredDistance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, v, i) => sum + (v - (b[i] ?? 0)) ** 2, 0);

/**
 * Mean pairwise distance among the pictures of each prompt, then over prompts; bootstrap over prompts, then over pictures.
 * features[p][i]: picture i of prompt p. `n` counts pictures.
 */
export const pairwiseDistance = (features: readonly (readonly Float32Array[])[]): Estimate =>
  meanDistance(features.map((f) => pairwise(f)));

/** The same from distances that are known already: matrices[p] is [n][n] for prompt p. */
export function meanDistance(matrices: readonly (readonly (readonly number[])[])[]): Estimate {
  const all = (m: readonly unknown[]) => m.map((_, i) => i);
  const point = mean(matrices.map((m) => meanOfPairs(m, all(m))));
  const n = matrices.reduce((s, m) => s + m.length, 0);
  return bootstrap(n, point, (random) =>
    mean(
      draw(random, matrices.length).map((p) => {
        const m = matrices[p] ?? [];
        return meanOfPairs(m, draw(random, m.length));
      }),
    ),
  );
}

/** Mean of values[p][i], first within each prompt, then over prompts; bootstrap over prompts, then values. */
export function meanEstimate(values: readonly (readonly number[])[]): Estimate {
  const n = values.reduce((s, v) => s + v.length, 0);
  return bootstrap(n, mean(values.map(mean)), (random) =>
    mean(
      draw(random, values.length).map((p) => {
        const v = values[p] ?? [];
        return mean(draw(random, v.length).map((i) => v[i] ?? 0));
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

/** Mean pairwise distance among the pictures of each prompt [prompts]. */
export const distancePerPrompt = (features: readonly (readonly Float32Array[])[]): number[] =>
  features.map((f) =>
    meanOfPairs(
      pairwise(f),
      f.map((_, i) => i),
    ),
  );

/** Mean of `a` over mean of `b`, values of the same prompts side by side; bootstrap over prompts, which keeps them together. */
export function ratioEstimate(a: readonly number[], b: readonly number[]): Estimate {
  const ratio = (at: readonly number[]) => mean(at.map((i) => a[i] ?? 0)) / mean(at.map((i) => b[i] ?? 0));
  const n = a.length;
  return bootstrap(n, ratio(a.map((_, i) => i)), (random) => (n > 1 ? ratio(draw(random, n)) : Number.NaN));
}
