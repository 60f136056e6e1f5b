/** Numbers with 95 % intervals: bootstrap over prompts and images, and random halves for measures of whole sets. */

/** A number with its 95 % interval; `low` and `high` are null where there is too little to resample. */
export interface Estimate {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Number of values behind it. */
  readonly n: number;
}

/** NaN of no values. */
export const mean = (values: readonly number[]): number => values.reduce((s, v) => s + v, 0) / values.length;

/** 0 … n − 1. */
export const indices = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

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

/** `n` indices of 0 … n − 1, drawn with replacement. */
export const resample = (random: () => number, n: number): number[] =>
  Array.from({ length: n }, () => Math.floor(random() * n));

const RESAMPLES = 1000;

/** 2.5 % and 97.5 % of `statistic` over resamples. */
export function bootstrap(n: number, point: number, statistic: (random: () => number) => number): Estimate {
  const random = uniform(20250312);
  const values = Array.from({ length: RESAMPLES }, () => statistic(random)).filter((v) => !Number.isNaN(v));
  return values.length < RESAMPLES / 2 ? { mean: point, low: null, high: null, n } : withInterval(n, point, values);
}

/** An estimate whose interval holds the middle 95 % of `values`. */
function withInterval(n: number, point: number, values: readonly number[]): Estimate {
  const sorted = values.toSorted((a, b) => a - b);
  return { mean: point, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975), n };
}

/** The value that a share `q` of ascending values lies below; NaN of none. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.round(q * (sorted.length - 1))] ?? Number.NaN;

/** Mean of values[p][i], first within each prompt, then over prompts; bootstrap over prompts, then values. Empty prompts are left out. */
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
 * Mean of `a` over mean of `b`, both by prompt; bootstrap over prompts, which keeps the two of a prompt together. Prompts where one of
 * them is not finite are left out.
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

/** Resamples of the images of one prompt; prompts are resampled much more often. */
const INNER = 40;

/**
 * A measure of the set of images of each prompt, mean over prompts; 95 % bootstrap over prompts, then images. An image drawn twice
 * makes every set measure smaller, so each prompt's bootstrap values are re-centred on its estimate: only their spread is used.
 * With `inner` 0 only prompts are drawn: for sets so large that images hardly matter beside prompts.
 * `sizes` [prompts]; `statistic` gets the prompt and the images drawn. Prompts for which it is NaN are left out.
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

/** Half of the indices 0 … n − 1, each at most once. */
function randomHalf(random: () => number, n: number): number[] {
  const places = indices(n);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [places[i], places[j]] = [places[j] ?? 0, places[i] ?? 0];
  }
  return places.slice(0, Math.ceil(n / 2));
}

/**
 * A measure of one or two whole sets with a 95 % interval from random halves: the mean of a half drawn without replacement varies
 * about the whole as much as the whole does about the truth, and no image stands beside its own copy, which neighbours would see.
 * Re-centred on the measure's own value as above. Below 10 `resamples` there is no interval.
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

/** "0.512 [0.430, 0.601]"; "–" where there is no number. */
export function formatEstimate(e: Estimate | null | undefined, show: (value: number) => string = PLACES): string {
  if (!e || !Number.isFinite(e.mean)) return "–";
  return e.low === null || e.high === null ? show(e.mean) : `${show(e.mean)} [${show(e.low)}, ${show(e.high)}]`;
}
