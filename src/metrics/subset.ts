/** The k of n items that differ most from each other and fit best: exactly for few subsets, else greedily with swaps. */
import type { Distances } from "./diversity.js";
import { indices } from "./estimate.js";

/** Subsets that the exact search may have to look at; more are searched greedily. C(16, 8) is 12,870. */
const EXACT = 20_000;

/**
 * Value of a subset S: Σ_{i in S} gain_i + Σ_{i < j in S} d_ij, the objective of Scalable Group Inference (Parmar et al. 2025, arXiv
 * 2508.15773). @param distances [n][n], symmetric, of either sign: distances, or what two items cost together
 */
export function subsetValue(subset: readonly number[], gains: readonly number[], distances: Distances): number {
  let value = 0;
  for (const [a, i] of subset.entries()) {
    value += gains[i] ?? 0;
    for (const j of subset.slice(0, a)) value += distances[i]?.[j] ?? 0;
  }
  return value;
}

/**
 * Indices of the k items with the largest value, ascending. Ties go to the lower indices of the greedy search.
 * @throws RangeError for k outside 1 … n
 */
export function bestSubset(k: number, gains: readonly number[], distances: Distances): number[] {
  const n = gains.length;
  if (!Number.isInteger(k) || k < 1 || k > n) throw new RangeError(`${k} of ${n} items: expected 1 to ${n}`);
  const start = swappedSubset(k, gains, distances);
  return subsetsOf(n, k) <= EXACT ? exactSubset(k, gains, distances, start) : start;
}

/** n over k, at most about 1e15. */
function subsetsOf(n: number, k: number): number {
  let count = 1;
  for (let i = 1; i <= Math.min(k, n - k) && count < 1e15; i++) count = (count * (n - i + 1)) / i;
  return count;
}

/** Adds the item that raises the value most until there are k, then exchanges pairs while that raises it. */
export function swappedSubset(k: number, gains: readonly number[], distances: Distances): number[] {
  const all = indices(gains.length);
  /** What each item adds to the value beside the chosen ones. */
  const added = [...gains];
  const inside = new Set<number>();
  const put = (item: number, sign: 1 | -1) => {
    if (sign === 1) inside.add(item);
    else inside.delete(item);
    for (const i of all) if (i !== item) added[i] = (added[i] ?? 0) + sign * (distances[item]?.[i] ?? 0);
  };
  const best = (items: readonly number[], of: (i: number) => number) =>
    items.reduce((a, b) => (of(b) > of(a) ? b : a), items[0] ?? 0);
  const first = farthestPair(gains, distances);
  for (const item of k > 1 ? first : []) put(item, 1);
  while (inside.size < k)
    put(
      best(
        all.filter((i) => !inside.has(i)),
        (i) => added[i] ?? 0,
      ),
      1,
    );
  for (;;) {
    const swaps = [...inside].flatMap((out) => all.flatMap((i) => (inside.has(i) ? [] : [[out, i] as const])));
    const gainOf = ([out, i]: readonly [number, number]) =>
      (added[i] ?? 0) - (distances[out]?.[i] ?? 0) - (added[out] ?? 0);
    const swap = swaps.reduce<readonly [number, number] | null>((a, b) => (a && gainOf(a) >= gainOf(b) ? a : b), null);
    if (!swap || gainOf(swap) <= 1e-12) break;
    put(swap[0], -1);
    put(swap[1], 1);
  }
  return [...inside].sort((a, b) => a - b);
}

/** The two items with the largest value. */
function farthestPair(gains: readonly number[], distances: Distances): number[] {
  let [pair, most] = [[0, 1], Number.NEGATIVE_INFINITY];
  for (const i of indices(gains.length)) {
    for (const j of indices(i)) {
      const value = subsetValue([j, i], gains, distances);
      if (value > most) [pair, most] = [[j, i], value];
    }
  }
  return pair;
}

/**
 * Branch and bound. The bound of a partial subset with r items to add: its value, and the r largest of what an item can add, which is its
 * gain, its distances to the chosen items, and half of its r − 1 largest distances to the others that are left.
 * @param start a subset to improve on
 */
export function exactSubset(
  k: number,
  gains: readonly number[],
  distances: Distances,
  start: readonly number[],
): number[] {
  let best = [...start];
  let most = subsetValue(best, gains, distances);
  const largest = (values: number[], count: number) =>
    values
      .sort((a, b) => b - a)
      .slice(0, count)
      .reduce((s, v) => s + v, 0);
  const search = (chosen: readonly number[], value: number, left: readonly number[], added: readonly number[]) => {
    const r = k - chosen.length;
    if (r === 0) {
      if (value > most + 1e-12) [best, most] = [[...chosen], value];
      return;
    }
    if (left.length < r) return;
    const bounds = left.map((i, a) => {
      const others = left.flatMap((j) => (j === i ? [] : (distances[i]?.[j] ?? 0)));
      return (added[a] ?? 0) + largest(others, r - 1) / 2;
    });
    if (value + largest([...bounds], r) <= most + 1e-12) return;
    // The most promising item first: with it, then without it.
    const at = bounds.reduce((a, b, i) => (b > (bounds[a] ?? 0) ? i : a), 0);
    const item = left[at] ?? 0;
    const rest = left.filter((i) => i !== item);
    const kept = added.filter((_, a) => a !== at);
    const nearer = kept.map((v, a) => v + (distances[item]?.[rest[a] ?? 0] ?? 0));
    search([...chosen, item], value + (added[at] ?? 0), rest, nearer);
    search(chosen, value, rest, kept);
  };
  search([], 0, indices(gains.length), gains);
  return best.sort((a, b) => a - b);
}
