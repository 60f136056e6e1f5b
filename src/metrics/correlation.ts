/** Correlation of two measures: Pearson and Spearman. */
import { mean } from "./estimate.js";

/** Pearson correlation of two lists of equal length, −1…1; NaN when one of them is constant. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)];
  const sum = (f: (x: number, y: number) => number) => a.reduce((s, x, i) => s + f(x - ma, (b[i] ?? 0) - mb), 0);
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
}

/** Ranks 1…n; equal values get the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  return values.map((v) => {
    const below = values.filter((x) => x < v).length;
    const same = values.filter((x) => x === v).length;
    return below + (same + 1) / 2;
  });
}

/** Spearman's rank correlation of two lists of equal length, −1…1; NaN when one of them is constant. */
export const rankCorrelation = (a: readonly number[], b: readonly number[]): number => correlation(ranks(a), ranks(b));
