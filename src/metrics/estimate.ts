/** Estimates with 95 % intervals: bootstrap over prompts and images, and random halves for measures of whole sets. */

/** An estimate with its 95 % interval; `low` and `high` are null when there are too few values to resample. */
export interface Estimate {
  /** The estimate: a mean in most cases, else the value of the measure. */
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Number of values it is computed from. */
  readonly n: number;
}

/** Arithmetic mean; NaN of an empty list. */
export const mean = (values: readonly number[]): number => values.reduce((s, v) => s + v, 0) / values.length;

/** Indices 0 … n − 1. */
export const indices = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Uniform random numbers in [0, 1) (mulberry32). Intervals use a fixed seed, so that they are reproducible. */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Bootstrap resample: `n` indices of 0 … n − 1, drawn with replacement. */
export const resample = (random: () => number, n: number): number[] =>
  Array.from({ length: n }, () => Math.floor(random() * n));

const RESAMPLES = 1000;

/**
 * Percentile bootstrap: the estimate `point` with the 2.5 % and 97.5 % quantiles of `statistic` over 1000 resamples, each with its own draws
 * from `random`. Resamples with NaN are dropped; without an interval when more than half are.
 */
export function bootstrap(n: number, point: number, statistic: (random: () => number) => number): Estimate {
  const random = uniform(20250312);
  const values = Array.from({ length: RESAMPLES }, () => statistic(random)).filter((v) => !Number.isNaN(v));
  return values.length < RESAMPLES / 2 ? { mean: point, low: null, high: null, n } : withInterval(n, point, values);
}

/** Estimate whose interval contains the central 95 % of `values`. */
function withInterval(n: number, point: number, values: readonly number[]): Estimate {
  const sorted = values.toSorted((a, b) => a - b);
  return { mean: point, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975), n };
}

/** Quantile q, 0…1, of ascending values (nearest rank); NaN of an empty list. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.round(q * (sorted.length - 1))] ?? Number.NaN;

/** Mean of values[p][i] within each prompt, then over prompts. Interval: bootstrap over prompts, then values. Empty prompts are skipped. */
export function meanEstimate(values: readonly (readonly number[])[]): Estimate {
  const prompts = values.filter((v) => v.length > 0);
  const n = prompts.reduce((s, v) => s + v.length, 0);
  return bootstrap(n, mean(prompts.map(mean)), (random) =>
    mean(
      resample(random, prompts.length).map((p) => {
        const v = prompts[p] ?? [];
        return mean(resample(random, v.length).map((i) => v[i] ?? 0));
      }),
    ),
  );
}

/**
 * Ratio of the means of `a` and `b`, both [prompts]. Interval: paired bootstrap over prompts. Prompts where one of the values is not
 * finite are skipped.
 */
export function ratioEstimate(a: readonly number[], b: readonly number[]): Estimate {
  const pairs = a.flatMap((x, p) => {
    const y = b[p] ?? Number.NaN;
    return Number.isFinite(x) && Number.isFinite(y) ? [[x, y] as const] : [];
  });
  const n = pairs.length;
  const ratio = (at: readonly number[]) =>
    mean(at.map((i) => pairs[i]?.[0] ?? 0)) / mean(at.map((i) => pairs[i]?.[1] ?? 0));
  return bootstrap(n, ratio(indices(n)), (random) => (n > 1 ? ratio(resample(random, n)) : Number.NaN));
}

/** Resamples of the images of each prompt; there are 1000 resamples of prompts. */
const INNER = 40;

/**
 * Measure of the set of images of each prompt, averaged over prompts. Interval: bootstrap over prompts, then images. Repeated images
 * reduce the diversity of a set, so each prompt's bootstrap values are re-centred on its estimate and only their spread is used.
 * @param sizes number of images of each prompt
 * @param statistic measure of a prompt's images, given by index; prompts for which it is NaN are skipped
 * @param inner resamples of the images of each prompt; 0 resamples prompts only, for sets so large that images add little variance
 */
export function setEstimate(
  sizes: readonly number[],
  statistic: (prompt: number, images: readonly number[]) => number,
  inner = INNER,
): Estimate {
  const prompts = sizes.flatMap((size, p) => {
    const value = statistic(p, indices(size));
    return Number.isNaN(value) ? [] : [{ p, size, value }];
  });
  const n = prompts.reduce((s, { size }) => s + size, 0);
  if (prompts.length === 0) return { mean: Number.NaN, low: null, high: null, n };
  if (inner === 0 && prompts.length < 2) return { mean: mean(prompts.map((x) => x.value)), low: null, high: null, n };
  let pools: number[][] | undefined;
  const poolsOf = (random: () => number) =>
    prompts.map(({ p, size, value }) => {
      const drawn = Array.from({ length: inner }, () => statistic(p, resample(random, size))).filter(
        (v) => !Number.isNaN(v),
      );
      if (drawn.length === 0) return [value];
      const shift = value - mean(drawn);
      return drawn.map((v) => v + shift);
    });
  return bootstrap(n, mean(prompts.map((x) => x.value)), (random) => {
    pools ??= poolsOf(random);
    const picked = resample(random, prompts.length).map((i) => pools?.[i] ?? []);
    return mean(picked.map((pool) => pool[Math.floor(random() * pool.length)] ?? Number.NaN));
  });
}

/** ⌈n / 2⌉ of the indices 0 … n − 1, drawn without replacement. */
function randomHalf(random: () => number, n: number): number[] {
  const places = indices(n);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [places[i], places[j]] = [places[j] ?? 0, places[i] ?? 0];
  }
  return places.slice(0, Math.ceil(n / 2));
}

/**
 * Measure of one or two whole sets, with an interval from random halves: a mean over half of a set, drawn without replacement, varies around
 * the whole set's as much as that around the true value, and no image is next to a copy of itself, which nearest-neighbour measures would
 * detect. The values are re-centred as in `setEstimate`. No interval for fewer than 10 `resamples`.
 * @param sizes numbers of images of the two sets
 * @param statistic measure of the images at these indices
 */
export async function pooledEstimate(
  sizes: readonly [number, number],
  statistic: (a: readonly number[], b: readonly number[]) => Promise<number>,
  resamples: number,
): Promise<Estimate> {
  const point = await statistic(indices(sizes[0]), indices(sizes[1]));
  const drawn: number[] = [];
  const random = uniform(20250312);
  for (let r = 0; r < resamples; r++)
    drawn.push(await statistic(randomHalf(random, sizes[0]), randomHalf(random, sizes[1])));
  if (drawn.length < 10) return { mean: point, low: null, high: null, n: sizes[0] };
  const shift = point - mean(drawn);
  return withInterval(
    sizes[0],
    point,
    drawn.map((v) => v + shift),
  );
}

const PLACES = (v: number) => v.toFixed(3);

/** Estimate as text: "0.512 [0.430, 0.601]"; "–" for a missing estimate. `show` formats one value, by default to three decimals. */
export function formatEstimate(e: Estimate | null | undefined, show: (value: number) => string = PLACES): string {
  if (!e || !Number.isFinite(e.mean)) return "–";
  return e.low === null || e.high === null ? show(e.mean) : `${show(e.mean)} [${show(e.low)}, ${show(e.high)}]`;
}
