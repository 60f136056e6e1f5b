/** Intervals for measures of whole sets, and how far two measures agree. */
import { bootstrap, draw, type Estimate, mean, uniform, withInterval } from "./diversity.js";

/** Resamples of the pictures of one prompt; prompts are resampled much more often. */
const INNER = 40;

/**
 * A measure of the set of pictures of each prompt, mean over prompts; 95 % bootstrap over prompts, then pictures. A picture drawn
 * twice makes every set measure smaller, so each prompt's resamples are moved to its own value: they say how wide, not where.
 * With `inner` 0 only prompts are drawn: for sets so large that pictures hardly matter beside prompts.
 * `sizes` [prompts]; `statistic` gets the prompt and the pictures drawn. Prompts for which it is NaN are left out.
 */
export function setEstimate(
  sizes: readonly number[],
  statistic: (prompt: number, pictures: readonly number[]) => number,
  inner = INNER,
): Estimate {
  const prompts = sizes.flatMap((size, p) => {
    const value = statistic(
      p,
      Array.from({ length: size }, (_, i) => i),
    );
    return Number.isNaN(value) ? [] : [{ p, size, value }];
  });
  const n = prompts.reduce((s, { size }) => s + size, 0);
  if (prompts.length === 0) return { mean: Number.NaN, low: null, high: null, n };
  if (inner === 0 && prompts.length < 2) return { mean: mean(prompts.map((x) => x.value)), low: null, high: null, n };
  let pools: number[][] | undefined;
  const poolsOf = (random: () => number) =>
    prompts.map(({ p, size, value }) => {
      const drawn = Array.from({ length: inner }, () => statistic(p, draw(random, size))).filter(
        (v) => !Number.isNaN(v),
      );
      if (drawn.length === 0) return [value];
      const shift = value - mean(drawn);
      return drawn.map((v) => v + shift);
    });
  return bootstrap(n, mean(prompts.map((x) => x.value)), (random) => {
    pools ??= poolsOf(random);
    const picked = draw(random, prompts.length).map((i) => pools?.[i] ?? []);
    return mean(picked.map((pool) => pool[Math.floor(random() * pool.length)] ?? Number.NaN));
  });
}

/** Half of the places 0 … n − 1, each at most once. */
function half(random: () => number, n: number): number[] {
  const places = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [places[i], places[j]] = [places[j] ?? 0, places[i] ?? 0];
  }
  return places.slice(0, Math.ceil(n / 2));
}

/**
 * A measure of one or two whole sets with a 95 % interval from random halves: the mean of a half drawn without replacement varies
 * about the whole as much as the whole does about the truth, and no picture stands beside its own copy, which neighbours would see.
 * Moved to the measure's own value as above. Below 10 `resamples` there is no interval.
 */
export async function pooledEstimate(
  sizes: readonly [number, number],
  statistic: (a: readonly number[], b: readonly number[]) => Promise<number>,
  resamples: number,
): Promise<Estimate> {
  const every = (n: number) => Array.from({ length: n }, (_, i) => i);
  const point = await statistic(every(sizes[0]), every(sizes[1]));
  const drawn: number[] = [];
  const random = uniform(20250312);
  for (let r = 0; r < resamples; r++) drawn.push(await statistic(half(random, sizes[0]), half(random, sizes[1])));
  if (drawn.length < 10) return { mean: point, low: null, high: null, n: sizes[0] };
  const shift = point - mean(drawn);
  return withInterval(
    sizes[0],
    point,
    drawn.map((v) => v + shift),
  );
}

/** Pearson correlation of two lists, −1…1; NaN where one does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)];
  const sum = (f: (x: number, y: number) => number) => a.reduce((s, x, i) => s + f(x - ma, (b[i] ?? 0) - mb), 0);
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
}

/** Places 1…n; equal values share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  return values.map((v) => {
    const below = values.filter((x) => x < v).length;
    const same = values.filter((x) => x === v).length;
    return below + (same + 1) / 2;
  });
}

/** Spearman's rank correlation. */
export const rankCorrelation = (a: readonly number[], b: readonly number[]): number => correlation(ranks(a), ranks(b));

const PLACES = (v: number) => v.toFixed(3);

/** "0.512 [0.430, 0.601]"; "–" where there is no number. */
export function formatEstimate(e: Estimate | null | undefined, show: (value: number) => string = PLACES): string {
  if (!e || !Number.isFinite(e.mean)) return "–";
  return e.low === null || e.high === null ? show(e.mean) : `${show(e.mean)} [${show(e.low)}, ${show(e.high)}]`;
}
