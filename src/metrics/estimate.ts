/** Estimates with 95 % intervals: the jackknife over prompts, and random halves for measures of whole sets. */

/** An estimate with its 95 % interval; `low` and `high` are null where there are too few values for an interval. */
export interface Estimate {
  /** The estimate: a mean in most cases, else the value of the measure. */
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Number of values it is computed from. */
  readonly n: number;
}

/** Fewest prompts, or other units such as seeds, for an interval over them. */
export const FEWEST = 5;

/** log: intervals of positive quantities and ratios, computed from logarithms; linear: of quantities of either sign. */
export type Scale = "log" | "linear";

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

/** Quantile q, 0…1, of ascending values (nearest rank); NaN of an empty list. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.round(q * (sorted.length - 1))] ?? Number.NaN;

/**
 * 97.5 % quantile of Student's t distribution: Cornish–Fisher expansion around the normal quantile z (Abramowitz and Stegun 1964, 26.7.5).
 * Off by 3e-4 at 4 degrees of freedom, and less above.
 */
export function studentQuantile(degrees: number): number {
  const z = 1.959963984540054;
  const v = degrees;
  return (
    z +
    (z ** 3 + z) / (4 * v) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * v ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * v ** 3) +
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / (92160 * v ** 4)
  );
}

/**
 * Estimate with a t interval by the jackknife (Tukey 1958): point ± t √Σ (θ₋ᵢ − θ₋)², where θ₋ᵢ is the estimate without unit i, θ₋ their mean,
 * and t has one degree of freedom less than there are units. On the scale "log" the same of logarithms, unless a value is 0. The factor
 * (n − 1)/n of the jackknife's variance is left out, as in HC3 (Davidson and MacKinnon 1993, eq. 16.13), since variances of few units are too
 * small. With 5 to 16 prompts, normal or skewed, it covers 93 to 97 %; a BCa bootstrap (Efron 1987) covers 80 to 93 %
 * (test/metrics/intervals.test.ts). No interval for fewer than `FEWEST` units.
 * @param without estimate without each unit
 */
export function jackknifeEstimate(point: number, without: readonly number[], scale: Scale = "log"): Estimate {
  const n = without.length;
  if (n < FEWEST || !Number.isFinite(point) || !without.every(Number.isFinite))
    return { mean: point, low: null, high: null, n };
  const log = scale === "log" && point > 0 && without.every((v) => v > 0);
  const [to, from] = log ? [Math.log, Math.exp] : [Number, Number];
  const values = without.map((v) => to(v));
  const centre = mean(values);
  const half = studentQuantile(n - 1) * Math.sqrt(values.reduce((s, v) => s + (v - centre) ** 2, 0));
  return { mean: point, low: from(to(point) - half), high: from(to(point) + half), n };
}

const sum = (values: readonly number[]): number => values.reduce((s, v) => s + v, 0);

/** Mean of values[p][i] within each prompt, then over prompts, with an interval over prompts; `n` counts values. Empty prompts are skipped. */
export function meanEstimate(values: readonly (readonly number[])[], scale: Scale = "log"): Estimate {
  const prompts = values.filter((v) => v.length > 0).map(mean);
  const total = sum(prompts);
  const without = prompts.map((v) => (total - v) / (prompts.length - 1));
  return { ...jackknifeEstimate(mean(prompts), without, scale), n: sum(values.map((v) => v.length)) };
}

/**
 * Ratio of the means of `a` and `b`, both [prompts], with an interval over prompts, each with its values of both. Prompts where one of the
 * values is not finite are skipped.
 */
export function ratioEstimate(a: readonly number[], b: readonly number[]): Estimate {
  const pairs = a.flatMap((x, p) => {
    const y = b[p] ?? Number.NaN;
    return Number.isFinite(x) && Number.isFinite(y) ? [[x, y] as const] : [];
  });
  const [above, below] = [sum(pairs.map(([x]) => x)), sum(pairs.map(([, y]) => y))];
  const without = pairs.map(([x, y]) => (below - y > 0 ? (above - x) / (below - y) : Number.NaN));
  return jackknifeEstimate(above / below, without, "log");
}

/**
 * Measure of the set of images of each prompt, averaged over prompts, with an interval over prompts; `n` counts images.
 * @param sizes number of images of each prompt
 * @param statistic measure of a prompt's images, given by index; prompts for which it is NaN are skipped
 */
export function setEstimate(
  sizes: readonly number[],
  statistic: (prompt: number, images: readonly number[]) => number,
): Estimate {
  const prompts = sizes.flatMap((size, p) => {
    const value = statistic(p, indices(size));
    return Number.isNaN(value) ? [] : [{ size, value }];
  });
  return { ...meanEstimate(prompts.map(({ value }) => [value])), n: sum(prompts.map(({ size }) => size)) };
}

/** A measure of units, most often prompts, and the same without each of them, or without each group of them. */
export interface Replicates<T = number> {
  readonly point: T;
  readonly without: readonly T[];
}

/** Most units that are left out one by one; more are left out in as many groups. */
const GROUPS = 20;

/**
 * Replicates of a measure of whole sets, such as a Fréchet distance. More than 20 units are left out in 20 groups (the grouped jackknife),
 * every 20th unit in one group. Fewer than `FEWEST` have no replicates.
 * @param statistic measure of these units
 */
export async function replicatesOf<T>(
  units: number,
  statistic: (units: readonly number[]) => Promise<T>,
): Promise<Replicates<T>> {
  const all = indices(units);
  const point = await statistic(all);
  const groups = Math.min(units, GROUPS);
  const without: T[] = [];
  if (units >= FEWEST)
    for (let g = 0; g < groups; g++) without.push(await statistic(all.filter((i) => i % groups !== g)));
  return { point, without };
}

/** Ratio of two measures of the same units; NaN, without an interval, where the second is not positive. */
export function replicatesRatio(a: Replicates, b: Replicates): Estimate {
  const over = (x: number, y: number | undefined) => (y !== undefined && y > 0 ? x / y : Number.NaN);
  return jackknifeEstimate(
    over(a.point, b.point),
    a.without.map((x, i) => over(x, b.without[i])),
    "log",
  );
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
 * detect. Smaller sets are biased, so the values are re-centred on the estimate. No interval for fewer than 10 `resamples`.
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
  const sorted = drawn.map((v) => v + shift).sort((a, b) => a - b);
  return { mean: point, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975), n: sizes[0] };
}

/** Clips the interval of a share to 0…1, and extends it to the share itself. */
export const within01 = ({ low, high, ...rest }: Estimate): Estimate => ({
  ...rest,
  low: low === null ? null : Math.max(0, Math.min(low, rest.mean)),
  high: high === null ? null : Math.min(1, Math.max(high, rest.mean)),
});

const PLACES = (v: number) => v.toFixed(3);

/** Estimate as text: "0.512 [0.430, 0.601]"; "–" for a missing estimate. `show` formats one value, by default to three decimals. */
export function formatEstimate(e: Estimate | null | undefined, show: (value: number) => string = PLACES): string {
  if (!e || !Number.isFinite(e.mean)) return "–";
  return e.low === null || e.high === null ? show(e.mean) : `${show(e.mean)} [${show(e.low)}, ${show(e.high)}]`;
}
