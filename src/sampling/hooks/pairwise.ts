/** Distances between the samples of a group, and steps along their differences, which every method on x0 of a group uses. */
import type { FloatTensor } from "../../tensor/index.js";
import { combine, type Term } from "../linear.js";

/** Squared Euclidean distances of n samples, [n][n]. Each [1, C, h, w]. */
export const squaredDistances = (group: readonly FloatTensor[]): number[][] =>
  group.map((a) => group.map((b) => a.data.reduce((sum, v, i) => sum + (v - (b.data[i] ?? 0)) ** 2, 0)));

/** Median of the squared distances between different samples; the mean of the middle two for an even number. */
export function medianDistance(squared: readonly (readonly number[])[]): number {
  const all = squared.flatMap((row, i) => row.slice(0, i)).sort((a, b) => a - b);
  const middle = all.length / 2;
  return ((all[Math.ceil(middle) - 1] ?? 0) + (all[Math.floor(middle)] ?? 0)) / 2;
}

/** x_i + Σ_j weights[i][j] (x_i − x_j). n × [1, C, h, w] → the same. */
export const apart = (group: readonly FloatTensor[], weights: readonly (readonly number[])[]): FloatTensor[] =>
  group.map((own, i) => {
    const row = weights[i] ?? [];
    const total = row.reduce((sum, w, j) => (j === i ? sum : sum + w), 0);
    return combine([1 + total, own], ...group.flatMap((x, j): Term[] => (j === i ? [] : [[-(row[j] ?? 0), x]])));
  });
