/** Verdicts on claims, from measured values and their 95 % intervals. */
import type { Estimate } from "../metrics/index.js";
import type { Claim } from "./definition.js";

/** Ordered from an interval inside the claimed range to one outside it. */
export const VERDICTS = ["agrees", "leans that way", "leans the other way", "does not agree", "not measured"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Ratios within this distance of 1 count as equal. */
const MARGIN = 0.05;

/** Open range of values for which a claim holds. even: 1 for a ratio, 0 for a single value. */
const RANGES: { readonly [K in Claim["is"]]: (even: number) => readonly [from: number, to: number] } = {
  more: (even) => [even, Number.POSITIVE_INFINITY],
  less: (even) => [Number.NEGATIVE_INFINITY, even],
  "as much": (even) => [even - MARGIN, even + MARGIN],
  "at least as much": (even) => [even - MARGIN, Number.POSITIVE_INFINITY],
};

/** Explanation of verdicts, for the report. */
export const VERDICT_NOTE =
  "“Agrees”: the whole interval lies in the claimed range; “does not agree”: all of it lies outside; “leans”: the interval contains a bound of the range, or there is no interval, and the mean gives the direction. " +
  `“More” is a ratio above 1, “less” one below 1, “as much” one within ${100 * MARGIN} % of 1 (an equivalence test), “at least as much” one above ${1 - MARGIN}; a claim about one row alone is compared with 0.`;

/** Verdict on a claim. Without an interval a claim leans. */
export function verdictOf(is: Claim["is"], ours: Estimate | null, even: 0 | 1): Verdict {
  if (!ours || !Number.isFinite(ours.mean)) return "not measured";
  const { mean, low, high } = ours;
  const [from, to] = RANGES[is](even);
  if (low !== null && high !== null) {
    if (low > from && high < to) return "agrees";
    if (high <= from || low >= to) return "does not agree";
  }
  return mean > from && mean < to ? "leans that way" : "leans the other way";
}
