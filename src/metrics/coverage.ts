/** Coverage of a reference's values: how many of the values that real images show are reached by others, and by as many real images. */

/** Coverage, as shares of the distinct values of the reference. */
export interface ValueCoverage {
  /** Share of the reference's values that the images reach. */
  readonly reached: number;
  /** Expected share that as many images drawn from the reference reach, without replacement: the ceiling. */
  readonly ceiling: number;
}

/**
 * Coverage of the values of a reference. The ceiling is rarefaction (Hurlbert 1971): of N real images, of which c show a value, n miss it with
 * probability C(N − c, n) / C(N, n). With n ≥ N the ceiling is 1.
 * @returns null without images on either side
 */
export function valueCoverage<V>(images: readonly V[], reference: readonly V[]): ValueCoverage | null {
  const [n, total] = [images.length, reference.length];
  if (n === 0 || total === 0) return null;
  const counts = new Map<V, number>();
  for (const v of reference) counts.set(v, (counts.get(v) ?? 0) + 1);
  const shown = new Set(images);
  let [reached, expected] = [0, 0];
  for (const [value, count] of counts) {
    if (shown.has(value)) reached++;
    expected += 1 - missed(total, count, n);
  }
  return { reached: reached / counts.size, ceiling: expected / counts.size };
}

/** Probability that n of `total` images, drawn without replacement, show none of `count`. */
function missed(total: number, count: number, n: number): number {
  if (n > total - count) return 0;
  let p = 1;
  for (let i = 0; i < n; i++) p *= (total - count - i) / (total - i);
  return p;
}
